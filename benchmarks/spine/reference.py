"""The definition of a near-duplicate in plain Python: what both sides are judged by."""

from __future__ import annotations

import json
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable
from itertools import combinations
from pathlib import Path

CHARACTERS = r"\u3005\u3007\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff"
# Symbols beyond the basic plane as one range: listed singly they make the pattern forty times slower.
SYMBOLS = r"\U0001f000-\U0001faff" + "".join(
    chr(point) for point in range(0x80, 0x10000) if unicodedata.category(chr(point)) in {"Sm", "Sc", "So"}
)
TOKEN = re.compile(rf"[{CHARACTERS}{SYMBOLS}]|[^\W_{CHARACTERS}]+")
SIZE = 5
COLUMNS = ("instruction", "input", "output")


def shingles(text: str) -> set[str]:
    """Distinct token 5-grams: words, characters of Chinese, emoji; a shorter text is one shingle."""
    tokens = TOKEN.findall(unicodedata.normalize("NFKC", text).lower())
    if not tokens:
        return set()
    return {" ".join(tokens[start : start + SIZE]) for start in range(max(len(tokens) - SIZE, 0) + 1)}


def texts(corpus: Path) -> tuple[list[str], list[str]]:
    """Text and language of each row of a corpus."""
    rows = [json.loads(line) for line in corpus.read_text(encoding="utf-8").splitlines()]
    return ["\n".join(row[name] for name in COLUMNS) for row in rows], [row["language"] for row in rows]


def jaccard(left: set[str], right: set[str]) -> float:
    """Size of the intersection over size of the union; 0 for two empty sets."""
    return len(left & right) / max(len(left | right), 1)


def similarities(rows: list[str], pairs: Iterable[tuple[int, int]]) -> list[float]:
    """Exact similarity of each pair of rows."""
    pairs = list(pairs)
    sets = {row: shingles(rows[row]) for row in {row for pair in pairs for row in pair}}
    return [jaccard(sets[left], sets[right]) for left, right in pairs]


def all_pairs(rows: list[str], threshold: float) -> list[tuple[int, int]]:
    """Every pair of rows at or above the threshold, by counting what any two rows share."""
    holders: defaultdict[str, list[int]] = defaultdict(list)
    sizes = [0] * len(rows)
    for number, text in enumerate(rows):
        found = shingles(text)
        sizes[number] = len(found)
        for shingle in found:
            holders[shingle].append(number)
    common: Counter[tuple[int, int]] = Counter()
    for numbers in holders.values():
        common.update(combinations(numbers, 2))
    return sorted(
        pair
        for pair, count in common.items()
        if count >= threshold * (sizes[pair[0]] + sizes[pair[1]] - count)
    )
