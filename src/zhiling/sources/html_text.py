"""HTML into sections: headings, paragraphs, lists, tables and code; no script, style or navigation."""

from __future__ import annotations

import re
from collections.abc import Iterable

from zhiling.sources.markup import Token, tokens
from zhiling.sources.passages import Document
from zhiling.sources.sections import SectionBuilder

IGNORED = frozenset(
    {
        "script",
        "style",
        "nav",
        "template",
        "noscript",
        "svg",
        "iframe",
        "head",
        "select",
        "button",
        "textarea",
    }
)
BREAKS = frozenset({"br", "tr", "li", "dt", "dd", "figcaption", "caption"})
BLOCKS = frozenset(
    {
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
    }
    | {"tbody", "pre", "blockquote", "figure", "form", "hr", "address", "details", "summary", "fieldset"}
    | {"body", "html"}
)
HEADINGS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})
CELLS = frozenset({"td", "th"})
MAX_DEPTH = 100  # of ignored elements in each other
_SPACE = re.compile(r"[ \t\r\n\f]+")


class _Reader:
    def __init__(self) -> None:
        self.builder = SectionBuilder()
        self.title = ""
        self._parts: list[str] = []
        self._line = 0  # of the first text of the paragraph
        self._ignored: list[str] = []  # open elements whose text is none
        self._in_title = False
        self._verbatim = 0

    def take(self, token: Token) -> None:
        if token.kind == "text":
            self._text(token)
        elif token.value == "title":
            self._in_title = token.kind == "start" and "svg" not in self._ignored
        elif token.kind == "start":
            self._start(token.value)
        else:
            self._end(token.value)

    def document(self) -> Document:
        self._close()
        return self.builder.document(_SPACE.sub(" ", self.title).strip())

    def _start(self, tag: str) -> None:
        if tag == "body":
            self._ignored.clear()  # a head that was never closed ends here
        if tag in IGNORED and len(self._ignored) < MAX_DEPTH:
            self._ignored.append(tag)
        if self._ignored:
            return
        if tag in HEADINGS or tag in BLOCKS:
            self._close()
        elif tag in BREAKS:
            self._break()
        elif tag in CELLS and self._parts and not self._parts[-1].endswith("\n"):
            self._parts.append(" | ")
        if tag == "li":
            self._parts.append("- ")
        self._verbatim += tag == "pre"

    def _end(self, tag: str) -> None:
        if tag in self._ignored:
            while self._ignored.pop() != tag:
                pass
            return
        if self._ignored:
            return
        if tag in HEADINGS:
            self.builder.heading(int(tag[1]), *self._heading())
        elif tag in BLOCKS:
            self._close()
        elif tag in BREAKS:
            self._break()
        if tag == "pre":
            self._verbatim = max(0, self._verbatim - 1)

    def _text(self, token: Token) -> None:
        text = token.value
        if self._in_title:
            self.title += text
        elif not self._ignored:
            if not self._line and text.strip():
                self._line = token.line + text[: len(text) - len(text.lstrip())].count("\n")
            self._parts.append(text if self._verbatim else _SPACE.sub(" ", text))

    def _break(self) -> None:
        if self._parts and not self._parts[-1].endswith("\n"):
            self._parts.append("\n")

    def _taken(self) -> tuple[str, int]:
        text, line = "".join(self._parts), self._line
        self._parts, self._line = [], 0
        return text, line

    def _heading(self) -> tuple[str, int]:
        text, line = self._taken()
        return " ".join(text.split()), line

    def _close(self) -> None:
        text, line = self._taken()
        if not self._verbatim:
            lines = (each.strip() for each in text.split("\n"))
            text = "\n".join(each for each in lines if each not in ("", "-", "|"))
        self.builder.paragraph(text.strip("\n"), line)


def read_html(lines: Iterable[tuple[int, str]]) -> Document:
    """The document that these numbered lines hold; `<title>` gives its title, else the first heading."""
    reader = _Reader()
    for token in tokens("\n".join(line for _, line in lines)):
        reader.take(token)
    return reader.document()
