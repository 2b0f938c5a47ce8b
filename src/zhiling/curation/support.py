"""How far a document bears out a reply, in five parts: n-grams, longest run, numbers, names, content words.

Each part is a share from 0 to 1, and 1 where the reply has nothing of the kind: what is not said cannot be
wrong. Numbers are compared by value (`1,000` is `1000`, `３` is `3`, 三十 is 30); names are capitalised words
amid a sentence, words in Latin letters within Chinese, and quoted titles.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from zhiling.curation.token_tags import TOKEN
from zhiling.text.numerals import arabic_value, han_value
from zhiling.text.tokens import mix

PARTS = ("ngrams", "run", "numbers", "names", "words")
LONGEST_NGRAM = 3
_BASE = 0x9E3779B97F4A7C15
"""Odd, so that its powers never vanish modulo 2⁶⁴."""
_NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")
_HAN_NUMBER = re.compile(
    r"[零〇一二两三四五六七八九十百千万亿]{2,40}|[一二两三四五六七八九十](?=[个年月日天岁次元块人倍分小])"
)
_TITLE = re.compile(r"[《「『“\"]([^》」』”\"]{2,40})[》」』”\"]")
_CAPITAL = re.compile(r"(?<=[^\s.!?:。！？：] )[A-Z][\w'-]+")
_HAN = re.compile(r"[\u3400-\u9fff]")
_LATIN = re.compile(r"[A-Za-z][A-Za-z0-9-]+")


def support(document: str, question: str, reply: str) -> tuple[float, ...]:
    """The share of the reply that the document bears out, in the order of `PARTS`.

    Numbers and names may also come from the question: to repeat them claims nothing.
    """
    source, said = _tokens(document), _tokens(reply)
    known = f"{document}\n{question}"
    return (
        _ngrams(source, said),
        _run(source, said),
        _share(numbers(reply), numbers(known)),
        _names(reply, known),
        _share({word for word in said if len(word) > 3 or _HAN.match(word)}, set(source)),
    )


def numbers(text: str) -> set[str]:
    """Values of the numbers in a text, written in digits of any width or in Chinese characters."""
    folded = unicodedata.normalize("NFKC", text)
    plain = {arabic_value(found) for found in _NUMBER.findall(folded)}
    return plain | {str(han_value(found)) for found in _HAN_NUMBER.findall(folded)}


def _tokens(text: str) -> list[str]:
    folded = unicodedata.normalize("NFKC", text).casefold()
    return [found for found in TOKEN.findall(folded) if found[0].isalnum()]


def _ngrams(source: Sequence[str], said: Sequence[str]) -> float:
    """Mean precision of the reply's n-grams of 1 to `LONGEST_NGRAM` tokens."""
    sizes = range(1, min(LONGEST_NGRAM, len(said)) + 1)
    shares = [_share(_grams(said, size), _grams(source, size)) for size in sizes]
    return sum(shares) / len(shares) if shares else 1.0


def _grams(tokens: Sequence[str], size: int) -> set[str]:
    return {" ".join(tokens[start : start + size]) for start in range(len(tokens) - size + 1)}


def _run(source: Sequence[str], said: Sequence[str]) -> float:
    """The longest run of the reply's tokens that stands in the document, as a share of the reply.

    A run of n tokens holds one of n - 1, so its length is found by halving. Runs are compared by polynomial
    hashes modulo 2⁶⁴ over mixed token numbers (Karp and Rabin 1987), so a length costs n log n.
    """
    known: dict[str, int] = {}
    numbered = [known.setdefault(token, len(known)) for token in (*source, *said)]
    keys = mix(np.arange(1, len(known) + 1, dtype=np.uint64))[numbered]
    powers = np.cumprod(np.full(len(keys) + 1, _BASE, dtype=np.uint64), dtype=np.uint64)
    ours, theirs = (
        np.concatenate([[np.uint64(0)], np.cumsum(part * powers[: len(part)], dtype=np.uint64)])
        for part in (keys[: len(source)], keys[len(source) :])
    )
    low, high = 0, min(len(said), len(source))
    while low < high:
        middle = (low + high + 1) // 2
        found = np.isin(_windows(theirs, middle, powers), _windows(ours, middle, powers)).any()
        low, high = (middle, high) if found else (low, middle - 1)
    return low / len(said) if said else 1.0


def _windows(sums: NDArray[np.uint64], size: int, powers: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The hash of each run of `size` tokens, from the sums of the tokens before each place.

    A run that begins at place i holds powers from i on; a further factor makes all begin at one place.
    """
    runs = sums[size:] - sums[:-size]
    return runs * powers[len(powers) - 1 - np.arange(len(runs))]


def _names(reply: str, known: str) -> float:
    claimed = {match.strip().casefold() for match in [*_TITLE.findall(reply), *_CAPITAL.findall(reply)]}
    if _HAN.search(reply):
        claimed |= {match.casefold() for match in _LATIN.findall(reply)}
    if not claimed:
        return 1.0
    folded = known.casefold()
    return sum(name in folded for name in claimed) / len(claimed)


def _share(claimed: set[str], known: set[str]) -> float:
    return len(claimed & known) / len(claimed) if claimed else 1.0
