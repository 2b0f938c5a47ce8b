"""SQuAD's own files: one JSON object whose `data` lists articles, read article by article.

The published files are one line of up to 40 MB, so neither lines nor the whole document are held in memory.
What stands beside `data` (a version) is of the file, not of a row, and is not read.
"""

from __future__ import annotations

import json
import re
from codecs import getincrementaldecoder
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import Any

import orjson

from zhiling.pipeline.step import Bad
from zhiling.sources.decompress import pieces
from zhiling.sources.files import excerpt
from zhiling.sources.json_values import as_object, noun
from zhiling.sources.records import Records

MAX_ARTICLE_CHARACTERS = 32_000_000
ARTICLES_AT_ONCE = 10

_OPENING = re.compile(r'\ufeff?\s*\{[^\[\]{}]*?"data"\s*:\s*\[\s*\{')
_CLOSING = re.compile(r"\][^\[\]{}]*\}\s*")
_DECODER = json.JSONDecoder()
_BETWEEN = re.compile(r"[\s,]*")


def squad_records(file: Path, place: str) -> Iterator[Records] | None:
    """The articles of a file as records; None where it does not begin as SQuAD's files do."""
    if ".json" not in (suffix.lower() for suffix in file.suffixes):
        return None
    content = iter(pieces(file, place))
    first = next(content, b"")
    if isinstance(first, Bad):
        return None
    opening = _OPENING.match(first[:100_000].decode("utf-8", errors="ignore"))
    if opening is None or b'"paragraphs"' not in first:
        return None
    return _batches(_Articles(chain([first], content), place, opening.end() - 1), place)


def _batches(articles: _Articles, place: str) -> Iterator[Records]:
    found = iter(articles)
    while batch := list(islice(found, ARTICLES_AT_ONCE)):
        read = [(line, item) for line, item in batch if not isinstance(item, Bad)]
        bad = [item for _, item in batch if isinstance(item, Bad)]
        yield Records(place, [line for line, _ in read], [item for _, item in read], bad)


class _Articles:
    """The elements of `data` with the line where each begins; a Bad where one cannot be read."""

    def __init__(self, content: Iterable[bytes | Bad], place: str, start: int) -> None:
        self._content, self._place = iter(content), place
        self._decode = getincrementaldecoder("utf-8")().decode
        self._text, self._at, self._line = "", 0, 1
        self._failure: Bad | None = None
        while len(self._text) <= start and self._more():
            pass
        self._move(start)

    def __iter__(self) -> Iterator[tuple[int, dict[str, Any] | Bad]]:
        while True:
            self._move(self._between())
            if self._text.startswith("]", self._at):
                if (left := self._left_over()) is not None:
                    yield self._line, left
                return
            end = self._end()
            if isinstance(end, Bad):
                yield self._line, end
                return
            yield self._line, self._article(self._text[self._at : end])
            self._move(end)

    def _end(self) -> int | Bad:
        """Where the article ends; a Bad where that cannot be told, so what follows is not read."""
        while True:
            try:
                return _DECODER.raw_decode(self._text, self._at)[1]
            except json.JSONDecodeError as error:
                if len(self._text) - self._at < MAX_ARTICLE_CHARACTERS and self._more():
                    continue
                return self._failure or self._bad("broken_json", f"{error.msg}; what follows is not read")
            except RecursionError:
                return self._bad("too_deep", "the article is nested too deeply; what follows is not read")

    def _article(self, text: str) -> dict[str, Any] | Bad:
        try:  # a second time and strictly: no NaN, no half of a surrogate pair
            item: Any = orjson.loads(text)
        except orjson.JSONDecodeError as error:
            return self._bad("broken_json", f"{error.msg}; an article must be one JSON object")
        article = as_object(item)
        if article is None:
            needed = "an object with paragraphs is needed"
            return self._bad("not_an_object", f"an article is {noun(item)}; {needed}")
        return article

    def _between(self) -> int:
        """Where the next article begins."""
        while True:
            found = _BETWEEN.match(self._text, self._at)
            end = found.end() if found else self._at
            if end < len(self._text) or not self._more():
                return end

    def _left_over(self) -> Bad | None:
        """What stands behind the list of articles, where that is more than facts of the file."""
        while len(self._text) - self._at < MAX_ARTICLE_CHARACTERS and self._more():
            pass
        if self._failure is None and not _CLOSING.fullmatch(self._text, self._at):
            message = "the file goes on behind the list `data`; one object with articles is read"
            return self._bad("broken_json", message)
        return self._failure

    def _more(self) -> bool:
        """Reads on; False at the end of the file or of what can be read of it."""
        piece = next(self._content, None)
        if piece is None or isinstance(piece, Bad):
            self._failure = self._failure or piece
            return False
        try:
            text = self._decode(piece)
        except UnicodeDecodeError as error:
            broken = error.object
            message = f"byte 0x{broken[error.start]:02x} is not UTF-8; what follows is not read"
            self._failure = self._bad("undecodable", message)
            self._content = iter(())
            text = broken[: error.start].decode()
        self._text, self._at = self._text[self._at :] + text, 0
        return True

    def _move(self, end: int) -> None:
        self._line += self._text.count("\n", self._at, end)
        self._at = end

    def _bad(self, cls: str, message: str) -> Bad:
        return Bad(
            f"{self._place}:{self._line}", cls, message, excerpt(self._text[self._at : self._at + 200])
        )
