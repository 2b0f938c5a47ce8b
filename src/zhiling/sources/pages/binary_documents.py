"""Word, PowerPoint, Excel and PDF files as documents, by the `documents` extra."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import PurePosixPath

from zhiling.pipeline.step import Bad
from zhiling.sources.pages.office.docx import read_docx
from zhiling.sources.pages.office.package import Package
from zhiling.sources.pages.office.pptx import read_pptx
from zhiling.sources.pages.office.xlsx import read_xlsx
from zhiling.sources.pages.passages import Document
from zhiling.sources.pages.pdf.document import read_pdf
from zhiling.sources.pages.reading import Reading, Unreadable, gathered, parser

_READERS: dict[str, Callable[[bytes, int], Reading]] = {
    ".docx": lambda content, _: read_docx(Package(content)),
    ".docm": lambda content, _: read_docx(Package(content)),
    ".pptx": lambda content, _: read_pptx(Package(content)),
    ".pptm": lambda content, _: read_pptx(Package(content)),
    ".xlsx": lambda content, limit: read_xlsx(Package(content), limit),
    ".xlsm": lambda content, limit: read_xlsx(Package(content), limit),
    ".pdf": lambda content, _: read_pdf(content),
}
BINARY = tuple(_READERS)
"""The endings of files that are read here."""


def ending(name: str) -> str:
    """The ending of a file's name in lower case, before `.gz`."""
    return PurePosixPath(name.lower().removesuffix(".gz")).suffix


def require_parser(name: str) -> None:
    """Raises MissingExtra where the parser for a file of this name is not installed."""
    if ending(name) in _READERS:
        parser("pypdfium2" if ending(name) == ".pdf" else "lxml.etree")


def read_binary(content: Iterable[bytes | Bad], place: str, limit: int, bad: list[Bad]) -> Document:
    """What the document holds; what cannot be read of it is added to `bad`.

    Args:
        content: the file in pieces.
        place: how the file is called in places.
        limit: characters of a passage, so that long tables are cut between rows.
        bad: gets a bad item for each part that cannot be read.

    Raises:
        MissingExtra: the parser for such files is not installed.
    """
    require_parser(place)
    try:
        whole = gathered(content, bad)
        if whole is None:
            return Document("", ())
        if not whole:
            raise Unreadable("empty_file", "the file is empty")
        reading = _READERS[ending(place)](whole, limit)
    except Unreadable as problem:
        bad.append(_bad(problem, place))
        return Document("", ())
    bad += [_bad(each, place) for each in reading.problems]
    return reading.document


def _bad(problem: Unreadable, place: str) -> Bad:
    return Bad(f"{place}#{problem.part}" if problem.part else place, problem.cls, problem.message)
