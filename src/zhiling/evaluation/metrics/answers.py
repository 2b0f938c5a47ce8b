"""Answers to questions: equal to a right one, or sharing its words."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import ClassVar

import orjson

from zhiling.evaluation.metrics.row_mean import RowMean
from zhiling.verification.answers import equal_answers, shared_words


@lru_cache(maxsize=200_000)
def texts_of(target: str) -> tuple[str, ...]:
    """The right answers in `Answers` as JSON; none where the passage does not answer."""
    return tuple(answer["text"] for answer in orjson.loads(target)["answers"])


def _nearest(truth: str, answer: str, likeness: Callable[[str, str], float]) -> float:
    """The likeness of the (first) answer to the nearest right one; 1 where rightly nothing is answered."""
    right, told = texts_of(truth), texts_of(answer)
    if not right or not told:
        return float(not right and not told)
    return max(likeness(each, told[0]) for each in right)


class ExactMatch(RowMean):
    """The share of answers that equal a right one, without case, articles and punctuation.

    Anchor: "The Thames" for "thames" is right, "River Thames" is not.

    Source: Rajpurkar et al. 2016, SQuAD, section 6.1.
    """

    name: ClassVar[str] = "exact_match"

    @classmethod
    def of_row(cls, truth: str, answer: str) -> float:
        """1 where the first answer equals a right one."""
        return _nearest(truth, answer, equal_answers)


class AnswerF1(RowMean):
    """The mean F1 of the words that an answer shares with the nearest right one; Chinese by character.

    Anchor: "river thames" for "thames" has precision 1/2 and recall 1: 2/3.

    Source: Rajpurkar et al. 2016, SQuAD, section 6.1.
    """

    name: ClassVar[str] = "answer_f1"

    @classmethod
    def of_row(cls, truth: str, answer: str) -> float:
        """F1 of the shared words."""
        return _nearest(truth, answer, shared_words)
