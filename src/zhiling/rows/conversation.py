"""The conversation view of a row: build `messages` from columns, and read texts back out of it.

All of it works on whole columns over Arrow's list layout (one flat struct array and offsets);
building the same messages from Python dictionaries costs twenty times as much.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from zhiling.rows.schema import MESSAGE

Role = str
"""system, user, assistant, tool or document."""

_FIELDS = {field.name: field.dtype for field in MESSAGE.fields}
_VIEWS = pl.CompatLevel.newest()  # strings go to Arrow as they are; older levels copy them
_arrow: Any = pa  # has no type stubs


def nest(flat: pl.DataFrame, lengths: Sequence[int] | NDArray[np.integer[Any]]) -> pl.Series:
    """`messages` of each row from a flat frame of messages.

    Args:
        flat: one line a message, in order; any of MESSAGE's fields (others are null).
        lengths: how many messages each row has; they sum up to the height of `flat`.
    """
    offsets = np.concatenate([[0], np.cumsum(np.asarray(lengths, dtype=np.int64))])
    if offsets[-1] != flat.height:
        raise ValueError(f"lengths sum up to {offsets[-1]}, but there are {flat.height} messages")
    full = [
        flat.get_column(name).cast(dtype)
        if name in flat.columns
        else pl.Series(name, [None], dtype=dtype).new_from_index(0, flat.height)
        for name, dtype in _FIELDS.items()
    ]
    values = cast(Any, pl.DataFrame(full).to_struct("messages")).to_arrow(compat_level=_VIEWS)
    nested = _arrow.LargeListArray.from_arrays(_arrow.array(offsets, type=_arrow.int64()), values)
    return pl.Series("messages", nested).cast(pl.List(MESSAGE))


def dialogue(turns: Mapping[Role, pl.Series]) -> pl.Series:
    """`messages` with one message a role, in the mapping's order; a null text leaves the message out."""
    if not turns:
        raise ValueError("a dialogue needs at least one turn")
    height = len(next(iter(turns.values())))
    said = np.column_stack([text.is_not_null().to_numpy() for text in turns.values()])
    row, turn = np.nonzero(said)  # row by row, in the order of the turns
    # in one chunk: gathering from several copies every text
    texts = pl.concat([text.cast(pl.String).rename("text") for text in turns.values()], rechunk=True)
    roles = pl.Series("role", list(turns), dtype=pl.String)
    flat = pl.DataFrame([roles.gather(turn), texts.gather(turn * height + row)])
    return nest(flat, said.sum(axis=1))


def flatten(messages: pl.Series) -> pl.DataFrame:
    """One line a message: `row` (index into the column, u32), `turn` (place in its row) and the fields."""
    lengths = messages.list.len().fill_null(0).to_numpy()
    flat = messages.explode(empty_as_null=False, keep_nulls=False).struct.unnest()
    starts = np.repeat(np.cumsum(lengths) - lengths, lengths)
    return flat.with_columns(
        pl.Series("row", np.repeat(np.arange(len(messages)), lengths), dtype=pl.UInt32),
        pl.Series("turn", np.arange(flat.height) - starts, dtype=pl.UInt32),
    )


def _joined(messages: pl.Series, keep: pl.Expr) -> pl.Series:
    lines = flatten(messages).filter(keep).select("row", pl.col("text").fill_null(""))
    rows = lines["row"].to_numpy()
    if len(np.unique(rows)) == len(rows):
        found = lines
    else:
        found = lines.group_by("row", maintain_order=True).agg(pl.col("text").str.join("\n"))
    texts = pl.DataFrame({"row": pl.Series(np.arange(len(messages)), dtype=pl.UInt32)})
    return texts.join(found, on="row", how="left", maintain_order="left")["text"].fill_null("")


def user_text(messages: pl.Series) -> pl.Series:
    """What the user said, all turns joined by line breaks; empty where there is none."""
    return _joined(messages, pl.col("role") == "user")


def shown_text(messages: pl.Series) -> pl.Series:
    """What users and documents say: all that a model is shown of an example, joined by line breaks."""
    return _joined(messages, pl.col("role").is_in(["user", "document"]))


def question_text(messages: pl.Series) -> pl.Series:
    """The user's last turn: the one that the reply answers."""
    last = pl.col("turn") == pl.col("turn").max().over("row")
    lines = flatten(messages).filter(pl.col("role") == "user").filter(last)
    return _placed(lines, len(messages))


def reply_text(messages: pl.Series) -> pl.Series:
    """The assistant's last turn; empty where the row has none."""
    last = pl.col("turn") == pl.col("turn").max().over("row")
    lines = flatten(messages).filter(pl.col("role") == "assistant").filter(last)
    return _placed(lines, len(messages))


def all_text(messages: pl.Series) -> pl.Series:
    """Every message but the system's, joined by line breaks: what two equal-looking rows share."""
    return _joined(messages, pl.col("role") != "system")


def has_reply(messages: pl.Series) -> pl.Series:
    """True where the row ends in something an assistant said (even an empty text)."""
    lines = flatten(messages).filter(pl.col("role") == "assistant")
    mask = np.zeros(len(messages), dtype=bool)
    mask[lines["row"].to_numpy()] = True
    return pl.Series("has_reply", mask)


def _placed(lines: pl.DataFrame, height: int) -> pl.Series:
    index = pl.DataFrame({"row": pl.Series(np.arange(height), dtype=pl.UInt32)})
    found = index.join(lines.select("row", "text"), on="row", how="left", maintain_order="left")
    return found["text"].fill_null("")
