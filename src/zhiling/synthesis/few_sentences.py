"""A few labelled sentences and many utterances: what steps that give utterances labels have in common."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
import polars as pl

from zhiling.encoders.semi_supervised.seeds import Numbers
from zhiling.errors import UsageError
from zhiling.pipeline.step import Context
from zhiling.rows import target
from zhiling.rows.templates import Turn
from zhiling.synthesis.label_confidence import Believed
from zhiling.synthesis.made_rows import MadeRow
from zhiling.synthesis.sentences import Seed, seeds_of, utterances_of

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
