"""Recall of words and of table cells: how much of a reference a reading of the same document holds.

Both sides are Markdown and go through the same reduction: comments, link targets, entities and escapes
are resolved, marks of emphasis dropped, everything folded by NFKC and to lower case.

* Words: runs of letters and digits; in Han script each character is one. They are counted as a multiset,
  so a word that stands twice in the reference must be found twice (a merged cell that one side repeats counts
  once: equal neighbours in a row or column of a table are one). Recall = found / in the reference;
  extra = words of the reading beyond the reference / words of the reading.
* Cells: the contents of Markdown table cells that are not empty, without white space, as a multiset.
  A cell counts as found only if it is a whole cell of some table of the reading; equal neighbours are one.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from dataclasses import dataclass
from html import unescape
from itertools import pairwise

_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_LINK = re.compile(r"!?\[((?:[^\[\]]|\[[^\[\]]*\])*)\]\([^()\s]*(?:\([^()]*\)[^()\s]*)*(?:\s+\"[^\"]*\")?\)")
_TAG = re.compile(r"</?[a-zA-Z][^<>]*>")
_ESCAPE = re.compile(r"\\([!-/:-@\[-`{-~])")
_EMPHASIS = re.compile(r"[*_~`]+")
_WORD = re.compile(r"[\u2e80-\u9fff\uf900-\ufaff]|[^\W_\u2e80-\u9fff\uf900-\ufaff]+")
_PIPE = re.compile(r"(?<!\\)\|")
_RULE = re.compile(r"\|?[\s:|-]*-[\s:|-]*\|?")


@dataclass
class Score:
    """Counts that can be added over files; `wanted` and `given` are sizes of reference and reading."""

    wanted: int = 0
    found: int = 0
    given: int = 0

    def add(self, reference: Counter[str], reading: Counter[str]) -> None:
        """Counts one document."""
        self.wanted += reference.total()
        self.found += (reference & reading).total()
        self.given += reading.total()

    @property
    def recall(self) -> float:
        """Share of the reference that was found; 1 where it is empty."""
        return self.found / self.wanted if self.wanted else 1.0

    @property
    def extra(self) -> float:
        """Share of the reading that the reference does not hold; 0 where it is empty."""
        return 1 - self.found / self.given if self.given else 0.0


def plain(markdown: str) -> str:
    """The text without marks, targets, tags and escapes."""
    text = unescape(_COMMENT.sub(" ", markdown))
    for _ in range(2):  # an image in a link
        text = _LINK.sub(r"\1", text)
    text = _ESCAPE.sub(r"\1", _TAG.sub(" ", text))
    return unicodedata.normalize("NFKC", text).casefold()


def words(markdown: str) -> Counter[str]:
    """The words of a document, as often as they occur."""
    outside, tables = _parted(markdown)
    cells = [cell for table in tables for cell in _distinct(table)]
    return Counter(_WORD.findall("\n".join([plain("\n".join(outside)), *map(plain, cells)])))


def cells(markdown: str) -> Counter[str]:
    """The table cells of a document, as often as they occur."""
    _, tables = _parted(markdown)
    return Counter(filter(None, (_bare(cell) for table in tables for cell in _distinct(table))))


def _parted(markdown: str) -> tuple[list[str], list[list[list[str]]]]:
    """The lines outside of tables, and the tables as rows of cells."""
    lines = [line.strip() for line in _COMMENT.sub("", markdown).splitlines()]
    outside: list[str] = []
    tables: list[list[list[str]]] = []
    inside = False
    for line, following in pairwise([*lines, "", ""]):
        begins = "|" in line and _is_rule(following)
        if begins and not inside:
            tables.append([])
        inside = "|" in line and (inside or begins)
        if not inside:
            outside.append(line)
        elif not _is_rule(line):
            tables[-1].append(_PIPE.split(line.removeprefix("|").removesuffix("|")))
    return outside, tables


def _is_rule(line: str) -> bool:
    return "|" in line and "-" in line and _RULE.fullmatch(line) is not None


def _bare(content: str) -> str:
    return "".join(_EMPHASIS.sub("", plain(content)).split())


def _distinct(table: list[list[str]]) -> list[str]:
    """Contents of a table that are not empty; equal neighbours (a merged cell, repeated) once."""
    kept: list[str] = []
    bare = [[_bare(cell) for cell in row] for row in table]
    for index, row in enumerate(bare):
        above = bare[index - 1] if index else []
        for column, content in enumerate(row):
            left = row[column - 1] if column else ""
            up = above[column] if column < len(above) else ""
            if content and content not in (left, up):
                kept.append(table[index][column])
    return kept
