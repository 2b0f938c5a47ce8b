"""Draws what stands around an example: the wording, the labels that are listed, demonstrations, negatives."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any, Protocol

import polars as pl

from zhiling.pipeline.step import Context
from zhiling.rows import target
from zhiling.rows.templates import Example, Listing, Names, Rendered, Setting, Unfit, Wording, render
from zhiling.rows.templates.phrases import Language
from zhiling.synthesis.labelled_sets import Labelled, LabelledSet, SetKey

ORDERS = 8
"""Orders of a set's labels that are drawn once; each row has one of them."""

NEGATABLE = frozenset({"classification", "ner", "relation", "qa"})
"""Tasks of which a row can be turned into one where nothing fits."""

_NEGATIVE, _ORDER, _OFFSET, _PASSAGE, _SHOT = 2, 3, 4, 5, 10  # draws
_SCATTER = 7919  # a prime: the fraction of draw · prime is as good as a draw of its own
_NONE = LabelledSet()


class Choices(Protocol):
    """What a recipe says about prompts."""

    @property
    def max_labels(self) -> int | None:
        """Labels to list at most."""
        ...

    @property
    def negatives(self) -> float:
        """Share of rows for which nothing fits."""
        ...

    @property
    def shots(self) -> int:
        """Demonstrations a row."""
        ...

    @property
    def shots_place(self) -> str:
        """Where they stand."""
        ...


