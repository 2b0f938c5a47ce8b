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
from numpy.typing import NDArray
from pydantic import Field

from zhiling.pipeline.step import Bound, Context, Decide, verdicts
from zhiling.rows.conversation import has_reply, reply_text
from zhiling.text.tokens import token_counts

_TAIL_CHARACTERS = 400
_LONG, _LONG_CLAUSES, _LONG_HAN, _LONG_TITLE = (
    10,
    12,
    24,
    40,
)  # tokens of one line without any stop: prose, and no headline
_ENDS = r"[.!?。！？…．;～~♪]"
_CLOSERS = r"[\"'”’»)\]}）】」』》〉`*_>|]"
_FINISHED = rf"(?:{_ENDS}{_CLOSERS}*|[\p{{So}}\p{{Emoji_Presentation}}\x{{FE0F}}\x{{200D}}])$"
_OPEN_END = r"(?:[,，、:：；(（\[【「『《“‘\-—–=+&/<]|\s>)$"
_CLOSED = r"[\"”»)\]}）】」』》〉`*_|]$|\S>$"
_SENTENCE_END = r"[.!?。！？…；][”’\")）」』】]*(?:\s|$|[\p{Han}])"
_LINE_MARK = (
    r"^\s*(?:[-*+•·●▪◦–]\s|\(?\d{1,3}[.、)）:：]"
    r"|[（(]?[一二三四五六七八九十]+[、.)）]|[A-Za-z][.)]\s|#|>|\||\$)"
)
_CODE_LINE = (
    r"(?:^(?:\s{4}|\t)|[{};\\|]\s*$|[=!+]=|\w\(\w*\)\s*$|\w\[\w+\]|</?\w+>|\S &&? \S|^[\w.\[\]]+ ?= ?\S"
    r"|^\s*(?:def|class|return|import|from \w+ import|SELECT|select"
    r"|print|for|if|let|const|var|public|#include)\b[^.。]*[:(]?$)"
)
_NO_SENTENCE = (
    r"(?:https?://|www\.)\S+$|\S+@\S+\.\w+$|#[\w\p{Han}]+$|[\"”’]\s*[-–—]+\s?[\p{Lu}\p{Han}][\w. ]*$"
)
_TITLE = r"^(?:\W*(?:[\p{Lu}\d][\w'’.]*|a|an|and|as|at|by|for|from|in|is|of|on|or|the|to|vs|with|your)\W*)+$"
_HAN_CLAUSES = r"\p{Han}[”」)）]?，[“「(（]?\p{Han}"
_INVISIBLE = " \t\r\n\u00a0\u3000\u200b\ufeff"
_PAIRS = (
    ("(", ")"),
    ("（", "）"),
    ("[", "]"),
    ("【", "】"),
    ("{", "}"),
    ("“", "”"),
    ("「", "」"),
    ("《", "》"),
)


