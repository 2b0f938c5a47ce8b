"""Keeps one of the rows that say the same."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar, Literal

import polars as pl
from pydantic import Field

from zhiling.pipeline.step import Context, Decide, verdicts
from zhiling.rows.conversation import flatten, user_text
from zhiling.rows.schema import CONTENT_COLUMNS
from zhiling.text.characters import IGNORED_PATTERN


_LOOSE_SPACE = r"\s\s|[^\S ]|^ | $"


class ExactDedup(Decide):
    """Rejects all rows but one among those of equal content; the one with the smallest id stays, whatever the order.

    Texts are compared after NFKC, lower-casing and collapsing of white space; punctuation counts, so "5-3" is not
    "5/3". Rows accepted before (in `repeat`) are compared with, and win, but are never judged.

    Reasons: `exact_duplicate`; `related` is the id of the row that stays. Score: how many rows are equal to it, itself
    included.
    """

    name = "exact_dedup"
    scope = "table"
    cost: ClassVar[str] = "cheap: about 5 microseconds a row"
    limits: ClassVar[str] = "One changed word makes two rows different: that is `near_dedup`'s work."

    on: Literal["messages", "user", "content"] = Field(
        default="messages",
        description="what must be equal. messages: roles and texts of all turns, with target, alternatives and tools "
        "as they are (one text under two labels is no duplicate); user: what the user said; content: the "
        "record's hash, no normalisation",
    )

    class Reason(StrEnum):
        """Why a row is rejected."""

        EXACT_DUPLICATE = "exact_duplicate"

    def reads(self) -> tuple[str, ...]:
        """Only what is compared."""
        return {"messages": CONTENT_COLUMNS, "user": ("messages",), "content": ("content",)}[self.on]

    def decide(self, rows: pl.DataFrame, context: Context) -> pl.DataFrame:
        """Verdicts by equality."""
        keys = pl.DataFrame({"id": rows["id"], "key": self._keys(rows), "before": False})
        if context.reference is not None and context.reference.height:
            known = pl.DataFrame({"id": context.reference["id"], "key": self._keys(context.reference), "before": True})
            keys = pl.concat([keys, known])
        of_key = pl.col("id").sort_by(pl.col("before").not_(), "id").first().over("key")
        found = keys.with_columns(kept=of_key, copies=pl.len().over("key").cast(pl.Float64)).head(rows.height)
        alone = pl.col("key").is_null()
        found = found.select(
            kept=pl.when(alone).then("id").otherwise("kept"), copies=pl.when(alone).then(1.0).otherwise("copies")
        )
        repeated = found["kept"] != rows["id"]
        return verdicts(
            repeated, self.Reason.EXACT_DUPLICATE, score=found["copies"], related=found["kept"].set(~repeated, None)
        )

    def _keys(self, rows: pl.DataFrame) -> pl.Series:
        """What must be equal; null for a row that has nothing to compare."""
        if self.on == "content":
            return rows["content"]
        if self.on == "user":
            return _plain(user_text(rows["messages"])).replace("", None)
        return _conversation_keys(rows)


def _plain(text: pl.Series) -> pl.Series:
    """NFKC, lower case, no invisible characters, white space collapsed; only rows that need it are rewritten."""
    text = text.str.to_lowercase()
    wide = text.str.len_bytes() != text.str.len_chars()
    if wide.any():
        folded = text.filter(wide).str.replace_all(IGNORED_PATTERN, "").str.normalize("NFKC").str.to_lowercase()
        text = text.scatter(wide.arg_true(), folded.str.normalize("NFKC"))
    loose = text.str.contains(_LOOSE_SPACE)
    if loose.any():
        text = text.scatter(loose.arg_true(), text.filter(loose).str.replace_all(r"\s+", " ").str.strip_chars())
    return text


def _conversation_keys(rows: pl.DataFrame) -> pl.Series:
    """One string a row: every message with all its fields, then the columns that shape what is learnt."""
    lines = flatten(rows["messages"])
    rest = [name for name in ("reasoning", "media", "tool_calls", "tool_call_id", "name") if _used(lines[name])]
    coded = lines.select(
        "row",
        pl.concat_str(
            pl.col("role").fill_null(""),
            _plain(lines["text"].fill_null("")),
            *([pl.struct(rest).struct.json_encode()] if rest else []),
            separator="\x1f",
        ).alias("line"),
    )
    whole = coded.group_by("row", maintain_order=True).agg(pl.col("line").str.join("\x1e"))
    others = [name for name in CONTENT_COLUMNS[1:] if _used(rows[name])]
    frame = rows.select(
        pl.int_range(pl.len(), dtype=pl.UInt32).alias("row"),
        (pl.struct(others).struct.json_encode() if others else pl.lit("")).alias("others"),
    ).join(whole, on="row", how="left", maintain_order="left")
    return frame.select(pl.col("line") + "\x1d" + pl.col("others")).to_series()


def _used(column: pl.Series) -> bool:
    return column.null_count() < len(column)
