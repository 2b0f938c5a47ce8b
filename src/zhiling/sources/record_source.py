"""What all sources of records share: settings, the choice of a reader, batches of an even size."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Annotated

import polars as pl
from pydantic import Field

from zhiling.pipeline.step import Bad, Batch, Source
from zhiling.rows.schema import ROW
from zhiling.sources.csv_records import Delimiter, csv_records
from zhiling.sources.encoding import Encoding
from zhiling.sources.files import Block, blocks, place_of
from zhiling.sources.jsonl import json_records
from zhiling.sources.records import Records

BATCH_ROWS = 20_000
CSV_SUFFIXES = frozenset({".csv", ".tsv"})
JSON_SUFFIXES = frozenset({".jsonl", ".ndjson", ".json"})

Tag = Annotated[str, Field(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*$")]
"""A BCP-47 language tag such as `en`, `zh` or `zh-Hant`."""

SOURCE_ROW: dict[str, pl.DataType] = {
    **{name: ROW[name] for name in ("messages", "task", "target", "language", "extra")},
    "locator": pl.String(),
    "key": pl.String(),
    "group": pl.String(),
}


class RecordSource(Source):
    """A source whose files are JSON Lines or CSV, plain or gzipped.

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
        content = blocks(file, place, self.encoding)
        start: list[Block | Bad] = []
        for item in content:
            start.append(item)
            if isinstance(item, Block) and any(map(bytes.strip, item.lines)):
                break
        whole = chain(start, content)
        read = (
            json_records(whole, place) if _is_json(file, start) else csv_records(whole, place, self.delimiter)
        )
        empty = True
        for records in read:
            empty = empty and not records.items and not records.bad
            yield records
        if empty:
            yield Records(place, [], [], [Bad(f"{place}:1", "empty_file", "the file holds no record")])


class TableSource(RecordSource):
    """A source that makes a row of each record."""

    def read(self, files: Sequence[Path], root: Path) -> Iterator[Batch]:
        """Rows of all files in batches of about 20,000."""
        return even(self.batch(records) for file in files for records in self.records(file, root))

    @abstractmethod
    def batch(self, records: Records) -> Batch:
        """The rows of these records."""


def _is_json(file: Path, start: Iterable[Block | Bad]) -> bool:
    suffixes = [suffix.lower() for suffix in file.suffixes if suffix.lower() != ".gz"]
    suffix = suffixes[-1] if suffixes else ""
    if suffix in CSV_SUFFIXES or suffix in JSON_SUFFIXES:
        return suffix in JSON_SUFFIXES
    lines = (line.lstrip() for item in start if isinstance(item, Block) for line in item.lines)
    return next((line[:1] in (b"{", b"[") for line in lines if line), False)


def even(batches: Iterable[Batch]) -> Iterator[Batch]:
    """The same rows and bad items in batches of at least 20,000 rows, but for the last."""
    frames: list[pl.DataFrame] = []
    bad: list[Bad] = []
    height = 0
    for batch in batches:
        bad.extend(batch.bad)
        if batch.rows.height:
            frames.append(batch.rows)
            height += batch.rows.height
        if height >= BATCH_ROWS:
            yield Batch(pl.concat(frames), tuple(bad))
            frames, bad, height = [], [], 0
    if frames or bad:
        yield Batch(pl.concat(frames) if frames else pl.DataFrame(schema=SOURCE_ROW), tuple(bad))
