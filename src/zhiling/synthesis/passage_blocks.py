"""What a passage is made of: paragraphs, lists, tables and code, each with its place in the text.

Places are in code points, `end` exclusive: `text[place.start:place.end]` stands there word for word.
Source: CommonMark 0.31.2, sections 4.5 (fences), 5.2, 5.3 (lists); GitHub Flavored Markdown, 4.10 (tables).
Deviation: `1、`, `（1）` and `第一步` begin items of an ordered list too; blank lines do not end a list.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

_LINE = re.compile(r"[^\n]+")
_FENCE = re.compile(r"[ \t]*(`{3,}|~{3,})")
_BULLET = re.compile(r"([ \t]*)[-*+•·][ \t]+")
_NUMBER = re.compile(
    r"([ \t]*)(?:\d{1,3}[.)](?:[ \t]+|(?=[\u3400-\u9fff]))|\d{1,3}、[ \t]*|[（(]\d{1,3}[）)][ \t]*"
    r"|第[一二三四五六七八九十]{1,3}步[：:，,、 ]?[ \t]*|[Ss]tep[ \t]\d{1,3}[:.)][ \t]*)"
)
_RULE = re.compile(r"[ \t]*\|?(?:[ \t]*:?-+:?[ \t]*\|)+[ \t]*(?::?-+:?)?[ \t]*")
_CELL = re.compile(r"(?:\\.|[^|\\])+")
_MARKS = re.compile(
    r"`([^`]*)`|!?\[([^\]\n]*)\]\([^)\s]*\)|\*\*|(?<!\w)__?(?=\S)|(?<=\S)__?(?!\w)|(?<![\w*])\*(?=\S)|(?<=\S)\*(?![\w*])"
)
_WRAP = re.compile(r"(\*\*|__|`|\*|_)(.+)\1", re.DOTALL)
_SENTENCE = re.compile(
    r"[^。！？!?.]*(?:[.!?](?=[^\s”’」』\"')）]|[”’」』\"')）]*\s+[a-z])[^。！？!?.]*)*(?:[。！？!?.]+[”’」』\"')）]*|$)"
)


class Place(NamedTuple):
    """Where something stands in the passage."""

    start: int
    end: int


@dataclass(frozen=True)
class Paragraph:
    """Running text."""

    place: Place


@dataclass(frozen=True)
class Item:
    """An item of a list: its own text without mark, and how far its mark is indented."""

    place: Place
    indent: int
    ordered: bool


@dataclass(frozen=True)
class ItemList:
    """A list: its outermost items, and whether these are numbered. Inner items stand in `inner` of theirs."""

    place: Place
    items: tuple[Item, ...]
    inner: tuple[tuple[Item, ...], ...]

    @property
    def ordered(self) -> bool:
        """Whether its items are numbered."""
        return self.items[0].ordered


@dataclass(frozen=True)
class Table:
    """A table: its header and rows, cell by cell; all rows are as wide as the header."""

    place: Place
    header: tuple[Place, ...]
    rows: tuple[tuple[Place, ...], ...]


@dataclass(frozen=True)
class Code:
    """A fenced block, its fences with it."""

    place: Place


Block = Paragraph | ItemList | Table | Code


class _Line(NamedTuple):
    start: int
    end: int
    text: str


def blocks(text: str, heading: str = "") -> list[Block]:
    """The blocks of a passage in order; the heading that it may begin with is none of them."""
    lines = [_Line(match.start(), match.end(), match[0]) for match in _LINE.finditer(text)]
    if heading and lines and lines[0].text.strip() == heading.strip():
        lines = lines[1:]
    found: list[Block] = []
    at = 0
    while at < len(lines):
        if not lines[at].text.strip():
            at += 1
            continue
        block, at = _block(text, lines, at)
        found.append(block)
    return found


def _block(text: str, lines: Sequence[_Line], at: int) -> tuple[Block, int]:
    line = lines[at]
    fence = _FENCE.match(line.text)
    if fence:
        return _code(lines, at, fence[1])
    if "|" in line.text and at + 1 < len(lines) and _RULE.fullmatch(lines[at + 1].text):
        return _table(lines, at)
    if _mark(line.text):
        return _list(text, lines, at)
    end = at + 1
    while end < len(lines) and _adjacent(text, lines, end) and not _begins(lines, end):
        end += 1
    return Paragraph(_trimmed(text, line.start, lines[end - 1].end)), end


def _begins(lines: Sequence[_Line], at: int) -> bool:
    line = lines[at].text
    table = "|" in line and at + 1 < len(lines) and _RULE.fullmatch(lines[at + 1].text)
    return bool(_FENCE.match(line) or _mark(line) or table)


def _mark(line: str) -> re.Match[str] | None:
    return _BULLET.match(line) or _NUMBER.match(line)


def _adjacent(text: str, lines: Sequence[_Line], at: int) -> bool:
    """Whether no blank line stands in front of this one."""
    between = text[lines[at - 1].end : lines[at].start]
    return between.count("\n") < 2 and bool(lines[at].text.strip())


def _code(lines: Sequence[_Line], at: int, fence: str) -> tuple[Code, int]:
    end = at + 1
    while end < len(lines):
        mark = lines[end].text.strip()
        end += 1
        if mark.startswith(fence) and not mark.strip(fence[0]):
            break
    return Code(Place(lines[at].start, lines[end - 1].end)), end


# ---- lists ----


def _list(text: str, lines: Sequence[_Line], at: int) -> tuple[ItemList, int]:
    items: list[Item] = []
    end = at
    outer = _mark(lines[at].text)
    level, ordered = _indent(outer), bool(outer and not _BULLET.match(lines[at].text))
    while end < len(lines):
        line = lines[end]
        mark = _mark(line.text)
        if mark and (_indent(mark) > level or bool(_NUMBER.match(line.text)) == ordered):
            stop = _item_end(text, lines, end)
            place = _trimmed(text, line.start + mark.end(), lines[stop - 1].end)
            items.append(Item(place, _indent(mark), bool(_NUMBER.match(line.text))))
        elif not mark and _indented(line.text) > level and not _FENCE.match(line.text):
            stop = end + 1  # a further paragraph of the item
        else:
            break
        end = stop
    return _nested(items, Place(lines[at].start, lines[end - 1].end)), end


def _item_end(text: str, lines: Sequence[_Line], at: int) -> int:
    end = at + 1
    while end < len(lines) and _adjacent(text, lines, end) and not _begins(lines, end):
        end += 1
    return end


def _indent(mark: re.Match[str] | None) -> int:
    return len(mark[1].expandtabs(4)) if mark else 0


def _indented(line: str) -> int:
    return len(line.expandtabs(4)) - len(line.expandtabs(4).lstrip())


def _nested(items: Sequence[Item], place: Place) -> ItemList:
    """The items that are indented least, each with those below it."""
    level = items[0].indent
    outer: list[Item] = []
    inner: list[list[Item]] = []
    for item in items:
        if item.indent <= level or not outer:
            outer.append(item)
            inner.append([])
        else:
            inner[-1].append(item)
    return ItemList(place, tuple(outer), tuple(map(tuple, inner)))


# ---- tables ----


def _table(lines: Sequence[_Line], at: int) -> tuple[Table, int]:
    header = _cells(lines[at])
    end = at + 2
    rows: list[tuple[Place, ...]] = []
    while end < len(lines) and "|" in lines[end].text and lines[end].start == lines[end - 1].end + 1:
        cells = _cells(lines[end])
        if len(cells) == len(header):
            rows.append(cells)
        end += 1
    return Table(Place(lines[at].start, lines[end - 1].end), header, tuple(rows)), end


def _cells(line: _Line) -> tuple[Place, ...]:
    """Places of a line's cells; an empty one is an empty place."""
    start = len(line.text) - len(line.text.lstrip())
    inside = line.text.strip()
    lead = inside.startswith("|")
    body = inside[lead:]
    body = body[:-1] if body.endswith("|") and not body.endswith("\\|") else body
    found: list[Place] = []
    at = line.start + start + lead
    for piece in _pieces(body):
        if piece != "|":
            found.append(_trimmed(line.text, at - line.start, at - line.start + len(piece), line.start))
        at += len(piece)
    return tuple(found)