class Truncated(Decide):
    """Rejects rows whose reply breaks off: at a comma or connective, inside a bracket, where a stop is due.

    Evidence adds up to the score: an open code fence 1; an end on a comma, colon, opening bracket or dash
    .8, on a word that cannot end a sentence ("the", "because", "以及") .8; an open bracket or quotation mark
    .4; no closing punctuation after prose .6 where the reply's other sentences or list items have it, .5
    after a long sentence without any, .2 after a short one. Code, tables, links, headings, signatures,
    emoji and short answers may end as they like. Only rows with a reply are judged.

    Reasons: `truncated`. Score: the evidence, 0 for a finished reply.
    """

    name = "truncated"
    bounds: ClassVar[tuple[Bound, ...]] = (Bound("at_least", acts="above", loosest=1e-9),)
    cost: ClassVar[str] = "cheap: about 3 microseconds a row"
    limits: ClassVar[str] = (
        "A reply cut exactly behind a full stop cannot be told from a finished one; a list without "
        "punctuation or a poem hardly. Chat written without any closing stop is a false alarm when it is "
        "long: raise `at_least` to .6 there. Words are known for English and Chinese; other languages are "
        "judged by punctuation alone."
    )

    at_least: float = Field(
        default=0.5, gt=0, le=1, description="evidence from which a reply counts as truncated"
    )
    short: int = Field(
        default=8, ge=0, description="replies of so many tokens or fewer may end without punctuation"
    )

    class Reason(StrEnum):
        """Why a row is rejected."""

        TRUNCATED = "truncated"

    def applies(self, rows: pl.DataFrame) -> pl.Series:
        """Rows with a reply."""
        return has_reply(rows["messages"])

    def decide(self, rows: pl.DataFrame, context: Context) -> pl.DataFrame:
        """Verdicts by evidence."""
        reply = reply_text(rows["messages"]).str.strip_chars_end(_INVISIBLE)
        score = np.zeros(rows.height)
        tail = reply.str.tail(8)
        open_end = (~tail.str.contains(_FINISHED) & (tail != "")).arg_true()
        if len(open_end):
            score[open_end.to_numpy()] = self._evidence(reply.gather(open_end))
        fences = reply.str.count_matches("```", literal=True).to_numpy()
        score[fences % 2 == 1] = 1.0
        return verdicts(score >= self.at_least, self.Reason.TRUNCATED, score=score)

    def _evidence(self, reply: pl.Series) -> NDArray[np.float64]:
        """Evidence for replies that do not end in closing punctuation, in [0, 1]."""
        frame = _last_lines(reply)
        last = pl.col("last")
        code = last.str.contains(_CODE_LINE) | pl.col("before").str.contains("```", literal=True)
        cut = last.str.contains(_OPEN_END) & ~last.str.contains(_closing()) & ~code
        dangling = last.str.contains(_dangling()) & ~code & (pl.col("tokens") > 3)
        broken_off = (cut | dangling).cast(pl.Float64) * 0.8
        total = pl.max_horizontal(self._missing_stop(code), broken_off) + _is_open().cast(pl.Float64) * 0.4
        return frame.select(pl.min_horizontal(total, pl.lit(1.0))).to_series().to_numpy()

    def _missing_stop(self, code: pl.Expr) -> pl.Expr:
        """Evidence from the stop that is not there: how much the reply's other lines make one expect it."""
        last, before, last_tokens = pl.col("last"), pl.col("before"), pl.col("last_tokens")
        listed = last.str.contains(_LINE_MARK)
        signed = (last_tokens <= 6) & before.str.tail(1).is_in([",", "，"]) & ~listed
        exempt = signed | code | last.str.contains(_NO_SENTENCE) | last.str.contains(_CLOSED)
        short = (pl.col("tokens") <= self.short) | ((last_tokens <= self.short) & (before != "") & ~listed)
        stopped = before.str.tail(2).str.contains(_ENDS)
        styled = pl.when(listed).then(stopped & before.str.contains("\n", literal=True))
        styled = styled.otherwise(stopped | last.str.contains(_SENTENCE_END))
        return (
            pl.when(exempt)
            .then(0.0)
            .when(styled & ~short)
            .then(0.6)
            .when(listed | short)
            .then(0.1)
            .when(last_tokens > _long())
            .then(0.5)
            .otherwise(0.2)
        )


def _last_lines(reply: pl.Series) -> pl.DataFrame:
    """The last line of each reply (`last`), what stands before it (`before`), and the tokens of both."""
    frame = pl.DataFrame({"reply": reply}).with_columns(
        last=pl.col("reply").str.tail(_TAIL_CHARACTERS).str.split("\n").list.last()
    )
    before = pl.col("reply").str.head(pl.col("reply").str.len_chars() - pl.col("last").str.len_chars())
    return frame.with_columns(
        before=before.str.strip_chars_end(),
        tokens=token_counts(frame["reply"]),
        last_tokens=token_counts(frame["last"]),
    )


def _long() -> pl.Expr:
    """From how many tokens on a last line without any stop is prose."""
    last = pl.col("last")
    return (
        pl.when(last.str.contains(_HAN_CLAUSES))
        .then(_LONG_CLAUSES)
        .when(last.str.contains(r"\p{Han}"))
        .then(_LONG_HAN)
        .when(last.str.contains(_TITLE))
        .then(_LONG_TITLE)
        .otherwise(_LONG)
    )


def _is_open() -> pl.Expr:
    """Whether a kind of bracket or quotation mark is opened more often than closed."""
    reply = pl.col("reply")
    return pl.any_horizontal(
        reply.str.count_matches(left, literal=True) > reply.str.count_matches(right, literal=True)
        for left, right in _PAIRS
    )


@cache
def _words() -> dict[str, dict[str, list[str]]]:
    return tomllib.loads((files("zhiling.curation") / "truncated_words.toml").read_text(encoding="utf-8"))


@cache
def _dangling() -> str:
    english = "|".join(map(re.escape, _words()["en"]["dangling"]))
    chinese = "|".join(map(re.escape, _words()["zh"]["dangling"]))
    return rf"(?:[\s,;:(\"'](?:{english})|(?:{chinese}))$"


@cache
def _closing() -> str:
    words = "|".join(_words()["en"]["closing"] + _words()["zh"]["closing"])
    return rf"(?i:{words})[,，:：]?$"
