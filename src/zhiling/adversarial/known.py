"""What a round knows: the anchors and the rows accepted before, as its classifiers read them."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from zhiling.adversarial.discriminators.match import Match, fit_match
from zhiling.adversarial.features import Features, features
from zhiling.pipeline.step import Context

Numbers = NDArray[np.int64]

_DRAW = 1


class Known:
    """Anchors, and accepted rows whose label an anchor has; both with `text` and `label`.

    Attributes:
        anchors: real rows.
        before: what was accepted in earlier rounds.
        labels: of the anchors, sorted; a label's number is its place among them.
    """

    def __init__(self, anchors: pl.DataFrame, before: pl.DataFrame, context: Context) -> None:
        self.anchors, self._context = anchors, context
        self.labels = anchors["label"].unique().sort()
        self.before = before.filter(pl.col("label").is_in(self.labels.implode()))

    def features(self, texts: pl.Series) -> Features:
        """Both views of the texts."""
        return features(texts.to_list(), self._context.encoder)

    def numbers(self, labels: pl.Series) -> Numbers:
        """The number of each label, which is one of the anchors'."""
        places = pl.int_range(len(self.labels), eager=True)
        return labels.replace_strict(self.labels, places, return_dtype=pl.Int64).to_numpy()

    def beside(self, more: pl.DataFrame) -> tuple[Features, Numbers]:
        """Features and labels of the anchors and, behind them, these rows."""
        rows = pl.concat([each.select("text", "label") for each in (self.anchors, more)])
        return self.features(rows["text"]), self.numbers(rows["label"])

    def match(self, more: pl.DataFrame) -> Match:
        """What fits, learnt from the anchors and these rows, calibrated on the anchors alone."""
        texts, labels = self.beside(more)
        real = np.arange(len(labels)) < self.anchors.height
        return fit_match(texts, labels, len(self.labels), self._context.generator(_DRAW), real)
