"""A few labelled sentences and many utterances: what steps that give utterances labels have in common."""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
import polars as pl
from pydantic import Field

from zhiling.encoders.semi_supervised.seeds import Numbers, Seeds, Vectors
from zhiling.errors import UsageError
from zhiling.pipeline.step import Context, Made, Make
from zhiling.rows import target
from zhiling.rows.templates import Turn
from zhiling.synthesis.label_confidence import Believed
from zhiling.synthesis.made_rows import MadeRow, frame
from zhiling.synthesis.sentences import Seed, alone, seeds_of, utterances_of

_DIGITS = 4

Labels = tuple[str, ...]
"""All labels of a sentence together, sorted: one class."""


@dataclass(frozen=True)
class FewSentences:
    """Labelled sentences, and the utterances that say something else.

    Attributes:
        seeds: by id; of equal sentences with equal labels the first: a copy would tell the label of one that
            is held out.
        said: each text of an utterance, in order, and the ids of those that say it.
    """

    seeds: Sequence[Seed]
    said: Mapping[str, Sequence[str]]

    @classmethod
    def of(cls, rows: pl.DataFrame, step_id: str) -> Self:
        """The sentences among rows.

        Raises:
            UsageError: no label could be given, or not told how surely: there is no label, one, none with two
                sentences, or no utterance.
        """
        first = {(seed.text, labels_of(seed)): seed for seed in reversed(seeds_of(rows))}
        seeds = sorted(first.values(), key=lambda seed: seed.id)
        _check(seeds, rows, step_id)
        known = {seed.text for seed in seeds}
        return cls(seeds, {text: ids for text, ids in utterances_of(rows).items() if text not in known})

    @cached_property
    def classes(self) -> list[Labels]:
        """The classes, sorted."""
        return sorted({labels_of(seed) for seed in self.seeds})

    @property
    def numbers(self) -> Numbers:
        """The class of each labelled sentence, its place among the classes."""
        places = {labels: place for place, labels in enumerate(self.classes)}
        return np.array([places[labels_of(seed)] for seed in self.seeds])

    def texts(self, most: int, context: Context) -> list[str]:
        """The texts of utterances, in order; if there are more than `most`, so many drawn at random."""
        texts = list(self.said)
        if len(texts) <= most:
            return texts
        drawn = np.argsort(context.uniform(pl.Series(texts)), kind="stable")[:most]
        return [texts[place] for place in np.sort(drawn).tolist()]

    def labelled(
        self, texts: Sequence[str], found: Believed, least: float, per_label: int | None
    ) -> Iterator[MadeRow]:
        """A row for each text that is believed to be of a class, the surest first.

        Args:
            texts: of utterances.
            found: what each is taken for.
            least: the confidence from which on a label is given; 0 is none.
            per_label: rows of a class at most.
        """
        truths = self._truths()
        given: Counter[int] = Counter()
        order: list[int] = np.argsort(-found.confidence, kind="stable").tolist()
        for place in order:
            number, confidence = int(found.numbers[place]), float(found.confidence[place])
            if confidence < least or confidence == 0:
                return
            if given[number] == per_label:
                continue
            given[number] += 1
            text, extra = texts[place], {"confidence": round(confidence, _DIGITS)}
            truth = truths[self.classes[number]]
            yield MadeRow("classification", [Turn("user", text)], truth, self.said[text], extra=extra)

    def _truths(self) -> dict[Labels, target.Labels]:
        """Of each class the truth of its first sentence."""
        return {labels_of(seed): seed.truth for seed in reversed(self.seeds)}


class LabelsUtterances(Make):
    """A step that gives utterances the labels of a few sentences, each with how probable it is.

    What it is about, and how it comes to what it believes, the step says itself.
    """

    about = ("classification",)
    effect = "replaces"
    scope = "table"
    material = True

    confidence: float = Field(
        default=0.7, ge=0, le=1, description="probability of being right from which a label is given"
    )
    per_label: int | None = Field(
        default=None, ge=1, description="new rows a label at most, the surest; null: all"
    )
    sample: int = Field(
        default=50_000, ge=1, description="asked about so many texts at most, drawn at random; others pass by"
    )

    def reads(self) -> tuple[str, ...]:
        """Labelled sentences and utterances."""
        return ("messages", "target", "task", "source", "group")

    def uses_encoder(self) -> bool:
        """Its vectors are what is read."""
        return True

    def applies(self, rows: pl.DataFrame) -> pl.Series:
        """Labelled sentences that no template has written, and utterances."""
        return alone(rows)

    def make(self, rows: pl.DataFrame, context: Context) -> Made:
        """One row for each text whose label is probable enough."""
        known = FewSentences.of(rows, context.step_id)
        texts = known.texts(self.sample, context)
        if not texts:
            return Made(frame([]))
        vectors = self.vectors([*(seed.text for seed in known.seeds), *texts], context)
        count = len(known.seeds)
        seeds = Seeds(vectors[:count], known.numbers, len(known.classes))
        found = self.believed(seeds, vectors[count:], context)
        return Made(frame(list(known.labelled(texts, found, self.confidence, self.per_label))))

    def vectors(self, texts: Sequence[str], context: Context) -> Vectors:
        """What the texts are like by; the encoder's vectors, float32 (n, width)."""
        return context.encoder.encode(texts)

    @abstractmethod
    def believed(self, seeds: Seeds, vectors: Vectors, context: Context) -> Believed:
        """The class of each vector, and how probably it is right.

        Args:
            seeds: labelled vectors; at least one class has two.
            vectors: without a label, shape (m, width).
            context: of the step.
        """


def labels_of(seed: Seed) -> Labels:
    """All labels of a sentence together."""
    return tuple(sorted(seed.truth.labels))


def _check(seeds: Sequence[Seed], rows: pl.DataFrame, step_id: str) -> None:
    """Raises where no label can be given: there is none, one, none held out, or nothing that lacks one."""
    counts = Counter(map(labels_of, seeds))
    if not (rows["task"] == "utterance").any():
        raise UsageError(
            f"step {step_id!r} gives labels to utterances, but no row has task 'utterance'",
            hint="add a source of unlabelled texts",
        )
    if len(counts) < 2:
        known = f"only {list(next(iter(counts)))}" if counts else "none"
        raise UsageError(
            f"step {step_id!r} needs labelled sentences (task 'classification') of two labels at least; "
            f"among {rows.height} rows there is {known}",
            hint="label some sentences of each label; those that none fits count as one: labels []",
        )
    if max(counts.values()) == 1:
        raise UsageError(
            f"step {step_id!r} has one sentence for each of {len(counts)} labels: none can be held out "
            "to tell how often a label is right",
            hint="label a second sentence of each label; five are good",
        )
