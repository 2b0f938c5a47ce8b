"""Documents: manuals and policies into passages, cut at their headings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Annotated, ClassVar

import orjson
import polars as pl
from pydantic import Field

from zhiling.pipeline.step import Bad, Batch, Source
from zhiling.rows.conversation import dialogue
from zhiling.sources.files.archives import is_archive, members
from zhiling.sources.files.decompress import pieces
from zhiling.sources.files.encoding import Encoding
from zhiling.sources.files.lines import Block, decoded_blocks, excerpt, place_of
from zhiling.sources.pages.binary_documents import BINARY, ending, read_binary, require_parser
from zhiling.sources.pages.html_text import read_html
from zhiling.sources.pages.markdown import read_markdown
from zhiling.sources.pages.passages import Document, Passage, passages
from zhiling.sources.pages.plain_text import read_plain_text
from zhiling.sources.pages.python_code import read_python
from zhiling.sources.record_source import SOURCE_ROW, Tag, even, source_frame

READERS: dict[str, Callable[[Iterable[tuple[int, str]]], Document]] = {
    ".md": read_markdown,
    ".markdown": read_markdown,
    ".html": read_html,
    ".htm": read_html,
    ".xhtml": read_html,
    ".txt": read_plain_text,
    ".text": read_plain_text,
    ".py": read_python,
}


class Documents(Source):
    """Markdown, HTML, text, Python, Word, PowerPoint, Excel and PDF files as rows of task `passage`.

    They may be gzipped, or in a tar or zip archive. Each section becomes a passage that begins with its
    heading; a longer one is cut between paragraphs, a long table between rows, with its header repeated.
    `extra` holds the document's title, the path of headings, and the page, slide, sheet or (in Word files
    that do not tell their pages) paragraph. The locator tells them too: `a.pdf#page 3 > Returns`,
    `b.xlsx#sheet Prices!A1:D9`.

    Lists are Markdown lists, tables Markdown tables whose merged cells hold their value once, formulas LaTeX.
    Text that Markdown would take for a heading or a table is escaped. Speaker notes, footnotes, text boxes
    and charts (as tables) are read. Left out are front matter, scripts, styles, navigation and hidden parts
    of HTML, deleted and hidden text and comments of Word, and the running headers and footers of pages. Told
    as bad items are hidden slides and sheets, pages without text (scans), and files that need a password, are
    broken, or would unpack to too much. Word, PowerPoint, Excel and PDF files need the extra `documents`.

    Attributes:
        max_characters: of a passage.
        encoding: of the files; `auto` recognises UTF-8, UTF-16 and GB18030.
        language: of all passages, as a BCP-47 tag.
    """

    name: ClassVar[str] = "documents"

    max_characters: Annotated[int, Field(ge=200)] = 4000
    encoding: Encoding = "auto"
    language: Tag | None = None

    def read(self, files: Sequence[Path], root: Path) -> Iterator[Batch]:
        """Passages of all files in batches of about 20,000.

        Raises:
            MissingExtra: a file needs a parser that is not installed (for one in an archive, in its turn).
        """
        for file in files:
            require_parser(file.name)
        return even(batch for file in files for batch in self._file(file, root))

    def _file(self, file: Path, root: Path) -> Iterator[Batch]:
        place = place_of(file, root)
        if not is_archive(file):
            yield self._document(pieces(file, place), place)
            return
        for member in members(file, place):
            if isinstance(member, Bad):
                yield Batch(pl.DataFrame(schema=SOURCE_ROW), (member,))
            else:
                yield self._document(member.pieces, member.place)

    def _document(self, content: Iterable[bytes | Bad], place: str) -> Batch:
        suffix = ending(place)
        bad: list[Bad] = []
        if suffix in READERS:
            document = READERS[suffix](_lines(decoded_blocks(content, place, self.encoding), bad))
        elif suffix in BINARY:
            document = read_binary(content, place, self.max_characters, bad)
        else:
            known = ", ".join((*READERS, *BINARY))
            message = f"files of type {suffix!r} are not read; {known} are"
            return Batch(pl.DataFrame(schema=SOURCE_ROW), (Bad(place, "unsupported_file", message),))
        found = list(passages(document, self.max_characters))
        if not found and not bad:
            where = place if suffix in BINARY else f"{place}:1"
            bad.append(Bad(where, "empty_file", "the document holds no text", excerpt(document.title)))
        title = document.title or PurePosixPath(place.removesuffix(".gz")).stem
        return Batch(self._rows(found, title, place), tuple(bad))

    def _rows(self, found: list[Passage], title: str, place: str) -> pl.DataFrame:
        if not found:
            return pl.DataFrame(schema=SOURCE_ROW)
        columns = {
            "messages": dialogue(
                {"document": pl.Series("text", [each.text for each in found], dtype=pl.String)}
            ),
            "task": ["passage"] * len(found),
            "language": [self.language] * len(found),
            "extra": [_extra(each, title) for each in found],
            "locator": [_locator(each, place) for each in found],
            "group": [place] * len(found),
        }
        return source_frame(columns, len(found))


def _lines(content: Iterable[Block | Bad], bad: list[Bad]) -> Iterator[tuple[int, str]]:
    """Numbered lines; one that could not be read is blank, so the numbers of all others stay right."""
    expected = 1
    for block in content:
        if isinstance(block, Bad):
            bad.append(block)
            continue
        yield from ((number, "") for number in range(expected, block.first))
        yield from ((number, line.decode()) for number, line in enumerate(block.lines, block.first))
        expected = block.first + len(block.lines)


def _locator(passage: Passage, place: str) -> str:
    """`a.md:12#Returns > Costs`, `a.pdf#page 3 > Returns`, `a.xlsx#sheet Prices!A1:D9`."""
    if isinstance(passage.at, int):
        section = f"#{' > '.join(passage.headings)}" if passage.headings else ""
        return f"{place}:{passage.at}{section}"
    above = () if passage.at.startswith("sheet ") else passage.headings  # the sheet is its heading
    return f"{place}#{' > '.join((passage.at, *above))}"


def _extra(passage: Passage, title: str) -> str:
    extra: dict[str, str | int | tuple[str, ...]] = {"title": title, "headings": passage.headings}
    if isinstance(passage.at, str):
        unit, _, where = passage.at.partition(" ")
        extra[unit] = int(where) if where.isdecimal() else where
    if passage.parts > 1:
        extra |= {"part": passage.part, "parts": passage.parts}
    return orjson.dumps(extra).decode()
