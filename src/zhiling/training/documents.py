"""Rows of one group read together: an input whose messages are those of all its rows, answered row by row.

A window of the encoder then holds a sentence with its neighbours, in training, in evaluation and in
prediction alike.

Source: Schweter and Akbik 2020, FLERT: Document-Level Features for Named Entity Recognition, section 2.1.
Deviation: a text is cut in overlapping windows, so that a sentence is not encoded once for itself and again
as the context of each neighbour.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from zhiling.errors import UsageError
from zhiling.rows.target import Entities, Span, spelled
from zhiling.training.examples import Answer, Evaluate, Examples
from zhiling.training.inputs import Input
from zhiling.training.tasks.targets import must_read


@dataclass(frozen=True)
class Documents:
    """Examples, and the groups that they make."""

    rows: Examples
    members: tuple[tuple[int, ...], ...]
    """The places of each document's rows among the examples, in their order there."""

    @classmethod
    def of(cls, rows: Examples) -> Documents:
        """The documents of these examples; a row without a group is one of its own.

        A row that occurs twice (a mixture may want that) stands in two copies of its document.
        """
        found: dict[tuple[str | None, str | int], list[int]] = {}
        seen: Counter[str] = Counter()
        for place, (row, group) in enumerate(zip(rows.ids, rows.groups, strict=True)):
            key = (None, place) if group is None else (group, seen[row])
            seen[row] += 1
            found.setdefault(key, []).append(place)
        return cls(rows, tuple(map(tuple, found.values())))

    @classmethod
    def to_learn_from(cls, rows: Examples) -> Documents:
        """The documents of training examples.

        Raises:
            UsageError: no row has a group, so that each would be read alone.
        """
        if len(rows) and not any(rows.groups):
            raise UsageError(
                f"context: group reads the rows of a group together, and none of {len(rows)} rows has one",
                hint="Set `group` in the source (CoNLL columns: group: document), or context: row.",
            )
        return cls.of(rows)

    @cached_property
    def inputs(self) -> tuple[Input, ...]:
        """The messages of each document."""
        return tuple(tuple(turn for row in rows for turn in self.rows.inputs[row]) for rows in self.members)

    @property
    def examples(self) -> Examples:
        """The documents as examples; targets are `Entities` that tell no tokens."""
        first = [rows[0] for rows in self.members]
        return Examples(
            tuple(self.rows.ids[row] for row in first),
            self.inputs,
            tuple(map(self._target, self.members)),
            tuple(self.rows.languages[row] for row in first),
        )

    def _target(self, rows: Sequence[int]) -> str:
        """The entities of all rows of a document."""
        spans = [
            span.model_copy(update={"message": span.message + offset})
            for row, offset in self._offsets(rows)
            for span in must_read(self.rows.targets[row], Entities).spans
        ]
        return spelled(Entities(spans=spans))

    def _offsets(self, rows: Sequence[int]) -> Iterator[tuple[int, int]]:
        """Each row of a document with how many messages stand before its own."""
        before = 0
        for row in rows:
            yield row, before
            before += len(self.rows.inputs[row])

    def by_row(self, answers: Sequence[Answer]) -> list[Answer]:
        """The answers about documents, told row by row in the order of the examples."""
        found: dict[int, Answer] = {}
        for rows, answer in zip(self.members, answers, strict=True):
            spans = must_read(answer.text, Entities).spans
            for row, offset in self._offsets(rows):
                end = offset + len(self.rows.inputs[row])
                sure = min(answer.by_message[offset:end], default=answer.score)
                found[row] = Answer(spelled(Entities(spans=_within(spans, offset, end))), sure)
        return [found[row] for row in range(len(self.rows))]

    def scored_by_row(self, evaluate: Evaluate) -> Evaluate:
        """(truths, answers) of these documents → the score of their rows."""

        def score(_: Sequence[str], answers: Sequence[str]) -> float:
            told = self.by_row([Answer(text, 0.0) for text in answers])
            return evaluate(self.rows.targets, [answer.text for answer in told])

        return score


def _within(spans: Sequence[Span], start: int, end: int) -> list[Span]:
    """The entities in the messages from `start` to `end`, counted from `start`."""
    return [
        span.model_copy(update={"message": span.message - start})
        for span in spans
        if start <= span.message < end
    ]
