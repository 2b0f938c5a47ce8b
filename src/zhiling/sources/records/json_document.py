"""Files that are one JSON document, element by element: an array, an object around one, or objects in a row.

The document is never parsed as a whole: brackets and commas outside strings tell where an element begins and
ends, and each becomes a line of its own for the reader of JSON Lines. So memory does not grow with the file,
an element that is broken costs only itself, and columns are read as fast as from lines. No string reaches
across a line end, so an open quote cannot swallow the elements behind it where they stand on lines.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import orjson
from numpy.typing import NDArray

from zhiling.pipeline.step import Bad
from zhiling.sources.files.decompress import PIECE_BYTES
from zhiling.sources.files.lines import MAX_LINE_BYTES, Block, checked, count_lines, excerpt
from zhiling.sources.names import known
from zhiling.sources.records.regular_json import escapes_of
from zhiling.sources.records.slices import Positions

Kind = Literal["array", "objects"]

_MARKS = np.zeros(256, dtype=bool)
_MARKS[list(b'"{}[],\n')] = True
_STEP = np.zeros(256, dtype=np.int64)
_STEP[list(b"{[")], _STEP[list(b"}]")] = 1, -1
_KEY_BEFORE = re.compile(rb'("(?:[^"\\]|\\.)*")\s*:\s*$')
_OPEN_LINE = (b"{", b"[", b",")
KEY_BYTES = 200
QUOTE, NEWLINE, COMMA, SPACE, BRACKET = b'"\n, ]'
SEPARATORS = (COMMA, NEWLINE)
BROKEN_STRING = 1  # a control character in place of a line end in a string, which no JSON parser passes


def is_document(start: bytes) -> bool:
    """Whether a `.json` file that begins so is one document; otherwise each of its lines is one.

    A document begins with `[`, or its first line cannot stand alone, or there is no second line.
    """
    text = start.strip()
    first, _, more = text.partition(b"\n")
    return text.startswith(b"[") or (
        text.startswith(b"{") and (not more or first.rstrip().endswith(_OPEN_LINE))
    )


def elements(content: Iterator[bytes | Bad], place: str) -> Iterator[Block | Bad]:
    """The elements of a document as blocks of one line each, with the line of the file where each begins.

    Args:
        content: the file in pieces, with LF as line end.
        place: how the file is called in places.
    """
    return _Reader(place).blocks(content)


@dataclass(frozen=True)
class _Marks:
    """Where elements may end.

    Attributes:
        places: of brackets and commas outside strings, and of line ends within one. A line with such an end
            is broken: its other marks are left out, so behind it the depth is what it was before it.
        kinds: the byte at each place.
        depth: behind each place, from 0.
        newlines: all line ends.
        inside: whether the text ends within a string.
    """

    places: Positions
    kinds: NDArray[np.uint8]
    depth: Positions
    newlines: Positions
    inside: bool


def _marks(text: bytes) -> _Marks:
    content = np.frombuffer(text, dtype=np.uint8)
    places = np.flatnonzero(_MARKS[content])
    if b"\\" in text:
        escaped = escapes_of(content) + 1
        quotes_escaped = escaped[np.take(content, escaped, mode="clip") == QUOTE]
        places = np.delete(places, np.searchsorted(places, quotes_escaped))
    kinds = content[places]
    is_quote, is_newline = kinds == QUOTE, kinds == NEWLINE
    quotes = np.cumsum(is_quote)
    line = np.cumsum(is_newline) - is_newline  # the number of the line in which each mark stands
    before = np.concatenate([[0], quotes[is_newline]])  # quotes before each line
    is_inside = (quotes - before[line]) % 2 == 1
    broken = np.append(is_inside[is_newline], False)
    in_broken = broken[line]
    used = (in_broken & is_newline) | ~(in_broken | is_inside | is_quote | is_newline)
    depth = np.cumsum(_STEP[kinds[used]])
    within = bool(len(quotes)) and (int(quotes[-1]) - int(before[-1])) % 2 == 1
    return _Marks(places[used], kinds[used], depth, places[is_newline], within)


class _Reader:
    """Cuts pieces of text into elements; what is left of one waits for the next piece."""

    def __init__(self, place: str) -> None:
        self._place = place
        self._line = 1  # of the first byte that waits
        self._waiting = b""
        self._kind: Kind | None = None
        self._head: bytes | None = None  # of the object around the array, up to the array,
        self._tail = b""  # and what of it stands behind
        self._depth: int | None = None  # in an element that is too long and passed over,
        self._inside = False  # and whether that is within a string
        self._ended = False

    def blocks(self, content: Iterator[bytes | Bad]) -> Iterator[Block | Bad]:
        for piece in content:
            if isinstance(piece, Bad):
                yield Bad(f"{self._place}:{self._line}", piece.cls, piece.message, piece.excerpt)
                continue
            self._waiting += piece
            if self._ended:
                yield from self._after()
                continue
            if self._kind is None and not self._begin():
                continue
            if self._depth is None or self._passed_over():
                yield from self._cut()
            if len(self._waiting) > MAX_LINE_BYTES:
                yield self._too_long()
        yield from self._end()

    def _begin(self) -> bool:
        """Finds out what the document is and goes to its first element; False while there is only space."""
        start = len(self._waiting) - len(self._waiting.lstrip())
        if start == len(self._waiting):
            return False
        self._kind, at = "objects", start
        if self._waiting[start : start + 1] == b"[":
            self._kind, at = "array", start + 1
        elif wrapped := _wrapped(self._waiting):
            self._kind, at, self._head = "array", wrapped, self._waiting[:wrapped]
        self._forward(at)
        return True

    def _forward(self, size: int) -> None:
        self._line += count_lines(self._waiting[:size])
        self._waiting = self._waiting[size:]

    def _cut(self) -> Iterator[Block | Bad]:
        """The elements that end in what waits."""
        text = self._waiting
        marks = _marks(text)
        ends, behind = self._ends(marks)
        if not len(ends):
            return
        yield from self._block(text, marks, np.concatenate([[0], behind[:-1]]), ends)
        self._forward(int(behind[-1]))
        if self._ended:
            if text[behind[-1] - 1] != BRACKET:
                message = "the array ends with } instead of ]"
                yield Bad(f"{self._place}:{self._line}", "broken_json", message)
                self._head = None
            yield from self._after()

    def _ends(self, marks: _Marks) -> tuple[Positions, Positions]:
        """Where each element ends, and where the next one may begin."""
        depth, kinds = marks.depth, marks.kinds
        if self._kind == "objects":
            lowest = np.minimum(np.minimum.accumulate(depth), 0)  # a bracket too many ends an element too
            ends = marks.places[(depth == lowest) & (kinds != COMMA)] + 1
            return ends, ends
        closing = np.flatnonzero(depth < 0)[:1]
        self._ended = len(closing) > 0
        size = int(closing[0]) if self._ended else len(depth)
        between = np.flatnonzero((depth[:size] == 0) & np.isin(kinds[:size], SEPARATORS))
        ends = marks.places[np.concatenate([between, closing])]
        return ends, ends + 1

    def _block(self, text: bytes, marks: _Marks, starts: Positions, ends: Positions) -> Iterator[Block | Bad]:
        one = bytearray(text)
        shown = np.frombuffer(one, dtype=np.uint8)
        shown[marks.newlines] = SPACE
        shown[marks.places[marks.kinds == NEWLINE]] = BROKEN_STRING
        lines: list[bytes] = []
        begins: list[int] = []
        for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
            line = one[start:end].lstrip()
            if line:
                begins.append(end - len(line))
                lines.append(bytes(line.rstrip()))
        if lines:
            numbers = self._line + np.searchsorted(marks.newlines, np.array(begins))
            block = Block(int(numbers[0]), b"\n".join((*lines, b"")), numbers.tolist())
            yield from checked(block, self._place, "utf-8")

    def _too_long(self) -> Bad:
        """What waits is the beginning of an element that is passed over from here on."""
        message = f"the element has more than {MAX_LINE_BYTES:,} bytes; at most that many are read"
        bad = Bad(
            f"{self._place}:{self._line}", "line_too_long", message, excerpt(self._waiting.lstrip()[:400])
        )
        self._depth, self._inside = 0, False
        self._passed_over()
        return bad

    def _passed_over(self) -> bool:
        """Goes on in an element that is too long; True at its end."""
        text = self._waiting.rstrip(b"\\")  # an escape is not cut in two
        opening = b'"' if self._inside else b""
        marks = _marks(opening + text)
        depth = marks.depth + (self._depth or 0)
        is_end = depth <= 0 if self._kind == "objects" else depth < np.isin(marks.kinds, SEPARATORS)
        ends = np.flatnonzero(is_end)
        if not len(ends):
            self._depth = int(depth[-1]) if len(depth) else self._depth
            self._inside = marks.inside
            self._forward(len(text))
            return False
        end = int(marks.places[ends[0]]) - len(opening)
        self._forward(end if depth[ends[0]] < 0 and self._kind == "array" else end + 1)
        self._depth = None
        return True

    def _after(self) -> Iterator[Bad]:
        """Behind the end of an array nothing may stand but the rest of an object around it."""
        rest = self._waiting.lstrip()
        self._forward(len(self._waiting) - len(rest))
        if self._head is not None:
            self._tail += rest[: MAX_LINE_BYTES - len(self._tail)]
        elif rest and not self._tail:
            message = "there is more behind the end of the array; a file holds one array"
            yield Bad(f"{self._place}:{self._line}", "broken_json", message, excerpt(rest))
            self._tail = rest[:1]  # told once
        self._waiting = b""

    def _around(self, head: bytes) -> Iterator[Bad]:
        """Says so where the object around the array is none; its other fields are not read."""
        try:
            orjson.loads(b"".join((head, b"]", self._tail)))
        except orjson.JSONDecodeError as error:
            message = f"the object around the array is broken: {error.msg}"
            yield Bad(f"{self._place}:{self._line}", "broken_json", message, excerpt(self._tail))

    def _end(self) -> Iterator[Block | Bad]:
        if self._ended and self._head is not None:
            yield from self._around(self._head)
        if self._kind is None or self._ended:
            return
        text = self._waiting
        if text.strip() and self._depth is None:
            marks = _marks(text)
            yield from self._block(text, marks, np.array([0]), np.array([len(text)]))
            self._forward(len(text.rstrip()))
        if self._kind == "array" or self._depth is not None:
            message = "the file ends before its JSON does; copy it again or write it anew"
            yield Bad(f"{self._place}:{self._line}", "broken_json", message, excerpt(text.strip()))


def _wrapped(text: bytes) -> int | None:
    """The place behind the bracket of the first array that an object holds under a usual name."""
    names = known("record")["rows"]
    marks = _marks(text[:PIECE_BYTES])
    for place in marks.places[(marks.depth == 2) & (marks.kinds == ord("["))].tolist():
        key = _KEY_BEFORE.search(text[max(place - KEY_BYTES, 0) : place])
        if key and json.loads(key[1].decode(errors="replace")) in names:
            return place + 1
    return None
