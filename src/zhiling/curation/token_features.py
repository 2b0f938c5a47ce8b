"""What a token is judged by: itself, its shape, its affixes and its neighbours, as hashed features.

In scripts without spaces a token is one character, so joined neighbours (bigrams and trigrams that hold it)
take the place of the word. Source: Ratinov and Roth 2009, section 3 (features of named entities), without
word lists.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import polars as pl

from zhiling.encoders.sparse import require

BUCKETS = 2**18
REACH = 2
"""So many tokens to either side are seen."""
EDGE = "\u2402"
"""Stands where a neighbour would lie outside the message."""
_RUNS = re.compile(r"(.)\1+")


def token_features(tokens: pl.DataFrame) -> Any:
    """One sparse row a token (CSR, float32), from columns `row`, `message` and `text`."""
    hasher = require("sklearn.feature_extraction").FeatureHasher(
        BUCKETS, input_type="string", alternate_sign=False, dtype="float32"
    )
    return hasher.transform(_lines(tokens))


def _lines(tokens: pl.DataFrame) -> Iterator[list[str]]:
    texts = tokens.group_by("row", "message", maintain_order=True).agg("text")["text"].to_list()
    for words in texts:
        edge = [EDGE] * REACH
        around = [*edge, *words, *edge]
        lower = [word.lower() for word in around]
        shapes = [_shape(word) for word in around]
        for place in range(REACH, len(around) - REACH):
            yield _features(around[place], lower, shapes, place)


def _features(word: str, lower: list[str], shapes: list[str], at: int) -> list[str]:
    """Names of the features of one token."""
    two_before, before, here, after, two_after = lower[at - 2 : at + 3]
    shape = shapes[at]
    affixes = [
        f"{kind}{part}" for size in (2, 3, 4) for kind, part in (("<", here[:size]), (">", here[-size:]))
    ]
    return [
        "bias", f"w {word}", f"l {here}", f"s {shape}", *affixes,
        f"-2 {two_before}", f"-1 {before}", f"+1 {after}", f"+2 {two_after}",
        f"s-1 {shapes[at - 1]}", f"s+1 {shapes[at + 1]}", f"s* {shapes[at - 1]} {shape} {shapes[at + 1]}",
        f"-10 {before} {here}", f"+01 {here} {after}", f"-21 {two_before} {before}",
        f"+12 {after} {two_after}",
        f"-210 {two_before} {before} {here}", f"-1+1 {before} {here} {after}",
        f"+012 {here} {after} {two_after}",
    ]  # fmt: skip


def _shape(word: str) -> str:
    """Classes of characters, runs shortened: `Xx` for a capitalised word, `d` for a number, `c` for Han."""
    kinds = "".join(
        "d"
        if char.isdigit()
        else "X"
        if char.isupper()
        else "x"
        if char.islower()
        else "c"
        if char.isalpha()
        else "."
        for char in word[:16]
    )
    return _RUNS.sub(r"\1", kinds)
