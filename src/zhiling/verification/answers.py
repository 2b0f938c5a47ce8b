"""How like two answers are: by their words, without case, articles and punctuation.

Source: Rajpurkar et al. 2016, SQuAD, section 6.1. Deviation: Chinese and kana by character.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from functools import lru_cache

from zhiling.text.spacing import is_spaceless

_ARTICLES = re.compile(r"\b(a|an|the)\b")


@lru_cache(maxsize=200_000)
def words_of(answer: str) -> tuple[str, ...]:
    """Words without case, articles and punctuation; Chinese and kana by character."""
    folded = unicodedata.normalize("NFKC", answer).casefold()
    kept = "".join(" " if unicodedata.category(letter)[0] in "PSZC" else letter for letter in folded)
    spaced = "".join(f" {letter} " if is_spaceless(letter) else letter for letter in kept)
    return tuple(_ARTICLES.sub(" ", spaced).split())


def equal_answers(right: str, told: str) -> float:
    """1 where two answers have the same words in the same order, else 0."""
    return float(words_of(right) == words_of(told))


def shared_words(right: str, told: str) -> float:
    """F1 of the words that two answers share: "river thames" for "thames" has 2/3."""
    ours, theirs = Counter(words_of(right)), Counter(words_of(told))
    shared = (ours & theirs).total()
    return 2 * shared / (ours.total() + theirs.total()) if shared else float(ours == theirs)
