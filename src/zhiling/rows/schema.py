"""The record: one row of instruction data, raw material or evaluation, as a Polars schema.

Messages are plain columns of structs, so a batch moves between Polars, Arrow and Parquet without a
Python object per row. `content` and `id` are 128-bit BLAKE2b hashes in hexadecimal: `content` covers
what a model could learn from, `id` adds where it came from. Places (`origin.locator`) are told and
never hashed, so a line put on top of a file changes no id.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b

import polars as pl

SCHEME_VERSION = 1  # raise it when `content` or `id` of an unchanged row would change

MEDIA = pl.Struct({"kind": pl.String, "path": pl.String, "sha256": pl.String, "at": pl.Int64})
MESSAGE = pl.Struct(
    {
        "role": pl.String,
        "text": pl.String,
        "reasoning": pl.String,
        "media": pl.List(MEDIA),
        "tool_calls": pl.String,
        "tool_call_id": pl.String,
        "name": pl.String,
        "weight": pl.Float64,
    }
)
ALTERNATIVE = pl.Struct(
    {"messages": pl.List(MESSAGE), "kind": pl.String, "rank": pl.Int32, "score": pl.Float64}
)
ORIGIN = pl.Struct(
    {
        "source": pl.String,
        "locator": pl.String,
        "licence": pl.String,
        "group": pl.String,
        "parents": pl.List(pl.String),
        "maker": pl.String,
        "via": pl.List(pl.String),
    }
)

ROW: dict[str, pl.DataType] = {
    "n": pl.UInt32(),
    "id": pl.String(),
    "content": pl.String(),
    "messages": pl.List(MESSAGE),
    "alternatives": pl.List(ALTERNATIVE),
    "task": pl.String(),
    "target": pl.String(),
    "language": pl.String(),
    "tools": pl.String(),
    "origin": ORIGIN,
    "extra": pl.String(),
}

CONTENT_COLUMNS = ("messages", "alternatives", "tools", "target")
"""What `content` hashes. An `id` fixes these, so a step that reads only them depends on ids alone."""

MATERIAL_TASKS = frozenset({"passage", "utterance"})
"""Raw material: food for Make steps and pre-training, never exported as training rows."""

HASH_BYTES = 16


def digest(*parts: bytes) -> str:
    """The 128-bit BLAKE2b hash of length-prefixed parts, as 32 hexadecimal digits."""
    hasher = blake2b(digest_size=HASH_BYTES)
    for part in parts:
        hasher.update(len(part).to_bytes(8, "little"))
        hasher.update(part)
    return hasher.hexdigest()


def conform(rows: pl.DataFrame, columns: Mapping[str, pl.DataType] | None = None) -> pl.DataFrame:
    """Rows with exactly the record's columns and types: missing columns are null, unknown ones an error.

    Args:
        rows: any of the record's columns, in any order.
        columns: the columns wanted; the whole record where it is None.

    Raises:
        ValueError: a column that the record does not have (a row must not lose anything silently).
    """
    wanted = ROW if columns is None else columns
    unknown = [name for name in rows.columns if name not in wanted]
    if unknown:
        raise ValueError(f"columns {unknown!r} are not part of the record; put them into `extra`")
    return rows.select(
        pl.col(name).cast(dtype)
        if name in rows.columns and rows.schema[name] != dtype
        else pl.col(name)
        if name in rows.columns
        else pl.lit(None, dtype=dtype).alias(name)
        for name, dtype in wanted.items()
    )


def content_hashes(rows: pl.DataFrame) -> pl.Series:
    """`content` of each row: the hash of messages, alternatives, tools and target as canonical JSON.

    Canonical means: the schema's field order, nulls included, as Polars writes it. Media count by
    their `sha256` and place in the text, not by path, so a moved image folder changes nothing; only
    media without a hash (a web address) count by their path.
    """
    frame = rows.select(
        _without_paths(rows, "messages"),
        *(pl.col(name) for name in CONTENT_COLUMNS[1:]),
    )
    encoded = frame.select(pl.struct(CONTENT_COLUMNS).struct.json_encode()).to_series()
    return pl.Series(
        "content",
        [blake2b(text.encode(), digest_size=HASH_BYTES).hexdigest() for text in encoded.to_list()],
        dtype=pl.String,
    )


def _without_paths(rows: pl.DataFrame, column: str) -> pl.Expr:
    media = rows.get_column(column).explode(empty_as_null=False).struct.field("media")
    if media.null_count() == len(media):
        return pl.col(column)
    element = pl.element()
    unhashed = pl.when(pl.element().struct.field("sha256").is_null())
    path = unhashed.then(pl.element().struct.field("path")).otherwise(None)
    stripped = element.struct.field("media").list.eval(pl.element().struct.with_fields(path.alias("path")))
    return pl.col(column).list.eval(element.struct.with_fields(stripped.alias("media")))


def row_ids(owner: str, keys: pl.Series, contents: pl.Series) -> pl.Series:
    """`id` of each row: the hash of its source (made rows: the step), its key and its content."""
    head = owner.encode() + b"\0"
    return pl.Series(
        "id",
        [
            blake2b(head + key.encode() + b"\0" + content.encode(), digest_size=HASH_BYTES).hexdigest()
            for key, content in zip(keys.to_list(), contents.to_list(), strict=True)
        ],
        dtype=pl.String,
    )
