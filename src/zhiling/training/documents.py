"""Neighbouring rows of a group read together: one input with the messages of all, answered row by row.

So a sentence is read beside others of its document, in training, in evaluation and in prediction alike.

Source: Schweter and Akbik 2020, FLERT: Document-Level Features for Named Entity Recognition, section 2.1.
Deviation: each row is encoded once, in the piece of its document that it stands in, and not again as the
context of each neighbour.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from zhiling.errors import UsageError
from zhiling.rows.target import Entities, Span, spelled
from zhiling.training.examples import Answer, Evaluate, Examples
from zhiling.training.inputs import Input
from zhiling.training.tasks.targets import must_read


@dataclass(frozen=True)
class Documents:
    """Examples, and the pieces of documents that are read at once."""

    rows: Examples
    members: tuple[tuple[int, ...], ...]
    """The places of each piece's rows among the examples, in their order there."""

    @classmethod
    def of(cls, rows: Examples, size: int) -> Documents:
        """Each group in pieces of about one size; a row without a group is a piece of its own.

        A row that occurs twice (a mixture may want that) stands in two copies of its document.

        Args:
            rows: examples, those of a group in their order.
            size: the most rows that are read together, at least 1.
        """
        found: dict[tuple[str | None, str | int], list[int]] = {}
        seen: Counter[str] = Counter()
        for place, (row, group) in enumerate(zip(rows.ids, rows.groups, strict=True)):
            key = (None, place) if group is None else (group, seen[row])
            seen[row] += 1
            found.setdefault(key, []).append(place)
        return cls(rows, tuple(piece for places in found.values() for piece in _pieces(places, size)))

    @classmethod
    def to_learn_from(cls, rows: Examples, size: int) -> Documents:
        """The documents of training examples.

        Raises:
            UsageError: no row has a group, so that each would be read alone.
        """
        if len(rows) and not any(rows.groups):
            raise UsageError(
                f"context: {size} reads rows of a group together, and none of {len(rows)} rows has a group",
                hint="Set `group` in the source (CoNLL columns: group: document), or context: 1.",
            )
        return cls.of(rows, size)

    @cached_property
    def inputs(self) -> tuple[Input, ...]:
        """The messages of each piece."""
        return tuple(tuple(turn for row in rows for turn in self.rows.inputs[row]) for rows in self.members)

    @property
    def examples(self) -> Examples:
        """The pieces as examples; targets are `Entities` that tell no tokens."""
        first = [rows[0] for rows in self.members]
        return Examples(
            tuple(self.rows.ids[row] for row in first),
            self.inputs,
            tuple(map(self._target, self.members)),
            tuple(self.rows.languages[row] for row in first),
        )

    def _target(self, rows: Sequence[int]) -> str:
        """The entities of all rows of a piece."""
        spans = [
            span
            for row, offset in self._offsets(rows)
            for span in _moved(must_read(self.rows.targets[row], Entities).spans, offset)
        ]
        return spelled(Entities(spans=spans))

    def _offsets(self, rows: Sequence[int]) -> Iterator[tuple[int, int]]:
        """Each row of a piece with how many messages stand before its own."""
        before = 0
        for row in rows:
            yield row, before
            before += len(self.rows.inputs[row])

    def by_row(self, answers: Sequence[Answer]) -> list[Answer]:
        """The answers about pieces, told row by row in the order of the examples."""
        found: dict[int, Answer] = {}
        for rows, answer in zip(self.members, answers, strict=True):
            spans = must_read(answer.text, Entities).spans
            for row, offset in self._offsets(rows):
                end = offset + len(self.rows.inputs[row])
                sure = min(answer.by_message[offset:end], default=answer.score)
                found[row] = Answer(spelled(Entities(spans=_within(spans, offset, end))), sure)
        return [found[row] for row in range(len(self.rows))]

    def scored_by_row(self, evaluate: Evaluate) -> Evaluate:
        """(truths, answers) of these pieces → the score of their rows."""

        def score(_: Sequence[str], answers: Sequence[str]) -> float:
            told = self.by_row([Answer(text, 0.0) for text in answers])
            return evaluate(self.rows.targets, [answer.text for answer in told])

        return score


@dataclass(frozen=True)
class Messages:
    """What a user gives as documents of several messages, in the pieces that are read at once."""

    inputs: tuple[Input, ...]
    """The pieces of all documents."""
    counts: tuple[int, ...]
    """How many pieces each document has."""

    @classmethod
    def of(cls, documents: Sequence[Input], size: int) -> Messages:
        """Each document in pieces of at most `size` messages."""
        pieces = [
            [tuple(turns[place] for place in piece) for piece in _pieces(range(len(turns)), size)]
            for turns in documents
        ]
        return cls(tuple(turns for each in pieces for turns in each), tuple(map(len, pieces)))

    def whole(self, answers: Sequence[Answer]) -> list[Answer]:
        """The answers about pieces as answers about documents: as sure as the least sure piece."""
        told = iter(zip(self.inputs, answers, strict=True))
        return [_joined([next(told) for _ in range(count)]) for count in self.counts]


def _joined(pieces: Sequence[tuple[Input, Answer]]) -> Answer:
    """The answer about a document, from those about its pieces."""
    spans: list[Span] = []
    sure: list[float] = []
    before = 0
    for turns, answer in pieces:
        spans += _moved(must_read(answer.text, Entities).spans, before)
        sure += answer.by_message
        before += len(turns)
    score = min(answer.score for _, answer in pieces)
    return Answer(spelled(Entities(spans=spans)), score, by_message=tuple(sure))


def _pieces(places: Sequence[int], size: int) -> list[tuple[int, ...]]:
    """The places in as few runs of at most `size` as there can be; their lengths differ by 1 at most."""
    count = max(1, -(-len(places) // size))
    ends = [len(places) * number // count for number in range(count + 1)]
    return [tuple(places[start:end]) for start, end in pairwise(ends)]


def _moved(spans: Sequence[Span], by: int) -> list[Span]:
    """The entities with that many more messages before theirs."""
    return [span.model_copy(update={"message": span.message + by}) for span in spans]


def _within(spans: Sequence[Span], start: int, end: int) -> list[Span]:
    """The entities in the messages from `start` to `end`, counted from `start`."""
    return _moved([span for span in spans if start <= span.message < end], -start)
