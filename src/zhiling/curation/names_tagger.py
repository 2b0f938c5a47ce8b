"""Finds names of people and postal addresses, English and Chinese, by a small linear model over a window.

The model (`names_tagger.npz`) is made by `tools/train_names_tagger.py` from name parts and sentences of our
own; reading it needs numpy alone.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import pairwise
from typing import Any, Literal
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

TAGS = ("O", "B-person", "I-person", "B-address", "I-address")
BUCKETS = 2**15
MODEL = "names_tagger.npz"
WORDS = "name_words.toml"
_TOKEN = re.compile(r"[A-Za-z\u00c0-\u024f]+(?:['’\-][A-Za-z\u00c0-\u024f]+)*\.?|\d+|[\u3400-\u9fff]|\S")
_ALLOWED = np.array(  # from the row's tag to the column's: I only behind B or I of its kind
    [[1, 1, 0, 1, 0], [1, 1, 1, 1, 0], [1, 1, 1, 1, 0], [1, 1, 0, 1, 1], [1, 1, 0, 1, 1]], dtype=bool
)
_BLOCK = 2000
"""Tokens that are decoded together."""
_EDGE = "\0"

TaggedKind = Literal["person", "address"]


@dataclass(frozen=True)
class Tagged:
    """One name or address: `text[start:end]`."""

    start: int
    end: int
    kind: TaggedKind


def tagged(text: str) -> list[Tagged]:
    """All names and addresses of a text, in order, none overlapping; none holds a bracket or underscore."""
    places = [match.span() for match in _TOKEN.finditer(text)]
    found: list[Tagged] = []
    for start in range(0, len(places), _BLOCK):
        block = places[start : start + _BLOCK]
        found += _spans(text, block, decode(scores(token_features(text, block))))
    return [each for each in found if not re.search(r"[\[\]_]", text[each.start : each.end])]


def token_features(text: str, places: Sequence[tuple[int, int]]) -> NDArray[np.int64]:
    """Buckets of the features of each token, (tokens, features)."""
    words = [text[start:end] for start, end in places]
    lower = [_EDGE, _EDGE, *(word.lower().rstrip(".") for word in words), _EDGE, _EDGE]
    shapes = [_EDGE, _EDGE, *map(_shape, words), _EDGE, _EDGE]
    listed = [_EDGE, _EDGE, *map(_listed, words), _EDGE, _EDGE]
    breaks = [_EDGE, *("\n" in text[a[1] : b[0]] for a, b in pairwise(places)), _EDGE]
    rows = [
        [crc32(feature.encode()) % BUCKETS for feature in _features(at + 2, lower, shapes, listed, breaks)]
        for at in range(len(words))
    ]
    return np.array(rows, dtype=np.int64).reshape(len(words), -1)


def scores(features: NDArray[np.int64]) -> NDArray[np.float32]:
    """How much each tag fits each token, float32 (tokens, 5)."""
    weights, bias = _model()
    return weights[features].sum(axis=1) + bias


def decode(fits: NDArray[np.float32]) -> NDArray[np.int64]:
    """The best sequence of tags in which each I follows a B or I of its kind (Viterbi)."""
    steps = np.where(_ALLOWED, 0.0, -np.inf)
    best = np.where([tag.startswith("I") for tag in TAGS], -np.inf, 0.0)
    came: list[NDArray[np.int64]] = []
    for at, fit in enumerate(fits):
        through = best[:, None] + (steps if at else 0.0)
        came.append(through.argmax(axis=0) if at else np.arange(len(TAGS)))
        best = (through.max(axis=0) if at else best) + fit
    tags = np.zeros(len(fits), dtype=np.int64)
    last = int(best.argmax())
    for at in range(len(fits) - 1, -1, -1):
        tags[at] = last
        last = int(came[at][last])
    return tags


def _spans(text: str, places: Sequence[tuple[int, int]], tags: NDArray[np.int64]) -> Iterator[Tagged]:
    start = None
    for at in range(len(tags) + 1):
        name = TAGS[int(tags[at])] if at < len(tags) else "O"
        if start is not None and not name.startswith("I"):
            kind: TaggedKind = "person" if "person" in TAGS[tags[start]] else "address"
            low, end = places[start][0], places[at - 1][1]
            yield Tagged(low, end - (text[end - 1] == "." and kind == "person"), kind)
            start = None
        if name.startswith("B"):
            start = at


def _features(
    at: int, lower: Sequence[str], shapes: Sequence[str], listed: Sequence[str], breaks: Sequence[Any]
) -> list[str]:
    word, shape = lower[at], shapes[at]
    around = range(at - 2, at + 3)
    return [
        *(f"w{i - at}={lower[i]}" for i in around),
        *(f"s{i - at}={shapes[i]}" for i in around),
        *(f"l{i - at}={listed[i]}" for i in around),
        f"w-10={lower[at - 1]} {word}",
        f"w01={word} {lower[at + 1]}",
        f"w-2-1={lower[at - 2]} {lower[at - 1]}",
        f"w12={lower[at + 1]} {lower[at + 2]}",
        f"w-101={lower[at - 1]} {word} {lower[at + 1]}",
        f"s={shapes[at - 1]} {shape} {shapes[at + 1]}",
        f"ss={' '.join(shapes[i] for i in around)}",
        f"ls={listed[at - 1]} {listed[at]} {listed[at + 1]}",
        f"ll={listed[at - 2]} {listed[at - 1]} {listed[at]}",
        f"ws={lower[at - 1]} {shape} {listed[at]}",
        f"sw={shape} {listed[at]} {lower[at + 1]}",
        f"lw={lower[at - 2]} {lower[at - 1]} {listed[at]}",
        f"p={word[:3]}",
        f"e={word[-2:]}",
        f"e3={word[-3:]} {shape}",
        f"b={breaks[at - 2]} {breaks[at - 1]} {shape} {listed[at]}",
    ]


def _shape(word: str) -> str:
    if word.isdigit():
        return f"9{min(len(word), 6)}"
    if "\u3400" <= word[0] <= "\u9fff":
        return "字"
    if not word[0].isalpha():
        return word[0]
    dotted = "." if word.endswith(".") else ""
    letters = word.rstrip(".")
    if letters.isupper():
        return ("A" if len(letters) == 1 else "AA") + dotted
    return ("Aa" if letters[0].isupper() else "a") + dotted


@cache
def _lists() -> dict[str, str]:
    """In which lists of name parts each word stands, one letter a list."""
    words = name_words()
    english, chinese = words["en"], words["zh"]
    found: dict[str, str] = {}
    for letter, entries in (
        ("f", english["first"]), ("l", english["last"]), ("k", english["kind"] + english["kind_before"]),
        ("t", english["title"]), ("o", english["org_kind"]), ("p", english["place"] + english["thing"]),
        ("s", chinese["surname"]), ("g", chinese["given"]), ("r", "路街道巷弄号室楼栋座单元层村"),
        ("d", "省市区县镇乡州"),
    ):  # fmt: skip
        for entry in entries:
            key = entry.lower().rstrip(".")
            if letter not in found.get(key, ""):
                found[key] = found.get(key, "") + letter
    return found


def _listed(word: str) -> str:
    return _lists().get(word.lower().rstrip("."), "-")


@cache
def name_words() -> dict[str, Any]:
    """Parts of names and addresses by language."""
    return tomllib.loads((files("zhiling.curation") / WORDS).read_text(encoding="utf-8"))


@cache
def _model() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    with (files("zhiling.curation") / MODEL).open("rb") as file, np.load(file, allow_pickle=False) as stored:
        return stored["weights"].astype(np.float32) * stored["scale"], stored["bias"]
