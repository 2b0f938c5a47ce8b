"""What all sources of records share: settings, the choice of a reader, batches of an even size."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Annotated, Any

import polars as pl
from pydantic import Field

from zhiling.pipeline.step import Bad, Batch, Source
from zhiling.rows.schema import ROW
from zhiling.sources.files.encoding import Encoding
from zhiling.sources.files.lines import blocks, place_of, texts
from zhiling.sources.records.ahead import ahead
from zhiling.sources.records.csv_records import Delimiter, csv_records
from zhiling.sources.records.json_document import elements, is_document
from zhiling.sources.records.jsonl import json_records
from zhiling.sources.records.parquet_records import parquet_records
from zhiling.sources.records.records import Records, gathered

BATCH_ROWS = 20_000
CSV_SUFFIXES = frozenset({".csv", ".tsv", ".txt"})

LANGUAGE_TAG = r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*$"
Tag = Annotated[str, Field(pattern=LANGUAGE_TAG)]
"""A BCP-47 language tag such as `en`, `zh` or `zh-Hant`."""

SOURCE_ROW: dict[str, pl.DataType] = {
    **{
        name: ROW[name]
        for name in ("messages", "alternatives", "task", "target", "language", "tools", "extra")
    },
    "locator": pl.String(),
    "key": pl.String(),
    "group": pl.String(),
    "licence": pl.String(),
}
"""What sources give; `licence` only where a row has one of its own, which then counts for it."""


def source_frame(columns: Mapping[str, Any], height: int) -> pl.DataFrame:
    """Rows as sources give them: these columns in the order of SOURCE_ROW, the others null."""
    return pl.DataFrame(
        [
            pl.Series(name, columns[name], dtype=dtype)
            if name in columns
            else pl.Series(name, [None], dtype=dtype).new_from_index(0, height)
            for name, dtype in SOURCE_ROW.items()
        ]
    )


class RecordSource(Source):
    """A source whose files are JSON (lines, an array, an object around one), CSV, TSV or Parquet.

    All but Parquet may be gzipped. A Parquet file's row 3 is told as `file.parquet:3`.

    Attributes:
        encoding: of the files; `auto` recognises UTF-8, UTF-16 and GB18030.
        delimiter: of CSV cells; `auto` takes the one that splits the header into most cells.
        language: of all rows, as a BCP-47 tag; without it a field `language` or `lang` is taken.
    """

    encoding: Encoding = "auto"
    delimiter: Delimiter = "auto"
    language: Tag | None = None

    def records(self, file: Path, root: Path) -> Iterator[Records]:
        """The records of one file; a file without any is told as `empty_file`."""
        place = place_of(file, root)
        read = self._reader(file, place)
        empty = True
        for records in read:
            empty = empty and not records.items and not records.bad
            yield records
        if empty:
            yield Records(place, [], [], [Bad(f"{place}:1", "empty_file", "the file holds no record")])

    def _reader(self, file: Path, place: str) -> Iterator[Records]:
        """By the file's name; JSON where that says nothing."""
        suffix = next((each for each in reversed(file.suffixes) if each.lower() != ".gz"), "").lower()
        if suffix == ".parquet":
            return parquet_records(file, place)
        if suffix == ".json" and is_document(_start(texts(file, place, self.encoding))):
            return json_records(elements(texts(file, place, self.encoding), place), place)
        content = ahead(blocks(file, place, self.encoding))
        if suffix not in CSV_SUFFIXES:
            return json_records(content, place)
        mark = "\t" if suffix == ".tsv" and self.delimiter == "auto" else self.delimiter
        return csv_records(content, place, mark)


class TableSource(RecordSource):
    """A source that makes a row of each record."""

    def read(self, files: Sequence[Path], root: Path) -> Iterator[Batch]:
        """Rows of all files in batches of about 20,000."""
        read = (ahead(gathered(self.records(file, root))) for file in files)
        return even(self.batch(records) for records in chain.from_iterable(read))

    @abstractmethod
    def batch(self, records: Records) -> Batch:
        """The rows of these records."""


def _start(content: Iterator[bytes | Bad]) -> bytes:
    """The first text that is more than space, about 1 MB of it."""
    return next((piece for piece in content if isinstance(piece, bytes) and piece.strip()), b"")


def _height(rows: pl.DataFrame) -> int:
    return rows.height


def even(batches: Iterable[Batch], size: Callable[[pl.DataFrame], int] = _height) -> Iterator[Batch]:
    """The same rows and bad items in batches of at least 20,000 rows, but for the last.

    `size` says for how many rows a frame counts, where its rows are larger than most.
    """
    frames: list[pl.DataFrame] = []
    bad: list[Bad] = []
    height = 0
    for batch in batches:
        bad.extend(batch.bad)
        if batch.rows.height:
            frames.append(batch.rows)
            height += size(batch.rows)
        if height + len(bad) >= BATCH_ROWS:
            yield Batch(_concat(frames), tuple(bad))
            frames, bad, height = [], [], 0
    if frames or bad:
        yield Batch(_concat(frames), tuple(bad))


def _concat(frames: list[pl.DataFrame]) -> pl.DataFrame:
    return pl.concat(frames) if frames else pl.DataFrame(schema=SOURCE_ROW)
