"""The share of rows that are right."""

from __future__ import annotations

from typing import ClassVar

from zhiling.evaluation.metrics.row_mean import RowMean


class Accuracy(RowMean):
    """Right rows divided by all rows. Anchor: 3 of 4 right gives .75."""

    name: ClassVar[str] = "accuracy"

    @classmethod
    def of_row(cls, truth: str, answer: str) -> float:
        """1 where the answer is the truth."""
        return float(truth == answer)
