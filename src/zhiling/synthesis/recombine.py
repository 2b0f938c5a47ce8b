"""Recombine: slots inside real sentences get the words of another slot of the same type."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import polars as pl
from pydantic import Field

from zhiling.pipeline.step import Context, Made, Make
from zhiling.rows.conversation import flatten
from zhiling.rows.templates import Unfit
from zhiling.synthesis.labelled_sets import Labelled, Rows
from zhiling.synthesis.made_rows import MadeRow, frame
from zhiling.synthesis.slots import Slot, Values, read_values, slots_of, spelling, swapped
from zhiling.text.jaccard import similar_pairs
from zhiling.text.normalise import normalise
from zhiling.text.shingles import shingles

_TRIES = 3  # sentences that are tried for each that is asked for: some are too near to a real one
_CHOICE, _DONOR = 0, 1  # draws
_SHARE = 0.5  # of the slots of a sentence that are swapped, one at least

_Key = tuple[str, str, str, object]
"""What a pool belongs to: task, source, type, group."""


class Recombine(Make):
    """Writes labelled sentences anew with other words in their slots; places move, labels stay true.

    Slots are the entities of `ner` rows, the ends of the facts of `relation` rows, and in `classification`
    rows the values that the file `values` lists by type. A slot gets the words of another slot of the
    same set and type that are spelled alike (script, figures, capitals), of the row's own group where it has
    one. An end of a fact only gets words that are the same end of the same relation elsewhere. A sentence
    that nearly equals a real one, or one made before, is not made.
    """

    name = "recombine"
    about = ("classification", "ner", "relation")
    scope = "table"
    cost: ClassVar[str] = (
        "cheap: about 0.2 ms a sentence that is tried, and 50 bytes a word for the comparison"
    )
    limits: ClassVar[str] = (
        "The words around a slot stay as they are: gender, plural, articles and classifiers may not fit, and "
        "a swapped fact is true of its sentence, not of the world. Nested entities, facts without places and "
        "names that stand in a sentence twice are not swapped. Tokens and tags of a row are left out. The "
        "words come from other rows of the set: take the recipe's test part from a source of its own where "
        "no word of it may be seen in training."
    )
    source: ClassVar[str] = (
        "Dai and Adel 2020, An Analysis of Simple Data Augmentation for NER (mention replacement)"
    )

    per_input: int = Field(default=1, ge=1, le=100, description="new sentences a row at most")
    values: str | None = Field(
        default=None, description="YAML: type → list of values, for the slots of classified texts"
    )
    jaccard: float = Field(
        default=0.8, ge=0.3, le=1, description="similarity to a real or made sentence from which none is made"
    )

    def reads(self) -> tuple[str, ...]:
        """The examples, and what tells which may lend each other words."""
        return ("messages", "target", "task", "language", "source", "group")

    def files(self) -> tuple[str, ...]:
        """The values."""
        return () if self.values is None else (self.values,)

    def applies(self, rows: pl.DataFrame) -> pl.Series:
        """Labelled rows of texts alone that no template has written yet."""
        tasks = ["ner", "relation", *(() if self.values is None else ("classification",))]
        lines = flatten(rows["messages"])
        media = pl.col("media").list.len().fill_null(0) > 0
        busy = lines.filter(media | pl.col("tool_calls").is_not_null())["row"].unique().implode()
        templated = pl.col("target").str.contains('"template":', literal=True)
        return (
            rows.with_row_index("row")
            .select(
                pl.col("task").is_in(tasks).fill_null(value=False)
                & pl.col("target").is_not_null()
                & ~templated.fill_null(value=False)
                & ~pl.col("row").is_in(busy)
            )
            .to_series()
        )

    def make(self, rows: pl.DataFrame, context: Context) -> Made:
        """At most `per_input` sentences a row."""
        values = None if self.values is None else read_values(context.root / self.values)
        sentences = [
            _Sentence(row, group, values)
            for row, group in zip(Rows(rows), rows["group"].to_list(), strict=True)
            if not isinstance(row, Unfit)
        ]
        pools = _pools(sentences, values)
        tried = [made for each in self._drawn(sentences, context) for made in each.with_others(pools)]
        return Made(frame(self._distinct(sentences, tried)))

    def _drawn(self, sentences: Sequence[_Sentence], context: Context) -> Iterator[_Draw]:
        """Each sentence as often as it is tried, with the draws of its slots."""
        for sentence in sentences:
            if not sentence.slots:
                continue
            times = self.per_input * _TRIES
            keys = [
                f"{sentence.row.id}\0{n}\0{slot}" for n in range(times) for slot in range(len(sentence.slots))
            ]
            drawn = [context.uniform(pl.Series(keys, dtype=pl.String), draw) for draw in (_CHOICE, _DONOR)]
            choice, donor = (each.reshape(times, -1).tolist() for each in drawn)
            yield from (_Draw(sentence, n, choice[n], donor[n]) for n in range(times))

    def _distinct(self, sentences: Sequence[_Sentence], tried: Sequence[MadeRow]) -> list[MadeRow]:
        """The rows that are near to no real sentence and to none before them, not too many of one parent."""
        real = len(sentences)
        texts = [*(each.text for each in sentences), *(_text(row) for row in tried)]
        sets = shingles(normalise(pl.Series(texts, dtype=pl.String)))
        pairs = similar_pairs(sets, self.jaccard)
        near: defaultdict[int, list[int]] = defaultdict(list)
        for left, right in zip(pairs.left.tolist(), pairs.right.tolist(), strict=True):
            near[right].append(left)
        again = set(pairs.right[pairs.jaccard >= 1].tolist())  # told of its first copy only
        taken: set[int] = set()
        count: Counter[str] = Counter()
        for number, row in enumerate(tried, real):
            rival = number in again or any(other < real or other in taken for other in near[number])
            if not rival and count[row.parents[0]] < self.per_input:
                taken.add(number)
                count[row.parents[0]] += 1
        return [tried[number - real] for number in sorted(taken)]


class _Sentence:
    """A labelled row with its slots; `group` is null where the row has none."""

    def __init__(self, row: Labelled, group: str | None, values: Values | None) -> None:
        self.row, self.group = row, group
        truth = row.example.truth
        self.slots = [] if truth is None else slots_of(row.example.turns, truth, values)

    @cached_property
    def text(self) -> str:
        """All of its messages."""
        return "\n".join(turn.text for turn in self.row.example.turns)

    def words(self, slot: Slot) -> str:
        """What stands in a slot."""
        return self.row.example.turns[slot.message].text[slot.start : slot.end]

    def key(self, slot: Slot) -> _Key:
        """The pool of a slot."""
        return self.row.example.task, self.row.source, slot.type, self.group


_Pools = Mapping[_Key, Mapping[tuple[bool, ...], Sequence[str]]]


def _pools(sentences: Sequence[_Sentence], values: Values | None) -> _Pools:
    """The words of each pool by their spelling, sorted."""
    found: defaultdict[_Key, set[str]] = defaultdict(set)
    for sentence in sentences:
        for slot in sentence.slots:
            found[sentence.key(slot)].add(sentence.words(slot))
            if values is not None and sentence.row.example.task == "classification":
                found[sentence.key(slot)].update(values.of_type[slot.type])
    pools: dict[_Key, dict[tuple[bool, ...], list[str]]] = {}
    for key, words in found.items():
        alike: defaultdict[tuple[bool, ...], list[str]] = defaultdict(list)
        for each in sorted(words):
            alike[spelling(each)].append(each)
        pools[key] = dict(alike)
    return pools


@dataclass(frozen=True)
class _Draw:
    """One try at a sentence: a draw for each slot whether it is swapped, and for what."""

    sentence: _Sentence
    number: int
    choice: Sequence[float]
    donor: Sequence[float]

    def with_others(self, pools: _Pools) -> Iterator[MadeRow]:
        """The sentence with other words, where there are any."""
        sentence = self.sentence
        swaps: dict[Slot, str] = {}
        for place, slot in sorted(enumerate(sentence.slots), key=lambda each: self.choice[each[0]]):
            if swaps and self.choice[place] >= _SHARE:
                break
            words = sentence.words(slot)
            other = _other(words, pools[sentence.key(slot)].get(spelling(words), ()), self.donor[place])
            if other is not None:
                swaps[slot] = other
        example = sentence.row.example
        if swaps and example.truth is not None:
            turns, truth = swapped(example.turns, example.truth, swaps)
            told = {sentence.words(slot): words for slot, words in swaps.items()}
            yield MadeRow(example.task, turns, truth, [sentence.row.id], self.number, {"swapped": told})


def _other(words: str, alike: Sequence[str], draw: float) -> str | None:
    """The words that are drawn, or the next ones that differ by more than case."""
    start = int(draw * len(alike))
    around = (alike[(start + step) % len(alike)] for step in range(len(alike)))
    return next((each for each in around if each.casefold() != words.casefold()), None)


def _text(row: MadeRow) -> str:
    return "\n".join(turn.text for turn in row.turns)
