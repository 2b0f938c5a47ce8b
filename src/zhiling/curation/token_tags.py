"""Rows with entities as tokens with tags: one line a token, tagged B-, I- or O as the row's spans say."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, cast

import orjson
import polars as pl

from zhiling.text.characters import UNSPACED_RANGES

OUTSIDE = "O"
TOKENS: dict[str, pl.DataType] = {
    "row": pl.UInt32(),
    "message": pl.UInt32(),
    "start": pl.UInt32(),
    "end": pl.UInt32(),
    "text": pl.String(),
    "given": pl.String(),
}
"""Columns of a frame of tokens: where each stands (code points, end exclusive), its text, its tag."""

TOKEN = re.compile(rf"[{UNSPACED_RANGES}]|[^\W{UNSPACED_RANGES}]+|[^\w\s]")
_READ = ("user", "document")


def has_spans(target: pl.Series) -> pl.Series:
    """Rows whose target is a list of entities over the example's own messages (not a templated prompt)."""
    return pl.Series([_truth(text) is not None for text in target.to_list()], dtype=pl.Boolean)


def tokens_of(messages: pl.Series, target: pl.Series) -> pl.DataFrame:
    """All tokens of the rows' user and document messages, in order; see `TOKENS`.

    The set's own tokens where it has them; else words, and single characters of scripts without spaces.
    Where spans overlap, the longer one tags the tokens.
    """
    lines: list[tuple[int, int, int, int, str, str]] = []
    for row, (turns, text) in enumerate(zip(messages.to_list(), target.to_list(), strict=True)):
        lines += ((row, *line) for line in _tokens(turns, _truth(text) or {}))
    return pl.DataFrame(lines, schema=TOKENS, orient="row")


def _truth(target: str | None) -> dict[str, Any] | None:
    try:
        read = orjson.loads(target or "null")
    except orjson.JSONDecodeError:
        return None
    if not isinstance(read, dict):
        return None
    truth = cast("dict[str, Any]", read)
    entities = isinstance(truth.get("spans"), list) and "relations" not in truth
    return truth if entities and not truth.get("template") else None


def _tokens(
    turns: Sequence[dict[str, Any]], truth: dict[str, Any]
) -> Iterator[tuple[int, int, int, str, str]]:
    own = truth.get("tokens")
    for number, turn in enumerate(turns):
        text = turn["text"] or ""
        if turn["role"] not in _READ:
            continue
        places = own if own and number == 0 else [match.span() for match in TOKEN.finditer(text)]
        spans = [span for span in truth.get("spans", []) if span.get("message", 0) == number]
        tags = _tags(places, spans)
        for (start, end), tag in zip(places, tags, strict=True):
            yield number, start, end, text[start:end], tag


def _tags(places: Sequence[Sequence[int]], spans: Sequence[dict[str, Any]]) -> list[str]:
    tags = [OUTSIDE] * len(places)
    for span in sorted(spans, key=lambda each: each["end"] - each["start"]):
        inside = [
            token for token, (start, end) in enumerate(places) if start < span["end"] and end > span["start"]
        ]
        for order, token in enumerate(inside):
            tags[token] = f"{'I' if order else 'B'}-{span['label']}"
    return tags
