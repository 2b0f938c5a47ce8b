"""Keeps one of the rows that say the same."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from enum import StrEnum
from hashlib import blake2b
from typing import ClassVar, Literal

import numpy as np
import polars as pl
from pydantic import Field

from zhiling.curation.survivor import KeepsOne
from zhiling.pipeline.step import Context, verdicts
from zhiling.rows.conversation import all_text, flatten, nest, user_text
from zhiling.rows.schema import CONTENT_COLUMNS
from zhiling.text.characters import IGNORED_PATTERN

_LOOSE_SPACE = r"\s\s|[^\S ]|^ | $"
_FURTHER = ("reasoning", "media", "tool_calls", "tool_call_id", "name")
_SLICE_ROWS = 20_000


class ExactDedup(KeepsOne):
    """Rejects all rows but one of equal content; `keep` says which, whatever the order of the rows.

    Texts are compared after NFKC, lower-casing and collapsing of white space; punctuation counts, so "5-3"
    is not "5/3". Rows accepted before (in `repeat`) are compared with, and win, but are never judged.

    Reasons: `exact_duplicate`; `related` is the id of the row that stays. Score: how many rows are equal to
    it, itself included. Column `cluster`: the id of the row that stands for this one (its own, if it stays).
    """

    name = "exact_dedup"
    scope = "table"
    crowd_rows: ClassVar[int] = sys.maxsize  # rows that share a key are equal: no bucket is compared
    cost: ClassVar[str] = "cheap: about 5 microseconds a row"
    limits: ClassVar[str] = "One changed word makes two rows different: that is `near_dedup`'s work."

    keep: Literal["longest", "first", "best", "newest"] = Field(
        default="first",
        description="which of equal rows stays. first: the smallest id, or with `column` its smallest value; "
        "best, newest: the largest value of `column`; longest: the most characters. Ties: the smaller id",
    )
    on: Literal["messages", "user", "content"] = Field(
        default="messages",
        description="what must be equal. messages: roles and texts of all turns, with target, alternatives "
        "and tools as they are (one text under two labels is no duplicate); user: what the user said; "
        "content: the record's hash, no normalisation",
    )

    class Reason(StrEnum):
        """Why a row is rejected."""

        EXACT_DUPLICATE = "exact_duplicate"

    def reads(self) -> tuple[str, ...]:
        """What is compared, and what decides which row stays."""
        compared = {"messages": CONTENT_COLUMNS, "user": ("messages",), "content": ("content",)}[self.on]
        measured = ("messages",) if self.keep == "longest" or self.column else ()
        return tuple(dict.fromkeys([*compared, *measured, *self.column_read()]))

    def writes(self) -> dict[str, pl.DataType]:
        """The representative of each row."""
        return {"cluster": pl.String()}

    def decide(self, rows: pl.DataFrame, context: Context) -> pl.DataFrame:
        """Verdicts by equality."""
        frame = rows.with_columns(before=pl.lit(False))
        if context.reference is not None and context.reference.height:
            known = context.reference.select(rows.columns).with_columns(before=pl.lit(True))
            frame = pl.concat([frame, known])
        return self._decided(self._compared(frame), rows.height)

    def meets_by_key(self) -> bool:
        """Whether equal rows have equal keys: always."""
        return True

    def prepared(self, rows: pl.DataFrame) -> pl.DataFrame:
        """What decides about each row: what must be equal, and what says which row stays."""
        return self._compared(rows.with_columns(before=pl.lit(False)))

    def meeting_keys(self, prepared: pl.DataFrame) -> pl.DataFrame:
        """A hash of what must be equal."""
        filled = prepared.select("key").with_row_index("row").drop_nulls()
        hashes = b"".join(blake2b(key.encode(), digest_size=8).digest() for key in filled["key"])
        return filled.select("row", pl.Series("key", np.frombuffer(hashes, dtype="<u8")))

    def decide_prepared(self, prepared: pl.DataFrame) -> pl.DataFrame:
        """Verdicts of rows that equal none but each other."""
        return self._decided(prepared, prepared.height)

    def alone(self, ids: pl.Series) -> pl.DataFrame:
        """Verdicts of rows that equal no other."""
        kept = np.zeros(len(ids), dtype=np.bool_)
        return verdicts(kept, self.Reason.EXACT_DUPLICATE, score=np.ones(len(ids))).with_columns(
            ids.alias("cluster")
        )

    def _compared(self, rows: pl.DataFrame) -> pl.DataFrame:
        """`id`, `before`, `key`; with a rule other than the smallest id also what it looks at."""
        compared = rows.select("id", "before", self._keys(rows).alias("key"))
        if not self._ranks():
            return compared
        size = all_text(rows["messages"]).str.len_chars().cast(pl.Int64).alias("size")
        return compared.with_columns(size, *(rows[name] for name in self.column_read()))

    def _ranks(self) -> bool:
        """Whether more than the id says which of equal rows stays."""
        return self.keep != "first" or self.column is not None

    def _decided(self, compared: pl.DataFrame, judged: int) -> pl.DataFrame:
        """Verdicts of the first `judged` rows."""
        of_key = pl.col("id").sort_by(pl.col("before").not_(), "id").first().over("key")
        if self._ranks():
            rank = self.priority(compared, compared["size"].to_numpy(), ~compared["before"].to_numpy())
            compared = compared.with_columns(rank=pl.Series(rank))
            of_key = pl.col("id").sort_by("rank").first().over("key")
        copies = pl.len().over("key").cast(pl.Float64)
        found = compared.select("id", "key", kept=of_key, copies=copies).head(judged)
        alone = pl.col("key").is_null()
        found = found.select(
            "id",
            kept=pl.when(alone).then("id").otherwise("kept"),
            copies=pl.when(alone).then(1.0).otherwise("copies"),
        )
        repeated = found["kept"] != found["id"]
        return verdicts(
            repeated,
            self.Reason.EXACT_DUPLICATE,
            score=found["copies"],
            related=found["kept"].set(~repeated, None),
        ).with_columns(found["kept"].alias("cluster"))

    def _keys(self, rows: pl.DataFrame) -> pl.Series:
        """What must be equal; null for a row that has nothing to compare."""
        if self.on == "content":
            return rows["content"]
        if self.on == "user":
            return _plain(user_text(rows["messages"])).replace("", None)
        return _conversation_keys(rows)


def _plain(text: pl.Series) -> pl.Series:
    """NFKC, lower case, no invisible characters, white space collapsed."""
    wide = text.str.len_bytes() != text.str.len_chars()
    if wide.any():
        text = text.scatter(wide.arg_true(), _folded(text.filter(wide)))
    text = text.str.to_lowercase()
    loose = text.str.contains(_LOOSE_SPACE)
    if loose.any():
        collapsed = text.filter(loose).str.replace_all(r"\s\s+|[^\S ]", " ").str.strip_chars()
        text = text.scatter(loose.arg_true(), collapsed)
    return text


def _folded(text: pl.Series) -> pl.Series:
    folded = text.str.replace_all(IGNORED_PATTERN, "").str.normalize("NFKC")
    marked = folded.str.contains(r"\p{M}")  # only around combining marks does lower case undo NFKC
    if not marked.any():
        return folded
    return folded.scatter(marked.arg_true(), folded.filter(marked).str.to_lowercase().str.normalize("NFKC"))


def _conversation_keys(rows: pl.DataFrame) -> pl.Series:
    """One string a row: every message with all its fields, then the columns that shape what is learnt."""
    # A slice at a time: what lies between (several copies of the text) stays small.
    slices = (rows.slice(start, _SLICE_ROWS) for start in range(0, max(rows.height, 1), _SLICE_ROWS))
    return pl.concat([_keys_of(part) for part in slices])


def _keys_of(rows: pl.DataFrame) -> pl.Series:
    lines = flatten(rows["messages"])
    coded = lines.select(
        pl.concat_str(
            pl.col("role").fill_null(""),
            _plain(lines["text"].fill_null("")),
            _coded(lines, _FURTHER),
            separator="\x1f",
        ).alias("line"),
    )
    whole = _joined(coded["line"], rows["messages"].list.len().fill_null(0))
    return whole + "\x1d" + _coded(rows, CONTENT_COLUMNS[1:])


def _coded(rows: pl.DataFrame, names: Sequence[str]) -> pl.Series:
    """The columns as one string; "" where all are null, so that a key depends on its own row alone."""
    used = [name for name in names if _used(rows[name])]
    if not used:
        return pl.repeat("", rows.height, dtype=pl.String, eager=True)
    nothing = pl.all_horizontal(pl.col(name).is_null() for name in used)
    everything = pl.struct(names).struct.json_encode()
    return rows.select(pl.when(nothing).then(pl.lit("")).otherwise(everything)).to_series()


def _joined(lines: pl.Series, lengths: pl.Series) -> pl.Series:
    """The lines of each row as one string; a row without lines gets none (""), as it says nothing."""
    nested = nest(pl.DataFrame({"text": lines}), lengths.to_numpy())
    return nested.list.eval(pl.element().struct.field("text")).list.join("\x1e")


def _used(column: pl.Series) -> bool:
    return column.null_count() < len(column)
