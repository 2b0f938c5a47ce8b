"""Answers to questions: equal to a right one, or sharing its words."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable
from functools import lru_cache
from typing import ClassVar

import orjson

from zhiling.evaluation.metrics.row_mean import RowMean
from zhiling.text.spacing import is_spaceless

_ARTICLES = re.compile(r"\b(a|an|the)\b")


@lru_cache(maxsize=200_000)
def words_of(answer: str) -> tuple[str, ...]:
    """Words without case, articles and punctuation; Chinese and kana by character."""
    folded = unicodedata.normalize("NFKC", answer).casefold()
    kept = "".join(" " if unicodedata.category(letter)[0] in "PSZC" else letter for letter in folded)
    spaced = "".join(f" {letter} " if is_spaceless(letter) else letter for letter in kept)
    return tuple(_ARTICLES.sub(" ", spaced).split())


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


def _equal(right: str, told: str) -> float:
    return float(words_of(right) == words_of(told))


def _shared(right: str, told: str) -> float:
    ours, theirs = Counter(words_of(right)), Counter(words_of(told))
    shared = (ours & theirs).total()
    return 2 * shared / (ours.total() + theirs.total()) if shared else float(ours == theirs)


class ExactMatch(RowMean):
    """The share of answers that equal a right one, without case, articles and punctuation.

    Anchor: "The Thames" for "thames" is right, "River Thames" is not.

    Source: Rajpurkar et al. 2016, SQuAD, section 6.1.
    """

    name: ClassVar[str] = "exact_match"

    @classmethod
    def of_row(cls, truth: str, answer: str) -> float:
        """1 where the first answer equals a right one."""
        return _nearest(truth, answer, _equal)


class AnswerF1(RowMean):
    """The mean F1 of the words that an answer shares with the nearest right one; Chinese by character.

    Anchor: "river thames" for "thames" has precision 1/2 and recall 1: 2/3.

    Source: Rajpurkar et al. 2016, SQuAD, section 6.1.
    """

    name: ClassVar[str] = "answer_f1"

    @classmethod
    def of_row(cls, truth: str, answer: str) -> float:
        """F1 of the shared words."""
        return _nearest(truth, answer, _shared)
