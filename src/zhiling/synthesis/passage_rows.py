"""Passages as their rows tell them: text, headings, title and language."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson
import polars as pl

from zhiling.rows.conversation import flatten
from zhiling.rows.templates.phrases import Language

_HAN = re.compile(r"[\u3400-\u9fff]")
_LATIN_WORD = re.compile(r"[A-Za-z]+")
_TOKEN = re.compile(r"[\u3400-\u9fff]|[^\W_\u3400-\u9fff]+")


@dataclass(frozen=True)
class Passage:
    """A passage as its source gives it.

    Attributes:
        text: all of it, its heading first where it is the first part of a section.
        headings: the headings above it and its own, outermost first.
        title: of the document.
        parts: in how many parts its section was cut.
    """

    text: str
    headings: tuple[str, ...] = ()
    title: str = ""
    parts: int = 1

    @property
    def heading(self) -> str:
        """What it is called: its heading, else the document's title."""
        return self.headings[-1] if self.headings else self.title


@dataclass(frozen=True)
class PassageRow:
    """A row of task `passage`: its id, its document (else its id), its language, and what it holds."""

    id: str
    group: str
    language: Language
    passage: Passage


def is_passage(rows: pl.DataFrame) -> pl.Series:
    """Which rows are passages (bool, never null)."""
    return (rows["task"] == "passage").fill_null(value=False)


def passage_rows(rows: pl.DataFrame) -> Iterator[PassageRow]:
    """The rows as passages; reads `id`, `messages`, `group`, `language` and `extra`."""
    first = flatten(rows["messages"]).filter(pl.col("turn") == 0)
    texts = dict(first.select("row", "text").iter_rows())
    columns = zip(*(rows[name].to_list() for name in ("id", "group", "language", "extra")), strict=True)
    for row, (id, group, language, extra) in enumerate(columns):
        told: dict[str, Any] = orjson.loads(extra) if extra else {}
        text = texts.get(row) or ""
        headings = tuple(told.get("headings") or ())
        passage = Passage(text, headings, told.get("title") or "", told.get("parts") or 1)
        yield PassageRow(id, group or id, language_of(text, language), passage)


def tokens(text: str) -> list[str]:
    """Words in lower case; of Chinese, characters."""
    return _TOKEN.findall(text.lower())


def language_of(text: str, tag: str | None) -> Language:
    """Chinese where the tag says so, or without one where Han characters outnumber Latin words."""
    if tag is not None:
        return "zh" if tag.partition("-")[0].lower() in ("zh", "cmn", "yue") else "en"
    return "zh" if len(_HAN.findall(text)) > len(_LATIN_WORD.findall(text)) else "en"
