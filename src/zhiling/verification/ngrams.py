"""How much of a summary its source holds: shares of content words (English) and characters (Chinese).

    support("The train leaves at nine.", "Trains leave early.")  # 2 of 3 words: early is not there
    support("火车九点开出。", "火车很早开出。")  # 4 of 5 characters

Source: extractive coverage, Grusky et al. 2018, Newsroom.
Deviation: what counts are distinct content words in their stems, so that another tense costs nothing.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from zhiling.text.characters import UNSPACED_RANGES

_TOKEN = re.compile(rf"[{UNSPACED_RANGES}]|[^\W_{UNSPACED_RANGES}]+")
_UNSPACED = re.compile(rf"[{UNSPACED_RANGES}]")
_ENDINGS = ("ing", "ied", "ies", "ed", "es", "ly", "er", "s", "e")
_LEAST_STEM = 3


@dataclass(frozen=True)
class Support:
    """What a source holds of a summary, in distinct content n-grams.

    Attributes:
        words: n-grams of words that the summary has.
        characters: n-grams of characters of scripts without spaces that it has.
        held_words: how many of the words the source holds.
        held_characters: how many of the characters.
        missing: what the source does not hold, in the order of the summary.
    """

    words: int
    characters: int
    held_words: int
    held_characters: int
    missing: tuple[str, ...]

    @property
    def count(self) -> int:
        """N-grams of both kinds."""
        return self.words + self.characters

    @property
    def share(self) -> float:
        """Of all n-grams those that the source holds, 0 to 1; 1 where the summary has none."""
        return (self.held_words + self.held_characters) / self.count if self.count else 1.0

    def least(self, words: float, characters: float) -> float:
        """The share that is demanded, where so much of the words and so much of the characters is."""
        return (words * self.words + characters * self.characters) / self.count if self.count else 0.0


def support(source: str, summary: str, size: int = 1) -> Support:
    """What a source holds of a summary.

    Args:
        source: the text that was summed up.
        summary: of it, in the same language.
        size: tokens of the longest n-grams; none spans a function word or a mark.
    """
    known, said = _grams(source, size), _grams(summary, size)
    unspaced = {gram for gram in said if _UNSPACED.match(gram[0])}
    missing = [gram for gram in said if gram not in known]
    held = len(unspaced) - sum(gram in unspaced for gram in missing)
    return Support(
        words=len(said) - len(unspaced),
        characters=len(unspaced),
        held_words=len(said) - len(missing) - held,
        held_characters=held,
        missing=tuple(said[gram] for gram in missing),
    )


def _grams(text: str, size: int) -> dict[tuple[str, ...], str]:
    """Distinct n-grams of stems, in order, with the words as they first stand there."""
    found: dict[tuple[str, ...], str] = {}
    run: list[tuple[str, str]] = []
    end = 0
    folded = unicodedata.normalize("NFKC", text)
    for match in _TOKEN.finditer(folded):
        word = match[0].casefold()
        if word in _function_words():
            run = []
            continue
        if folded[end : match.start()].strip():
            run = []
        end = match.end()
        run = [*run, (_stem(word), match[0])][-size:]
        for length in range(1, len(run) + 1):
            stems, words = zip(*run[-length:], strict=True)
            found.setdefault(stems, ("" if _UNSPACED.match(stems[0]) else " ").join(words))
    return found


def _stem(word: str) -> str:
    """An English word without a regular ending: makes, making → mak; running → run; cities → cit."""
    if not (word.isascii() and word.isalpha() and len(word) > _LEAST_STEM):
        return word
    ending = next((each for each in _ENDINGS if word.endswith(each)), "")
    stem = word[: len(word) - len(ending)] if len(word) - len(ending) >= _LEAST_STEM else word
    if len(stem) > _LEAST_STEM and stem[-1] == stem[-2]:
        stem = stem[:-1]
    return stem[:-1] if stem[-1] in "iy" and len(stem) > _LEAST_STEM else stem


@cache
def _function_words() -> frozenset[str]:
    table = tomllib.loads((files("zhiling.verification") / "function_words.toml").read_text(encoding="utf-8"))
    return frozenset(word for words in table.values() for word in words)
