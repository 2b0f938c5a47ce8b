"""Label propagation: labels of a few sentences spread over utterances that are like them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar

import numpy as np
import polars as pl
from pydantic import Field

from zhiling.encoders.semi_supervised.seeds import Seeds
from zhiling.errors import UsageError
from zhiling.pipeline.step import Context, Made, Make
from zhiling.rows.templates import Turn
from zhiling.synthesis.label_confidence import believed
from zhiling.synthesis.made_rows import MadeRow, frame
from zhiling.synthesis.sentences import Seed, alone, seeds_of, utterances_of

_DIGITS = 4

Labels = tuple[str, ...]


class LabelPropagation(Make):
    """Gives utterances (task `utterance`) the labels of a few labelled sentences (task `classification`).

    Sentences and utterances are joined with their nearest ones by the encoder, and labels spread over this
    graph. How probable it is that a label is right is told by the labelled sentences themselves: they are
    held out in turns, and asked like an utterance. Where many more utterances are unsure than held-out
    sentences, the probability falls: these are of other labels than are known.

    An utterance whose label is probable enough becomes a labelled row, one for all copies of its text; the
    others pass by, as do those that say what a labelled sentence says. `extra` holds the `confidence`. All
    labels of a sentence together are one label here; sentences whose truth is that no label fits (`[]`)
    are a label like the others, and keep utterances like them away from the others.
    """

    name = "label_propagation"
    about = ("classification",)
    effect = "replaces"
    scope = "table"
    material = True
    cost: ClassVar[str] = (
        "an encoding a text, and texts² · dimension operations: 4 s of a core for 10,000 texts, 11 s for "
        "20,000; 0.6 GB of memory at most beside vectors and labels"
    )
    limits: ClassVar[str] = (
        "As good as the encoder: of labels that share a cluster of texts one may take the other's. What is "
        "sure is also what a model finds easy. The probability is an estimate from held-out sentences: with "
        "fewer than some fifty of them it is rough; where most utterances are of unknown labels it is too "
        "high. A label with one sentence is never held out: its rows count as sure as those of others are. "
        "Labels may not mix sets: give one set of labels by `from`."
    )
    source: ClassVar[str] = (
        "Zhou et al. 2004, Learning with Local and Global Consistency; Zadrozny and Elkan 2002 (isotonic "
        "calibration); Elkan and Noto 2008 (texts of unknown labels)"
    )

    confidence: float = Field(
        default=0.7, ge=0, le=1, description="probability of being right from which a label is given"
    )
    per_label: int | None = Field(
        default=None, ge=1, description="new rows a label at most, the surest; null: all"
    )
    sample: int = Field(
        default=50_000, ge=1, description="spread over so many texts at most, drawn at random; others pass by"
    )

    def reads(self) -> tuple[str, ...]:
        """Labelled sentences and utterances."""
        return ("messages", "target", "task", "source", "group")

    def uses_encoder(self) -> bool:
        """The vectors decide what is near."""
        return True

    def applies(self, rows: pl.DataFrame) -> pl.Series:
        """Labelled sentences that no template has written, and utterances."""
        return alone(rows)

    def make(self, rows: pl.DataFrame, context: Context) -> Made:
        """One row for each text whose label is probable enough."""
        seeds = _distinct(seeds_of(rows))
        self._check(seeds, rows, context.step_id)
        known = {seed.text for seed in seeds}
        said = {text: ids for text, ids in utterances_of(rows).items() if text not in known}
        texts = self._drawn(list(said), context)
        return Made(frame(list(self._labelled(seeds, texts, said, context)) if texts else []))

    def _check(self, seeds: Sequence[Seed], rows: pl.DataFrame, step_id: str) -> None:
        """Raises where labels cannot spread: none, one, none held out, or nothing to spread over."""
        counts = Counter(_labels(seed) for seed in seeds)
        if not (rows["task"] == "utterance").any():
            raise UsageError(
                f"step {step_id!r} spreads labels over utterances, but no row has task 'utterance'",
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

    def _drawn(self, texts: list[str], context: Context) -> list[str]:
        """Not too many texts, in their order."""
        if len(texts) <= self.sample:
            return texts
        drawn = np.argsort(context.uniform(pl.Series(texts)), kind="stable")[: self.sample]
        return [texts[place] for place in np.sort(drawn).tolist()]

    def _labelled(
        self,
        seeds: Sequence[Seed],
        texts: list[str],
        said: Mapping[str, Sequence[str]],
        context: Context,
    ) -> Iterator[MadeRow]:
        """The rows, the surest first."""
        truths = {_labels(seed): seed.truth for seed in reversed(seeds)}
        classes = sorted(truths)
        numbers = np.array([classes.index(_labels(seed)) for seed in seeds])
        vectors = context.encoder.encode([*(seed.text for seed in seeds), *texts])
        found = believed(Seeds(vectors[: len(seeds)], numbers, len(classes)), vectors[len(seeds) :])
        given: Counter[int] = Counter()
        order: list[int] = np.argsort(-found.confidence, kind="stable").tolist()
        for place in order:
            number, confidence = int(found.numbers[place]), float(found.confidence[place])
            if confidence < self.confidence or confidence == 0:
                return
            if given[number] == self.per_label:
                continue
            given[number] += 1
            text, truth = texts[place], truths[classes[number]]
            extra = {"confidence": round(confidence, _DIGITS)}
            yield MadeRow("classification", [Turn("user", text)], truth, said[text], extra=extra)


def _distinct(seeds: Sequence[Seed]) -> list[Seed]:
    """Of equal sentences with equal labels the first: a copy would tell the label of one that is held out."""
    first = {(seed.text, _labels(seed)): seed for seed in reversed(seeds)}
    return sorted(first.values(), key=lambda seed: seed.id)


def _labels(seed: Seed) -> Labels:
    """All labels of a sentence together."""
    return tuple(sorted(seed.truth.labels))
