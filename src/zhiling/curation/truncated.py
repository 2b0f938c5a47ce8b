"""Rejects rows whose reply stops in the middle."""

from __future__ import annotations

import re
import tomllib
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import ClassVar

import numpy as np
import polars as pl
from pydantic import Field

from zhiling.pipeline.step import Context, Decide, verdicts
from zhiling.rows.conversation import has_reply, reply_text
from zhiling.text.tokens import token_counts

_TAIL_CHARACTERS = 400
_ENDS = r"[.!?。！？…．；;～~♪]"
_CLOSERS = r"[\"'”’»)\]}）】」』》〉`*_>|]"
_FINISHED = rf"(?:{_ENDS}{_CLOSERS}*|[\p{{So}}\p{{Emoji_Presentation}}\x{{FE0F}}\x{{200D}}])$"
_OPEN_END = r"[,，、:：(（\[【「『《“‘\-—–=+&/<]$"
_CLOSED = rf"{_CLOSERS}$"
_SENTENCE_END = r"[.!?。！？…；][”’\")）」』】]*(?:\s|$|[\p{Han}])"
_LINE_MARK = r"^\s*(?:[-*+•·●▪◦–]\s|\(?\d{1,3}[.、)）:：]|[（(]?[一二三四五六七八九十]+[、.)）]|[A-Za-z][.)]\s|#|>|\||\$)"
_CODE_LINE = r"(?:^\s{4}|^\t|[{};=<>\\|]|\w\(|^\s*(?:def|class|return|import|from|SELECT|select|print|for|if)\b.*[:)]?$)"
_LINK_END = r"(?:https?://|www\.)\S+$|\S+@\S+\.\w+$"
_PAIRS = (("(", ")"), ("（", "）"), ("[", "]"), ("【", "】"), ("{", "}"), ("“", "”"), ("「", "」"), ("《", "》"))


class Truncated(Decide):
    """Rejects rows whose last reply breaks off: at a comma or connective, inside a bracket, or where a stop is due.

    Evidence adds up to the score: an open code fence 1; an end on a comma, colon, opening bracket or dash .8, on a word
    that cannot end a sentence ("the", "because", "以及") .8; an open bracket or quotation mark .4; no closing
    punctuation after prose .6 where the reply's other sentences or list items have it, .5 after a long sentence
    without any, .2 after a short one. Code, tables, links, headings, signatures, emoji and short answers may end as
    they like. Only rows with a reply are judged.

    Reasons: `truncated`. Score: the evidence, 0 for a finished reply.
    """

    name = "truncated"
    cost: ClassVar[str] = "cheap: about 3 microseconds a row"
    limits: ClassVar[str] = (
        "A reply cut exactly behind a full stop cannot be told from a finished one, a list without punctuation or a poem "
        "hardly. Prose that is written without any closing stop (chat) is a false alarm when it is long: raise "
        "`at_least` to .6 there. Rules know English and Chinese; other languages are judged by punctuation alone."
    )

    at_least: float = Field(default=0.5, gt=0, le=1, description="evidence from which a reply counts as truncated")
    short: int = Field(default=8, ge=0, description="replies of so many tokens or fewer may end without punctuation")

    class Reason(StrEnum):
        """Why a row is rejected."""

        TRUNCATED = "truncated"

    def applies(self, rows: pl.DataFrame) -> pl.Series:
        """Rows with a reply."""
        return has_reply(rows["messages"])

    def decide(self, rows: pl.DataFrame, context: Context) -> pl.DataFrame:
        """Verdicts by evidence."""
        reply = reply_text(rows["messages"]).str.strip_chars_end()
        score = np.zeros(rows.height)
        tail = reply.str.tail(8)
        open_end = (~tail.str.contains(_FINISHED) & (tail != "")).arg_true()
        if len(open_end):
            score[open_end.to_numpy()] = self._evidence(reply.gather(open_end))
        fences = reply.str.count_matches("```", literal=True).to_numpy()
        score[fences % 2 == 1] = 1.0
        return verdicts(score >= self.at_least, self.Reason.TRUNCATED, score=score)

    def _evidence(self, reply: pl.Series) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        """Evidence for replies that do not end in closing punctuation, in [0, 1]."""
        last = reply.str.tail(_TAIL_CHARACTERS).str.split("\n").list.last()
        before = reply.str.head(pl.Series(reply.str.len_chars().cast(pl.Int64) - last.str.len_chars().cast(pl.Int64)))
        frame = pl.DataFrame({"reply": reply, "last": last, "before": before.str.strip_chars_end()})
        frame = frame.with_columns(tokens=token_counts(frame["reply"]), last_tokens=token_counts(frame["last"]))
        last_line, all_before = pl.col("last"), pl.col("before")
        code = last_line.str.contains(_CODE_LINE) | all_before.str.contains("```", literal=True)
        listed = last_line.str.contains(_LINE_MARK)
        exempt = last_line.str.contains(_LINK_END) | code | last_line.str.contains(_CLOSED)
        signed = (pl.col("last_tokens") <= 6) & all_before.str.tail(1).is_in([",", "，"]) & ~listed
        short = (pl.col("tokens") <= self.short) | ((pl.col("last_tokens") <= self.short) & (all_before != "") & ~listed)
        stopped = all_before.str.tail(2).str.contains(_ENDS)
        styled = pl.when(listed).then(stopped & all_before.str.contains(r"\n")).otherwise(
            last_line.str.contains(_SENTENCE_END) | stopped
        )
        missing = (
            pl.when(exempt | signed)
            .then(0.0)
            .when(styled & ~short)
            .then(0.6)
            .when(listed | short)
            .then(0.1)
            .when(pl.col("last_tokens") > 2 * self.short)
            .then(0.5)
            .otherwise(0.2)
        )
        cut = last_line.str.contains(_OPEN_END) & ~last_line.str.contains(_closing()) & ~code
        dangling = last_line.str.contains(_dangling()) & ~code & (pl.col("tokens") > 3)
        opened = pl.any_horizontal(
            pl.col("reply").str.count_matches(left, literal=True) > pl.col("reply").str.count_matches(right, literal=True)
            for left, right in _PAIRS
        )
        total = pl.max_horizontal(missing, 0.8 * cut.cast(pl.Float64), 0.8 * dangling.cast(pl.Float64))
        return frame.select(pl.min_horizontal(total + 0.4 * opened.cast(pl.Float64), pl.lit(1.0))).to_series().to_numpy()


@cache
def _words() -> dict[str, dict[str, list[str]]]:
    return tomllib.loads((files(__package__) / "truncated_words.toml").read_text(encoding="utf-8"))


@cache
def _dangling() -> str:
    english = "|".join(map(re.escape, _words()["en"]["dangling"]))
    chinese = "|".join(map(re.escape, _words()["zh"]["dangling"]))
    return rf"(?:[\s,;:(\"'](?:{english})|(?:{chinese}))$"


@cache
def _closing() -> str:
    words = "|".join(_words()["en"]["closing"] + _words()["zh"]["closing"])
    return rf"(?i:{words})[,，:：]?$"
