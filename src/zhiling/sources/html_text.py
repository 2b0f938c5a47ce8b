"""HTML into sections: headings, paragraphs, lists, tables and code; no script, style or navigation."""

from __future__ import annotations

import re
from collections.abc import Iterable
from html.parser import HTMLParser

from zhiling.sources.passages import Document
from zhiling.sources.sections import SectionBuilder

IGNORED = frozenset(
    {"script", "style", "nav", "template", "noscript", "svg", "iframe", "head", "select", "button"}
)
INLINE_BREAKS = frozenset({"br", "tr", "li", "dt", "dd", "option", "figcaption", "caption"})
BLOCKS = frozenset(
    (
        "p",
        "div",
        "section",
        "article",
        "main",
        "header",
        "footer",
        "aside",
        "ul",
        "ol",
        "dl",
        "table",
        "thead",
        "tbody",
        "pre",
        "blockquote",
        "figure",
        "form",
        "hr",
        "address",
        "details",
        "summary",
        "fieldset",
        "body",
        "html",
    )
)
HEADINGS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})
CELLS = frozenset({"td", "th"})
_SPACE = re.compile(r"[ \t\r\n\f]+")


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.builder = SectionBuilder()
        self.title = ""
        self._parts: list[str] = []
        self._line = 0
        self._ignored: list[str] = []  # open elements whose text is none
        self._in_title = False
        self._verbatim = 0
        self._lists: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "title" and "svg" not in self._ignored:
            self._in_title = True
        if tag == "body":
            self._ignored.clear()  # a head that was never closed ends here
        if tag in IGNORED:
            self._ignored.append(tag)
        if self._ignored:
            return
        if tag in HEADINGS or tag in BLOCKS:
            self._close()
        elif tag in INLINE_BREAKS:
            self._break()
        if tag in CELLS and self._parts and not self._parts[-1].endswith("\n"):
            self._parts.append(" | ")
        if tag == "li":
            self._parts.append("- ")
        self._verbatim += tag == "pre"

    def handle_endtag(self, tag: str) -> None:
        if tag == "title":
            self._in_title = False
        if tag in self._ignored:
            del self._ignored[self._ignored.index(tag) :]
            return
        if self._ignored:
            return
        if tag in HEADINGS:
            self._heading(int(tag[1]))
        elif tag in BLOCKS:
            self._close()
        elif tag in INLINE_BREAKS:
            self._break()
        if tag == "pre":
            self._verbatim = max(0, self._verbatim - 1)

    def handle_data(self, data: str) -> None:
        if self._in_title:
            self.title += data
        elif not self._ignored:
            if data.strip() and not self._line:
                self._line = self.getpos()[0] + data[: len(data) - len(data.lstrip())].count("\n")
            self._parts.append(data if self._verbatim else _SPACE.sub(" ", data))

    def end(self) -> Document:
        self._close()
        return self.builder.document(_SPACE.sub(" ", self.title).strip())

    def _break(self) -> None:
        if self._parts and not self._parts[-1].endswith("\n"):
            self._parts.append("\n")

    def _taken(self) -> tuple[str, int]:
        text, line = "".join(self._parts), self._line or self.getpos()[0]
        self._parts, self._line = [], 0
        if not self._verbatim:
            text = "\n".join(each.strip() for each in text.split("\n"))
            text = "\n".join(each for each in text.split("\n") if each not in ("", "-", "|"))
        return text, line

    def _close(self) -> None:
        text, line = self._taken()
        self.builder.paragraph(text.strip("\n"), line)

    def _heading(self, level: int) -> None:
        text, line = self._taken()
        self.builder.heading(level, " ".join(text.split()), line)


def read_html(lines: Iterable[tuple[int, str]]) -> Document:
    """The document that these numbered lines hold; `<title>` gives its title, else the first heading.

    Raises:
        ValueError: markup that no parser can make sense of, such as `<![x`.
    """
    reader = _Reader()
    try:
        for _, line in lines:
            reader.feed(line + "\n")
        reader.close()
    except AssertionError as error:  # how the standard parser reports a broken declaration
        raise ValueError(str(error)) from error
    return reader.end()
