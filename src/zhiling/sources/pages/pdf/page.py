"""One page of a PDF: its characters in the order of the file, gathered into lines, and its drawn rules."""

from __future__ import annotations

import ctypes
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from zhiling.sources.pages.reading import parser

MAX_CHARACTERS = 500_000  # of a page; a full page of small print has 10,000
MAX_SEGMENTS = 20_000  # of the paths of a page; beyond, it is a drawing and no table is looked for
GAP = 1.0  # times the size of the letters: a wider gap parts two pieces of a line
THIN = 3.0  # points: a filled rectangle of this width is a line
FLAT = 0.05  # times the size: a lower letter is of a font that is not here, its height is not known
LETTER_HEIGHT = 0.7  # times the size, where it is not known
_HYPHEN = "\u00ad"
_PARTING = frozenset({0x2, 0xFFFE, 0xFFFF})  # what PDFium puts for a hyphen that parts a word
_BLANKS = frozenset({0x9, 0xA, 0xD, 0x20})
_ENDINGS = frozenset("\r\n")


@dataclass(frozen=True, slots=True)
class Character:
    """A character and its box in points, y upwards."""

    text: str
    left: float
    bottom: float
    right: float
    top: float
    size: float


class Piece(NamedTuple):
    """Words of a line without a wide gap between them, and where they begin and end."""

    left: float
    right: float
    text: str


@dataclass(frozen=True, slots=True)
class Line:
    """What stands in one line; it keeps no characters, so a long document takes little memory.

    Attributes:
        text: all of it; a hyphen that parts a word at the end of a line is U+00AD.
        pieces: it, cut at gaps wider than its letters are high.
        size: of most letters, in points.
        left: where its box begins; the others likewise, y upwards.
    """

    text: str
    pieces: tuple[Piece, ...]
    size: float
    left: float
    bottom: float
    right: float
    top: float


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


def lines(characters: Iterable[Character]) -> Iterator[Line]:
    """The lines that hold something."""
    gathered: list[Character] = []
    for each in characters:
        if each.text in _ENDINGS or (gathered and _returns(gathered[-1], each)):
            yield from _line(gathered)
            gathered = []
        if each.text not in _ENDINGS:
            gathered.append(each)
    yield from _line(gathered)


def _returns(previous: Character, character: Character) -> bool:
    """Whether a letter begins a line below; PDFium goes on in one behind a hyphen and a raised bullet."""
    is_lower = character.top <= previous.bottom
    return is_lower and character.left < previous.left and not character.text.isspace()


def _line(characters: list[Character]) -> Iterator[Line]:
    shown = [each for each in characters if each.text.strip()]
    if shown:
        size, _ = Counter(each.size for each in shown).most_common(1)[0]
        yield Line(
            "".join(each.text for each in characters).strip(),
            tuple(_pieces(characters, GAP * size)),
            size,
            min(each.left for each in shown),
            min(each.bottom for each in shown),
            max(each.right for each in shown),
            max(each.top for each in shown),
        )


def _pieces(characters: Iterable[Character], gap: float) -> Iterator[Piece]:
    gathered: list[Character] = []
    right = 0.0
    for each in characters:
        if not each.text.strip():
            gathered.append(each)
            continue
        if gathered and each.left - right > gap:
            yield from _piece(gathered)
            gathered = []
        right = each.right
        gathered.append(each)
    yield from _piece(gathered)


def _piece(characters: list[Character]) -> Iterator[Piece]:
    shown = [each for each in characters if each.text.strip()]
    if shown:
        text = "".join(each.text for each in characters).strip()
        yield Piece(min(each.left for each in shown), max(each.right for each in shown), text)


def _characters(text: Any, count: int) -> Iterator[Character]:
    raw = parser("pypdfium2.raw")
    unicode_of, box_of, size_of = raw.FPDFText_GetUnicode, raw.FPDFText_GetCharBox, raw.FPDFText_GetFontSize
    left, right, bottom, top = (ctypes.c_double() for _ in range(4))
    half = 0  # the first half of a surrogate pair
    for index in range(count):
        code = unicode_of(text, index)
        if 0xD800 <= code < 0xDC00:
            half = code
            continue
        if 0xDC00 <= code < 0xE000:
            code = 0x10000 + ((half - 0xD800) << 10) + (code - 0xDC00) if half else 0xFFFD
        half = 0
        if code in _PARTING or (code == ord("-") and raw.FPDFText_IsHyphen(text, index) == 1):
            code = ord(_HYPHEN)
        if code > 0x10FFFF or (code < 0x20 and code not in _BLANKS):
            continue
        if code in _BLANKS:
            yield Character(chr(code), right.value, bottom.value, right.value, top.value, 0.0)
            continue
        box_of(text, index, left, right, bottom, top)
        size = round(size_of(text, index) * 2) / 2
        if top.value - bottom.value < FLAT * size:
            top.value = bottom.value + LETTER_HEIGHT * size
        yield Character(chr(code), left.value, bottom.value, right.value, top.value, size)


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
