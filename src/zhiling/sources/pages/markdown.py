"""Markdown into sections: ATX and setext headings; fences, comments and front matter hold none.

Source: CommonMark 0.31.2, sections 4.2 (ATX headings), 4.3 (setext), 4.5 (fences), for what ends a section.
Deviation: a setext heading is one line; the text stays Markdown but for its heading marks and comments, and a
table in HTML becomes one in Markdown.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from zhiling.sources.pages.html_text import table_of
from zhiling.sources.pages.passages import Document
from zhiling.sources.pages.sections import SectionBuilder

_ATX = re.compile(r" {0,3}(#{1,6})(?:[ \t](.*))?")
_SETEXT = re.compile(r" {0,3}(=+|-{2,})[ \t]*")
_FENCE = re.compile(r"[ \t]*(`{3,}|~{3,})(.*)")
_ATTRIBUTES = re.compile(r"\{[ \t]*[#.:][^{}]*\}")
_FRONT_TITLE = re.compile(r"title[ \t]*:[ \t]*(.+)")
_HTML_TABLE = re.compile(r"\s*<table[\s>].*</table>\s*", re.IGNORECASE | re.DOTALL)
_NOT_PROSE = re.compile(r"[ \t]*(?:[-*+>|]|\d+[.)][ \t])| {4}|\t")


class _Reader:
    def __init__(self) -> None:
        self.builder = SectionBuilder()
        self.title = ""
        self._lines: list[str] = []
        self._start = 1
        self._fence = ""  # the mark that closes the open fence
        self._comment = False
        self._front = False

    def line(self, number: int, line: str) -> None:
        if number == 1 and line.rstrip() == "---":
            self._front = True
        elif self._front:
            self._front_matter(line)
        elif self._fence:
            self._inside_fence(number, line)
        else:
            self._text(
                number, line if not self._comment and "<!--" not in line else self._without_comment(line)
            )

    def end(self) -> Document:
        self._close()
        return self.builder.document(self.title)

    def _front_matter(self, line: str) -> None:
        title = _FRONT_TITLE.fullmatch(line.rstrip())
        if title and not self.title:
            self.title = title[1].strip().strip("'\"")
        self._front = line.rstrip() not in ("---", "...")

    def _inside_fence(self, number: int, line: str) -> None:
        self._add(number, line)
        mark = line.strip()
        if mark.startswith(self._fence) and not mark.strip(self._fence[0]):
            self._fence = ""

    def _text(self, number: int, line: str) -> None:
        fence, heading = _FENCE.fullmatch(line), _ATX.fullmatch(line)
        if fence and not (fence[1][0] == "`" and "`" in fence[2]):
            self._fence = fence[1]
            self._add(number, line)
        elif heading:
            self._close()
            self.builder.heading(len(heading[1]), _plain(heading[2] or ""), number)
        elif not line.strip():
            self._close()
        elif self._underlined(line):
            text, start = self._lines[0], self._start
            self._lines = []
            self.builder.heading(1 if "=" in line else 2, _plain(text), start)
        else:
            self._add(number, line)

    def _underlined(self, line: str) -> bool:
        """Whether this line makes a heading of the single line of prose above it."""
        return (
            bool(_SETEXT.fullmatch(line)) and len(self._lines) == 1 and not _NOT_PROSE.match(self._lines[0])
        )

    def _without_comment(self, line: str) -> str:
        kept: list[str] = []
        start = 0
        while start < len(line):
            mark = "-->" if self._comment else "<!--"
            end = line.find(mark, start)
            if not self._comment:
                kept.append(line[start : end if end >= 0 else len(line)])
            if end < 0:
                break
            self._comment = not self._comment
            start = end + len(mark)
        return "".join(kept)

    def _add(self, number: int, line: str) -> None:
        if not self._lines:
            self._start = number
        self._lines.append(line)

    def _close(self) -> None:
        if self._lines:
            text = "\n".join(self._lines).strip("\n")
            self.builder.paragraph(table_of(text) if _HTML_TABLE.fullmatch(text) else text, self._start)
        self._lines = []


def read_markdown(lines: Iterable[tuple[int, str]]) -> Document:
    """The document that these numbered lines hold; the front matter gives its title only."""
    reader = _Reader()
    for number, line in lines:
        reader.line(number, line)
    return reader.end()


def _plain(heading: str) -> str:
    """A heading without closing marks, attributes (`{ #anchor }`) and emphasis around the whole of it."""
    text = heading.strip()
    unmarked = text.rstrip("#")
    if not unmarked or unmarked[-1] in " \t":
        text = unmarked.rstrip()
    start = text.rfind("{")
    if start >= 0 and _ATTRIBUTES.fullmatch(text, start):
        text = text[:start].rstrip()
    return text.strip("*").strip()
