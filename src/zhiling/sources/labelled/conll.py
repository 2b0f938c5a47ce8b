"""Token lines with columns (CoNLL): a blank line ends a sentence, `-DOCSTART-` begins a document."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from zhiling.pipeline.step import Bad
from zhiling.sources.files.lines import Block, excerpt
from zhiling.sources.records.records import Records

SUFFIXES = frozenset({".conll", ".bio", ".iob", ".iob2", ".bioes", ".bmes"})
DOCUMENT_START = "-DOCSTART-"
RECORDS_AT_ONCE = 10_000
MAX_TOKENS = 20_000
"""Of one sentence: a file without blank lines is no file of sentences."""

_COLUMNS = re.compile(r"[ \t]+")
_TAG = re.compile(r"O|[BIESULM][-_]\S+")


def is_conll(file: Path, first: Block | Bad | None) -> bool:
    """Whether a file holds token lines: by its name; a `.txt` by its first lines, which end in tags."""
    suffixes = [suffix.lower() for suffix in file.suffixes if suffix.lower() != ".gz"]
    if suffixes and suffixes[-1] in SUFFIXES:
        return True
    if not suffixes or suffixes[-1] != ".txt" or not isinstance(first, Block):
        return False
    cells = [_cells(line) for line in list(first.lines)[:200] if line.strip()]
    return bool(cells) and all(len(each) == len(cells[0]) > 1 and _TAG.fullmatch(each[-1]) for each in cells)


def conll_records(blocks: Iterable[Block | Bad], place: str) -> Iterator[Records]:
    """Sentences as records: `tokens` (first column), `tags` (last), `column_2` … for those between.

    A sentence in which a line has another number of columns is a Bad at that line. Where documents are
    marked, `document` is the place and the document's number.
    """
    empty = True
    for records in _gathered(blocks, _Sentences(place)):
        empty = empty and not records.items and not records.bad
        yield records
    if empty:
        yield Records(place, [], [], [Bad(f"{place}:1", "empty_file", "the file holds no sentence")])


def _gathered(blocks: Iterable[Block | Bad], sentences: _Sentences) -> Iterator[Records]:
    for block in blocks:
        if isinstance(block, Bad):
            sentences.spoil(block)
            continue
        for number, line in zip(block.numbers, block.lines, strict=True):
            sentences.add(number, line)
            if len(sentences.items) >= RECORDS_AT_ONCE:
                yield sentences.take()
    sentences.end()
    yield sentences.take()


class _Sentences:
    """Gathers lines into sentences."""

    def __init__(self, place: str) -> None:
        self.place = place
        self.items: list[dict[str, Any]] = []
        self._lines: list[int] = []
        self._bad: list[Bad] = []
        self._rows: list[list[str]] = []
        self._first = self._documents = 0
        self._problem: Bad | None = None

    def add(self, number: int, line: bytes) -> None:
        """One line of the file."""
        if not line.strip():
            self.end()
            return
        cells = _cells(line)
        if cells[0] == DOCUMENT_START:
            self.end()
            self._documents += 1
            return
        if not self._rows:
            self._first = number
        if len(self._rows) < MAX_TOKENS:
            self._rows.append(cells)
        if self._problem is None:
            self._problem = self._check(number, line, cells)

    def _check(self, number: int, line: bytes, cells: list[str]) -> Bad | None:
        wanted = len(self._rows[0])
        if len(self._rows) >= MAX_TOKENS:
            message = f"a sentence has {MAX_TOKENS} tokens or more; a blank line ends a sentence"
            return Bad(f"{self.place}:{self._first}", "sentence_too_long", message, excerpt(line))
        if len(cells) < 2 or len(cells) != wanted:
            message = (
                f"{len(cells)} columns where the sentence begins with {wanted}; a token and its tag at least"
            )
            return Bad(f"{self.place}:{number}", "ragged_tokens", message, excerpt(line))
        return None

    def spoil(self, bad: Bad) -> None:
        """A line that could not be read: the sentence around it is left out."""
        self._bad.append(bad)
        if self._rows:
            message = "a line of the sentence could not be read; it is left out"
            self._problem = self._problem or Bad(f"{self.place}:{self._first}", "damaged_sentence", message)

    def end(self) -> None:
        """The sentence is over."""
        rows, self._rows = self._rows, []
        problem, self._problem = self._problem, None
        if problem is not None:
            self._bad.append(problem)
        elif rows:
            columns = [list(column) for column in zip(*rows, strict=True)]
            item: dict[str, Any] = {"tokens": columns[0]}
            item |= {f"column_{place}": column for place, column in enumerate(columns[1:-1], 2)}
            item["tags"] = columns[-1]
            if self._documents:
                item["document"] = f"{self.place}#document {self._documents}"
            self.items.append(item)
            self._lines.append(self._first)

    def take(self) -> Records:
        """What was gathered so far."""
        taken = Records(self.place, self._lines, self.items, self._bad)
        self.items, self._lines, self._bad = [], [], []
        return taken


def _cells(line: bytes) -> list[str]:
    text = line.decode().rstrip("\r\n")
    return text.split("\t") if "\t" in text else _COLUMNS.split(text.strip(" "))
