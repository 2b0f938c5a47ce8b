"""Finds the row that a user means by an id, a part of one, a number or a place."""

from __future__ import annotations

import difflib
import re

import polars as pl

from zhiling.errors import UsageError
from zhiling.workflow.inspect.book import Book

MIN_PREFIX = 6
_MOST_NAMED = 5
_WAYS = "name a row by its id (six characters or more), by n:NUMBER, or by its place, such as faq.jsonl:12"


def find_row(book: Book, wanted: str) -> int:
    """The number of the row that `wanted` names.

    Raises:
        UsageError: no such row, or several.
    """
    if match := re.fullmatch(r"n:(\d+)", wanted):
        return _by_number(book, int(match.group(1)))
    if re.fullmatch(r"[0-9a-f]+", wanted):
        found = (
            book.identity.filter(pl.col("id").str.starts_with(wanted)) if len(wanted) >= MIN_PREFIX else None
        )
        if found is not None and found.height == 1:
            return int(found["n"][0])
        if found is not None and found.height:
            raise UsageError(
                f"{found.height} rows have an id that begins with {wanted!r}", hint=_named(found)
            )
    return _by_place(book, wanted)


def _by_number(book: Book, n: int) -> int:
    if n >= book.identity.height:
        raise UsageError(
            f"no row n:{n} in run {book.run.id!r}", hint=f"it has n:0 to n:{book.identity.height - 1}"
        )
    return n


def _by_place(book: Book, wanted: str) -> int:
    """A row by its place; of a source's row and its rewrites, which share it, the source's."""
    place, whole = pl.col("locator"), wanted
    same = (place == whole) | place.str.ends_with(f"/{whole}")
    # `path:line` may leave out `#turn`; a turn of another line never begins with it
    inside = place.str.starts_with(f"{whole}#") | place.str.contains(f"/{whole}#", literal=True)
    for condition in (same, inside):
        found = book.identity.filter(condition)
        sources = found.filter(pl.col("n").is_in(book.table.sources()))
        found = sources if sources.height else found
        if found.height == 1:
            return int(found["n"][0])
        if found.height:
            raise UsageError(f"{found.height} rows stand at {wanted!r}", hint=_named(found))
    raise UsageError(f"no row {wanted!r} in run {book.run.id!r}", hint=_nearest(book, wanted))


def _named(rows: pl.DataFrame) -> str:
    named = [
        f"{row} ({place})" if place else row
        for row, place in rows.select("id", "locator").head(_MOST_NAMED).iter_rows()
    ]
    more = rows.height - len(named)
    return "name one of: " + ", ".join(named) + (f" … and {more} more" if more else "")


def _nearest(book: Book, wanted: str) -> str:
    """The rows nearest by line in the file that is meant, else by the beginning of the id."""
    if re.fullmatch(r"[0-9a-f]{1,32}", wanted):
        ids = book.identity["id"]
        for length in range(len(wanted) - 1, 0, -1):
            near = ids.filter(ids.str.starts_with(wanted[:length]))
            if len(near):
                return f"nearest: {', '.join(near.head(_MOST_NAMED))}; {_WAYS}"
        return _WAYS
    path, _, line = wanted.partition("#")[0].rpartition(":")
    places = book.identity.select(
        "locator", file=pl.col("locator").str.replace(r"[:#].*$", ""),
        line=pl.col("locator").str.extract(r":(\d+)").cast(pl.Int64),
    ).drop_nulls()  # fmt: skip
    files = places["file"].unique().sort().to_list()
    same = [file for file in files if file == path or file.endswith(f"/{path}")]
    same = same or difflib.get_close_matches(path or wanted, files, n=1)
    if not same:
        return f"files of this run: {', '.join(files[:_MOST_NAMED])}; {_WAYS}"
    distance = (pl.col("line") - (int(line) if line.isdigit() else 0)).abs()
    near = places.filter(pl.col("file") == same[0]).sort(distance, "locator").head(_MOST_NAMED)
    return f"nearest: {', '.join(near['locator'])}"
