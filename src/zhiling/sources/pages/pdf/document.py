"""A PDF into sections; pages without text are told.

Lines that stand at the top or the bottom of most pages, or of three pages and differ in a number alone, are
left out. A table that goes on at the top of the next page is one table.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from zhiling.sources.pages.markdown_table import literal
from zhiling.sources.pages.pdf.columns import with_tables
from zhiling.sources.pages.pdf.flow import (
    MAX_HEADING_CHARACTERS,
    Sizes,
    is_item,
    item,
    joined,
    paragraphs,
    sizes,
)
from zhiling.sources.pages.pdf.grid import Field, Grid, grids, written
from zhiling.sources.pages.pdf.page import MAX_CHARACTERS, Character, Line, Page, lines, read_page
from zhiling.sources.pages.reading import Reading, Unreadable, parser
from zhiling.sources.pages.sections import SectionBuilder

MIN_RUNNING_PAGES = 3
MARGIN_LINES = 2  # lines at the top and bottom of a page that may be running ones
NUMBER = "\0"  # stands for a number that may differ from page to page
_DIGITS = re.compile(r"\d+")


@dataclass(frozen=True)
class _Laid:
    """A page as lines and, between them, tables in Markdown."""

    number: int
    parts: list[Line | str]


def read_pdf(content: bytes) -> Reading:
    """The document's title and sections; places are pages.

    Raises:
        Unreadable: it is no PDF, has no pages, or needs a password.
    """
    pdf = _opened(content)
    try:
        title = (pdf.get_metadata_value("Title") or "").strip()
        pages, problems = _pages(pdf)
    finally:
        pdf.close()
    builder = SectionBuilder()
    running = _running(pages)
    kept = _with_whole_tables([_without_running(page, running) for page in pages])
    looks = sizes(part for page in kept for part in page.parts if isinstance(part, Line))
    for page in kept:
        _add(page, looks, builder)
    return Reading(builder.document(title), tuple(problems))


def _opened(content: bytes) -> Any:
    pdfium, raw = parser("pypdfium2"), parser("pypdfium2.raw")
    try:
        return pdfium.PdfDocument(content)
    except pdfium.PdfiumError as error:
        if _is_sound(content):
            raise Unreadable("empty_file", "the PDF has no pages") from error
        if error.err_code == raw.FPDF_ERR_PASSWORD:
            raise Unreadable("encrypted_file", "the PDF needs a password; save it without one") from error
        if error.err_code == raw.FPDF_ERR_SECURITY:
            raise Unreadable("encrypted_file", "the PDF is protected in a way that is not known") from error
        raise Unreadable("broken_document", f"this is no PDF that can be read: {error}") from error


def _is_sound(content: bytes) -> bool:
    """Whether PDFium opens the file; pypdfium2 raises for one without pages, with a stale error code."""
    raw = parser("pypdfium2.raw")
    opened = raw.FPDF_LoadMemDocument64(content, len(content), None)
    if opened:
        raw.FPDF_CloseDocument(opened)
    return bool(opened)


def _pages(pdf: Any) -> tuple[list[_Laid], list[Unreadable]]:
    pdfium = parser("pypdfium2")
    laid: list[_Laid] = []
    problems: list[Unreadable] = []
    scanned: list[int] = []
    for number in range(1, len(pdf) + 1):
        try:
            page = pdf[number - 1]
            try:
                found = read_page(page)
            finally:
                page.close()
        except pdfium.PdfiumError as error:
            problems.append(Unreadable("broken_page", f"the page cannot be read: {error}", f"page {number}"))
            continue
        if found.cut:
            message = f"the page has more than {MAX_CHARACTERS:,} characters; the rest is not read"
            problems.append(Unreadable("page_too_large", message, f"page {number}"))
        if any(each.text.strip() for each in found.characters):
            laid.append(_Laid(number, list(_parts(found))))
        elif found.has_pictures:
            scanned.append(number)
    if scanned:
        problems.append(_no_text(scanned, len(pdf)))
    return laid, problems


def _no_text(numbers: list[int], total: int) -> Unreadable:
    message = f"{len(numbers)} of {total} pages without text: a scan? run OCR first"
    return Unreadable("no_text_layer", message, f"page {_ranges(numbers)}")


def _ranges(numbers: list[int]) -> str:
    """`1-3, 7` for 1, 2, 3, 7; the first five ranges."""
    ranges: list[list[int]] = []
    for number in numbers:
        if ranges and number == ranges[-1][1] + 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    told = [f"{first}-{last}" if last > first else str(first) for first, last in ranges[:5]]
    return ", ".join([*told, "…"] if len(ranges) > len(told) else told)


def _parts(page: Page) -> Iterator[Line | str]:
    """Lines and tables in the order of the file; a table stands where its first character does.

    White space belongs to where the character before it stands: its own box is often empty.
    """
    found = grids(page.segments)
    inside: list[list[tuple[Field, Character]]] = [[] for _ in found]
    order: list[Line | int] = []
    outside: list[Character] = []
    place: tuple[int, Field] | None = None
    for character in page.characters:
        if character.text.strip():
            before, place = place, _place(found, character)
            if place is None and before is not None:
                outside.append(replace(character, text="\n"))
        if place is None:
            outside.append(character)
            continue
        index, field = place
        if not inside[index]:
            order += [*lines(outside), index]
            outside = []
        inside[index].append((field, character))
    for part in [*order, *lines(outside)]:
        yield part if isinstance(part, Line) else written(found[part], inside[part])


def _place(found: Sequence[Grid], character: Character) -> tuple[int, Field] | None:
    """The number of the grid that a character stands in, and the field."""
    for index, grid in enumerate(found):
        if (field := grid.field_of(character)) is not None:
            return index, field
    return None


def _running(pages: Sequence[_Laid]) -> frozenset[str]:
    """Headers and footers: lines at an edge of most pages; with a number in them three pages are enough."""
    counts: Counter[str] = Counter()
    for page in pages:
        edges = [*page.parts[:MARGIN_LINES], *page.parts[-MARGIN_LINES:]]
        counts.update({_key(part) for part in edges if isinstance(part, Line)})
    most = max(MIN_RUNNING_PAGES, len(pages) / 2)
    return frozenset(
        key for key, count in counts.items() if count >= (MIN_RUNNING_PAGES if NUMBER in key else most)
    )


def _key(line: Line) -> str:
    return _DIGITS.sub(NUMBER, line.text)


def _without_running(page: _Laid, running: frozenset[str]) -> _Laid:
    last = len(page.parts) - MARGIN_LINES
    kept = [
        part
        for index, part in enumerate(page.parts)
        if not isinstance(part, Line) or MARGIN_LINES <= index < last or _key(part) not in running
    ]
    return _Laid(page.number, kept)


def _with_whole_tables(pages: Sequence[_Laid]) -> list[_Laid]:
    """The pages, a table at the top of one joined to that at the end of the one before."""
    kept: list[_Laid] = []
    for page in pages:
        first, last = (page.parts or [""])[0], (kept[-1].parts or [""])[-1] if kept else ""
        if isinstance(first, str) and isinstance(last, str) and (whole := _joined_table(last, first)):
            kept[-1].parts[-1] = whole
            page = _Laid(page.number, page.parts[1:])  # noqa: PLW2901
        kept.append(page)
    return kept


def _joined_table(table: str, rest: str) -> str:
    """Both tables as one, a repeated header once; empty where they do not have the same columns."""
    head, *_ = above = table.split("\n")
    again, *rows = rest.split("\n")
    if len(above) < 2 or not rows or above[1] != rows[0]:
        return ""
    return "\n".join([*above, *([] if again == head else [again]), *rows[1:]])


def _add(page: _Laid, looks: Sizes, builder: SectionBuilder) -> None:
    at = f"page {page.number}"
    run: list[Line] = []
    for part in page.parts:
        if isinstance(part, Line):
            run.append(part)
            continue
        _add_lines(run, looks, builder, at)
        run = []
        builder.paragraph(part, at)
    _add_lines(run, looks, builder, at)


def _add_lines(run: Sequence[Line], looks: Sizes, builder: SectionBuilder, at: str) -> None:
    for part in with_tables(run):
        if isinstance(part, str):
            builder.paragraph(part, at)
        else:
            _add_text(part, looks, builder, at)


def _add_text(run: Sequence[Line], looks: Sizes, builder: SectionBuilder, at: str) -> None:
    items: list[str] = []
    for group in paragraphs(run):
        text = joined(group)
        level = looks.level(group[0]) if len(text) <= MAX_HEADING_CHARACTERS else 0
        if is_item(text) and not level:
            items.append(item(text))
            continue
        if items:
            builder.paragraph("\n".join(items), at)
            items = []
        if level:
            builder.heading(level, text, at)
        else:
            builder.paragraph(literal(text), at)
    if items:
        builder.paragraph("\n".join(items), at)