def _pieces(body: str) -> Iterator[str]:
    """Cells and the bars between them; an empty cell is an empty piece."""
    at = 0
    while True:
        cell = _CELL.match(body, at)
        yield cell[0] if cell else ""
        at = cell.end() if cell else at
        if at >= len(body):
            return
        yield body[at]
        at += 1


# ---- places and words ----


def _trimmed(text: str, start: int, end: int, offset: int = 0) -> Place:
    piece = text[start:end]
    first = start + len(piece) - len(piece.lstrip())
    return Place(first + offset, max(first, first + len(piece.strip())) + offset)


def bare(text: str, place: Place) -> Place:
    """The place without white space and emphasis around the whole of it."""
    place = _trimmed(text, place.start, place.end)
    wrapped = _WRAP.fullmatch(text, place.start, place.end)
    if wrapped and wrapped[1] not in wrapped[2]:
        return bare(text, Place(*wrapped.span(2)))
    return place


def plain(words: str) -> str:
    """Words without marks of emphasis and code, on one line."""
    return " ".join(_MARKS.sub(lambda mark: mark[1] or mark[2] or "", words).split())


def sentences(text: str, place: Place) -> Iterator[Place]:
    """The sentences of a piece of text, with their final marks."""
    for match in _SENTENCE.finditer(text, place.start, place.end):
        found = _trimmed(text, match.start(), match.end())
        if found.end > found.start:
            yield found
