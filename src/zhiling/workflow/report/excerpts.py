"""Rows cut down to what a page can show."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from zhiling.workflow.inspect.book import Book, answered
from zhiling.workflow.report.facts import Excerpt

TEXT_LIMIT = 600
TURN_LIMIT = 8
_PAGE = 2_000


def excerpts(book: Book, numbers: Iterable[int]) -> dict[int, Excerpt]:
    """The rows of these numbers as the pages show them."""
    wanted = sorted(set(numbers))
    splits = dict(book.splits.filter(book.splits["n"].is_in(wanted)).iter_rows())
    found: dict[int, Excerpt] = {}
    for start in range(0, len(wanted), _PAGE):
        for n, row in book.rows(wanted[start : start + _PAGE]).items():
            found[n] = _excerpt(row, splits.get(n, ""))
    return found


def _excerpt(row: Mapping[str, Any], split: str) -> Excerpt:
    turns = answered(row)[-TURN_LIMIT:]
    origin = row["origin"]
    return Excerpt(
        id=row["id"],
        place=origin["locator"] or "",
        label=label_of(row["target"]),
        split=split,
        turns=tuple((role, text[:TEXT_LIMIT]) for role, text in turns),
        cut=tuple(max(0, len(text) - TEXT_LIMIT) for _, text in turns),
    )


def label_of(target: str | None) -> str:
    """The labels of a target, joined; empty where it has none."""
    try:
        value = orjson.loads(target) if target else None
    except ValueError:
        return ""
    labels: Any = value.get("labels") if isinstance(value, dict) else None  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
    return ", ".join(map(str, labels)) if isinstance(labels, list) else ""  # pyright: ignore[reportUnknownArgumentType]
