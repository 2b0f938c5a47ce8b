"""Tags and texts of HTML in one pass, whatever is broken in it.

The standard parser needs quadratic time for tags that are never closed (46 s for 60 kB of `<a `), so a
short file could stall a run. This one looks at no character more than a few times.
Source: HTML Living Standard, section 13.2.5 (tokenization), for comments, raw text and quoted attributes.
Deviation: attributes are kept as they stand; text behind a tag that never ends is text, not dropped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from typing import Literal, NamedTuple

RAW = {
    name: re.compile(f"</{name}(?=[\\s/>])", re.IGNORECASE)
    for name in ("script", "style", "textarea", "title")
}
_TAG_NAME = re.compile(r"/?([a-zA-Z][^\s/>]*)")
_TAG_PART = re.compile(r"[^>\"']*")


class Token(NamedTuple):
    """A start tag, an end tag (`value`: its name in lower case) or a text, and the line where it begins.

    `source` is what stands between the name of a start tag and its end.
    """

    kind: Literal["start", "end", "text"]
    value: str
    line: int
    source: str = ""


def tokens(content: str) -> Iterator[Token]:
    """The tokens of a document; comments, declarations, scripts and styles are passed over."""
    return _Tokens(content).read()


class _Tokens:
    def __init__(self, content: str) -> None:
        self._content = content
        self._place = 0
        self._counted = 0  # up to here line breaks are counted
        self._line = 1
        self._last = content.rfind(">")  # behind it no tag ends, so none is looked for
        self._quotes = True  # until a quote that never ends shows that they cannot be trusted

    def read(self) -> Iterator[Token]:
        content = self._content
        while self._place < len(content):
            tag = content.find("<", self._place)
            if tag != self._place:
                yield self._text(self._place, tag if tag >= 0 else len(content))
            if tag < 0:
                return
            yield from self._markup(tag)

    def _markup(self, tag: int) -> Iterator[Token]:
        content = self._content
        name = _TAG_NAME.match(content, tag + 1)
        if content.startswith("<!--", tag):
            self._skip("-->", tag + 4)
        elif content[tag + 1 : tag + 2] in ("!", "?"):
            self._skip(">", tag)
        elif name is None or (end := self._end(name.end())) < 0:
            yield self._text(tag, tag + 1)  # a lone `<`
        else:
            closing = content[tag + 1] == "/"
            lower = name[1].lower()
            source = "" if closing else content[name.end() : end - 1]
            yield Token("end" if closing else "start", lower, self._line_of(tag), source)
            self._place = end
            if lower in RAW and not closing:
                yield from self._raw(lower)

    def _raw(self, name: str) -> Iterator[Token]:
        """The content of an element that holds no tags; that of scripts and styles is dropped."""
        found = RAW[name].search(self._content, self._place)
        end = found.start() if found else len(self._content)
        if name in ("title", "textarea") and end > self._place:
            yield self._text(self._place, end)
        self._place = end

    def _text(self, start: int, end: int) -> Token:
        self._place = end
        return Token("text", unescape(self._content[start:end]), self._line_of(start))

    def _skip(self, mark: str, start: int) -> None:
        end = self._content.find(mark, start)
        self._place = end + len(mark) if end >= 0 else len(self._content)

    def _end(self, place: int) -> int:
        """The place behind the `>` that ends a tag; -1 where none does."""
        content, start = self._content, place
        if start > self._last:
            return -1
        while self._quotes:
            part = _TAG_PART.match(content, place)
            place = part.end() if part else place
            if content[place : place + 1] == ">":
                return place + 1
            quote = content[place : place + 1]
            place = content.find(quote, place + 1) + 1 if quote else 0
            if not place:
                self._quotes = False
        return content.find(">", start) + 1

    def _line_of(self, place: int) -> int:
        self._line += self._content.count("\n", self._counted, place)
        self._counted = place
        return self._line