class Prompting:
    """Renders rows of a batch. All draws derive from the row's id, so order and sharding change nothing."""

    def __init__(
        self,
        choices: Choices,
        context: Context,
        ids: pl.Series,
        sets: Mapping[SetKey, LabelledSet],
        wordings: Sequence[Wording],
        names: Mapping[Language, Names],
    ) -> None:
        self._choices, self._context, self._ids = choices, context, ids
        self._sets, self._wordings, self._names = sets, wordings, names
        self._uniforms: dict[int, list[float]] = {}
        self._orders: dict[SetKey, list[tuple[str, ...]]] = {}
        self._listings: dict[tuple[SetKey, Language, int], Listing] = {}
        self._fitting: dict[Any, list[Wording]] = {}
        self._memory: dict[tuple[str, str], Any] = {}

    def render(self, row: Labelled, language: Language, number: int, draw: float) -> tuple[Wording, Rendered]:
        """The row in the wording that is drawn, or in the next one that can tell it exactly.

        Args:
            row: the example.
            language: of the prompt.
            number: the row's place in the batch.
            draw: in [0, 1), chooses the wording.

        Raises:
            Unfit: no wording can.
        """
        fitting = self._fit(row, language)
        found = self._sets.get(row.key, _NONE)
        example, withheld = self._negative(row, found, number)
        shots = list(self._demonstrations(row, found, withheld, number))
        listing = self._listing(row, language, number, (withheld, shots))
        empty = found.empty or (self._choices.negatives > 0 and row.example.task in NEGATABLE)
        setting = Setting(
            listing, empty, found.bounds, [(shot.id, shot.example) for shot in shots],
            self._choices.shots_place == "inline", withheld, self._memory,
        )  # fmt: skip
        start = int(draw * len(fitting))
        reason: Unfit | None = None
        for wording in (*fitting[start:], *fitting[:start]):
            try:
                return wording, render(example, wording, setting)
            except Unfit as error:
                reason = error
        raise reason or self._no_wording(row, language)

    def _fit(self, row: Labelled, language: Language) -> list[Wording]:
        """Wordings for the row's task, shape, language and texts."""
        system = row.example.turns[0].role == "system" if row.example.turns else False
        key = row.key, language, row.fields, system
        found = self._fitting.get(key)
        if found is None:
            found = self._fitting[key] = [
                wording
                for wording in self._wordings
                if wording.task == row.example.task
                and wording.shape == row.example.shape
                and wording.language == language
                and wording.covers(row.fields)
                and not (system and wording.system is not None)
                and self._defined(wording, row.key)
            ]
        return found

    def _defined(self, wording: Wording, key: SetKey) -> bool:
        if "definitions" not in wording.required:
            return True
        definitions = self._names[wording.language].definitions
        labels = self._sets.get(key, _NONE).labels
        return bool(labels) and all(label in definitions for label in labels)

    def _no_wording(self, row: Labelled, language: Language) -> Unfit:
        return Unfit(
            "no_wording",
            f"no chosen wording in {language!r} for task {row.example.task!r}, shape {row.example.shape!r}"
            f" and the texts {', '.join(sorted(row.fields)) or 'none'}",
        )

    def _draw(self, number: int, draw: int) -> float:
        values = self._uniforms.get(draw)
        if values is None:
            values = self._uniforms[draw] = self._context.uniform(self._ids, draw).tolist()
        return values[number]

    # ---- nothing fits ----

    def _negative(self, row: Labelled, found: LabelledSet, number: int) -> tuple[Example, Sequence[str]]:
        """The example, or one in which nothing fits, and what was right before."""
        example = row.example
        share = self._choices.negatives
        if not share or example.task not in NEGATABLE or self._draw(number, _NEGATIVE) >= share:
            return example, ()
        truth = example.truth
        if isinstance(truth, target.Answers):
            return self._other_passage(row, truth, found, number)
        names = list(dict.fromkeys(row.names))
        if not names or len(names) >= len(found.labels):
            return example, ()
        if isinstance(truth, target.Labels):
            return replace(example, truth=target.Labels(labels=[], multi=truth.multi)), names
        if isinstance(truth, target.Entities):
            return replace(example, truth=target.Entities(spans=[])), names
        if isinstance(truth, target.Relations):
            return replace(example, truth=target.Relations(relations=[])), names
        return example, ()

    def _other_passage(
        self, row: Labelled, truth: target.Answers, found: LabelledSet, number: int
    ) -> tuple[Example, Sequence[str]]:
        """The question with the passage of another group that holds none of its answers."""
        turns = list(row.example.turns)
        at = next((index for index, turn in enumerate(turns) if turn.name == target.CONTEXT), None)
        pool = found.passages
        if at is None or not truth.answers or not pool:
            return row.example, ()
        start = int(self._draw(number, _PASSAGE) * len(pool))
        answers = [answer.text.casefold() for answer in truth.answers]
        for group, passage in (*pool[start:], *pool[:start]):
            folded = passage.casefold()
            if (
                group != row.group
                and passage != turns[at].text
                and not any(each in folded for each in answers)
            ):
                turns[at] = turns[at]._replace(text=passage)
                asked = [turn for turn in turns if turn.role != "assistant"]
                example = Example(row.example.task, asked, target.Answers(answers=[]))
                return example, [answer.text for answer in truth.answers]
        return row.example, ()

    # ---- demonstrations ----

    def _demonstrations(
        self, row: Labelled, found: LabelledSet, withheld: Sequence[str], number: int
    ) -> Iterator[Labelled]:
        """Rows of other groups, balanced over labels: each label once before any comes twice."""
        missing = self._choices.shots
        if not missing or not found.strata:
            return
        start = int(self._draw(number, _SHOT) * len(found.strata))
        turn = int(self._draw(number, _SHOT + 1) * 2**20)
        barred, groups = frozenset(withheld), {row.group}
        while missing:
            before = missing
            for rows in (*found.strata[start:], *found.strata[:start]):
                shot = _usable(rows, turn, row.fields, barred, groups)
                if shot is not None:
                    groups.add(shot.group)
                    missing -= 1
                    yield shot
                if not missing:
                    return
            if missing == before:  # a whole lap without one: there are no more
                return

    # ---- labels ----

    def _listing(
        self, row: Labelled, language: Language, number: int, told: tuple[Sequence[str], Sequence[Labelled]]
    ) -> Listing:
        """All labels of the set in one of a few orders, or a part of them with the right ones in it."""
        withheld, shots = told
        order = int(self._draw(number, _ORDER) * ORDERS)
        most = self._choices.max_labels
        labels = self._order(row.key, order)
        if not withheld and (most is None or len(labels) <= most):
            key = row.key, language, order
            listing = self._listings.get(key)
            if listing is None:
                listing = self._listings[key] = Listing(labels, self._names[language])
            return listing
        wanted: dict[str, None] = dict.fromkeys(name for shot in shots for name in shot.names)
        if not withheld:
            wanted |= dict.fromkeys(row.names)
        left = self._some(labels, frozenset(withheld), tuple(wanted), number)
        return Listing(left, self._names[language])

    def _some(
        self, labels: Sequence[str], barred: frozenset[str], wanted: Sequence[str], number: int
    ) -> tuple[str, ...]:
        """As many labels as may be listed, from a place on that is drawn; the wanted ones at drawn places."""
        most = self._choices.max_labels or len(labels)
        draw = self._draw(number, _OFFSET)
        start = int(draw * len(labels))
        turned = (labels[(start + place) % len(labels)] for place in range(len(labels)))
        others = (label for label in turned if label not in barred and label not in wanted)
        listed = list(islice(others, max(0, most - len(wanted))))
        for place, label in enumerate(wanted):
            listed.insert(int((draw * (_SCATTER + place)) % 1 * (len(listed) + 1)), label)
        return tuple(listed)

    def _order(self, key: SetKey, order: int) -> tuple[str, ...]:
        orders = self._orders.get(key)
        if orders is None:
            labels: list[str] = self._sets.get(key, _NONE).labels
            generator = self._context.generator(_ORDER)
            orders = self._orders[key] = [
                tuple(labels[int(place)] for place in generator.permutation(len(labels)).tolist())
                for _ in range(ORDERS)
            ]
        return orders[order]


def _usable(
    rows: Sequence[Labelled], turn: int, fields: frozenset[str], barred: frozenset[str], groups: set[str]
) -> Labelled | None:
    """The first row, from a drawn one on, with these texts, without barred labels and of no group in use."""
    for place in range(len(rows)):
        shot = rows[(turn + place) % len(rows)]
        if shot.fields == fields and shot.group not in groups and barred.isdisjoint(shot.names):
            return shot
    return None
