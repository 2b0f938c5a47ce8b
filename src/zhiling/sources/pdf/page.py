"""One page of a PDF: its characters in the order of the file, gathered into lines, and its drawn rules."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import Any

from zhiling.sources.reading import parser

MAX_CHARACTERS = 500_000  # of a page; a full page of small print has 10,000
MAX_SEGMENTS = 20_000  # of the paths of a page; beyond, it is a drawing and no table is looked for
THIN = 3.0  # points: a filled rectangle of this width is a line
FLAT = 0.05  # times the size: a lower letter is of a font that is not here, its height is not known
LETTER_HEIGHT = 0.7  # times the size, where it is not known
_HYPHEN = "\u00ad"
_ENDINGS = frozenset("\r\n")


@dataclass(frozen=True)
class Character:
    """A character and its box in points, y upwards."""

    text: str
    left: float
    bottom: float
    right: float
    top: float
    size: float


@dataclass(frozen=True)
class Line:
    """Characters that stand in one line, spaces included."""

    characters: tuple[Character, ...]

    @cached_property
    def text(self) -> str:
        """The text; a hyphen at its end that parts a word is U+00AD."""
        return "".join(each.text for each in self.characters).strip()

    @cached_property
    def size(self) -> float:
        """The size of most of its characters, in points."""
        sizes = [each.size for each in self.characters if each.text.strip()]
        return max(set(sizes), key=sizes.count, default=0.0)

    @cached_property
    def box(self) -> tuple[float, float, float, float]:
        """Left, bottom, right, top."""
        shown = [each for each in self.characters if each.text.strip()]
        return (
            min((each.left for each in shown), default=0.0),
            min((each.bottom for each in shown), default=0.0),
            max((each.right for each in shown), default=0.0),
            max((each.top for each in shown), default=0.0),
        )


@dataclass(frozen=True)
class Segment:
    """A straight stroke."""

    x0: float
    y0: float
    x1: float
    y1: float


@dataclass(frozen=True)
class Page:
    """What stands on a page.

    Attributes:
        characters: in the order of the file; line feeds part its lines.
        segments: horizontal and vertical strokes.
        has_pictures: whether anything is drawn or pictured.
        cut: whether it holds more characters than are read.
    """

    characters: list[Character]
    segments: list[Segment]
    has_pictures: bool
    cut: bool = False


def read_page(page: Any) -> Page:
    """The characters and strokes of a page of pypdfium2."""
    text = page.get_textpage()
    try:
        count = text.count_chars()
        characters = list(_characters(text.raw, min(count, MAX_CHARACTERS)))
    finally:
        text.close()
    raw = parser("pypdfium2.raw")
    segments: list[Segment] = []
    pictured = False
    for each in page.get_objects(max_depth=2):
        kind = each.type
        pictured = pictured or kind in (
            raw.FPDF_PAGEOBJ_IMAGE,
            raw.FPDF_PAGEOBJ_PATH,
            raw.FPDF_PAGEOBJ_SHADING,
        )
        if kind == raw.FPDF_PAGEOBJ_PATH and len(segments) < MAX_SEGMENTS and characters:
            segments += _strokes(raw, each)
    return Page(
        characters, segments if len(segments) < MAX_SEGMENTS else [], pictured, count > MAX_CHARACTERS
    )


def lines(characters: list[Character]) -> Iterator[Line]:
    """The lines that hold something."""
    for ends, group in groupby(characters, key=lambda each: each.text in _ENDINGS):
        line = Line(tuple(group))
        if not ends and line.text:
            yield line


def _characters(text: Any, count: int) -> Iterator[Character]:
    raw = parser("pypdfium2.raw")
    left, right, bottom, top = (ctypes.c_double() for _ in range(4))
    high = 0  # the first half of a surrogate pair
    for index in range(count):
        code = raw.FPDFText_GetUnicode(text, index)
        if 0xD800 <= code < 0xDC00:
            high = code
            continue
        if 0xDC00 <= code < 0xE000:
            code = 0x10000 + ((high - 0xD800) << 10) + (code - 0xDC00) if high else 0xFFFD
        high = 0
        if code in (0x2, 0xFFFE, 0xFFFF) or raw.FPDFText_IsHyphen(text, index) == 1:
            code = ord(_HYPHEN)
        if (code < 0x20 and code not in (0x9, 0xA, 0xD)) or code > 0x10FFFF:
            continue
        raw.FPDFText_GetCharBox(text, index, left, right, bottom, top)
        size = round(raw.FPDFText_GetFontSize(text, index) * 2) / 2
        height = top.value - bottom.value
        raised = LETTER_HEIGHT * size if height < FLAT * size and chr(code).strip() else height
        yield Character(chr(code), left.value, bottom.value, right.value, bottom.value + raised, size)


def _strokes(raw: Any, path: Any) -> Iterator[Segment]:
    """The horizontal and vertical sides of a path; a thin filled rectangle is one stroke."""
    left, bottom, right, top = path.get_bounds()
    if right - left <= THIN or top - bottom <= THIN:
        x, y = (left + right) / 2, (bottom + top) / 2
        upright = top - bottom > right - left
        yield Segment(x, bottom, x, top) if upright else Segment(left, y, right, y)
        return
    matrix = path.get_matrix()
    points: list[tuple[float, float]] = []
    x, y = ctypes.c_float(), ctypes.c_float()
    for index in range(min(raw.FPDFPath_CountSegments(path), MAX_SEGMENTS)):
        segment = raw.FPDFPath_GetPathSegment(path, index)
        raw.FPDFPathSegment_GetPoint(segment, x, y)
        point = matrix.on_point(x.value, y.value)
        if raw.FPDFPathSegment_GetType(segment) == raw.FPDF_SEGMENT_MOVETO:
            points = [point]
            continue
        yield from _straight(points[-1], point) if points else ()
        points.append(point)
        if raw.FPDFPathSegment_GetClose(segment):
            yield from _straight(point, points[0])


def _straight(start: tuple[float, float], end: tuple[float, float]) -> Iterator[Segment]:
    (x0, y0), (x1, y1) = sorted((start, end))
    if abs(x1 - x0) <= 0.5 or abs(y1 - y0) <= 0.5:
        yield Segment(x0, min(y0, y1), x1, max(y0, y1))
