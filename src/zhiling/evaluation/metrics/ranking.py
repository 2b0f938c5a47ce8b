"""How high a right answer stands among the ranked ones."""

from __future__ import annotations

from functools import lru_cache
from typing import ClassVar

from zhiling.evaluation.metrics.answers import texts_of
from zhiling.evaluation.metrics.row_mean import RowMean


@lru_cache(maxsize=200_000)
def rank(truth: str, answer: str) -> int | None:
    """The place, from 1, of the first right answer among those told; None where none of them is right.

    Both are `Answers` as JSON: the truth's are all right, the answer's are ranked, the best first.
    """
    right = set(texts_of(truth))
    return next((place for place, text in enumerate(texts_of(answer), 1) if text in right), None)


class Mrr(RowMean):
    """The mean reciprocal rank of the first right answer; 0 where no answer that is told is right.

    A model tells ten answers, so this is the MRR at 10. Anchor: ranks 1, 2 and none give (1 + 1/2 + 0) / 3 =
    1/2.

    Source: Voorhees 1999, The TREC-8 Question Answering Track Report, section 3.
    """

    name: ClassVar[str] = "mrr"

    @classmethod
    def of_row(cls, truth: str, answer: str) -> float:
        """1 over the rank."""
        found = rank(truth, answer)
        return 1 / found if found else 0.0


class _RecallAt(RowMean):
    at: ClassVar[int]

    @classmethod
    def of_row(cls, truth: str, answer: str) -> float:
        """1 where a right answer stands among the first ones."""
        found = rank(truth, answer)
        return float(found is not None and found <= cls.at)


class RecallAt1(_RecallAt):
    """The share of rows whose first answer is right. Anchor: ranks 1, 2 and none give 1/3."""

    name: ClassVar[str] = "recall_at_1"
    at: ClassVar[int] = 1


class RecallAt5(_RecallAt):
    """The share of rows with a right answer among the first five. Anchor: ranks 1, 6 and 5 give 2/3."""

    name: ClassVar[str] = "recall_at_5"
    at: ClassVar[int] = 5


class RecallAt10(_RecallAt):
    """The share of rows with a right answer among the first ten. Anchor: ranks 1, 10 and none give 2/3."""

    name: ClassVar[str] = "recall_at_10"
    at: ClassVar[int] = 10
