"""The interface of a format: frames in, bytes out, and a count of what the format could not hold."""

from __future__ import annotations

import gzip
from abc import abstractmethod
from collections import Counter
from collections.abc import Collection, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, ClassVar, Self, cast

import polars as pl
from pydantic import BaseModel, ConfigDict

from zhiling.rows.formats.draft import Draft, Unreadable


@dataclass(frozen=True)
class Written:
    """What a file holds, and what it does not.

    Attributes:
        rows: written rows.
        losses: what the format cannot hold → the number of rows that had it.
        fields: optional fields that some record has (`tools`, `images`, …), see `Format.fields`.
    """

    rows: int
    losses: Mapping[str, int]
    fields: frozenset[str] = frozenset()


class Format(BaseModel):
    """A way to write rows, and to read them: a view that changes no row. Frozen settings, like a step.

    Reading is for formats whose files hold one record a row: `claim` says how much of a record the format
    understands, `decode` makes a row of it. The source `instructions` does the rest.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: ClassVar[str]
    version: ClassVar[int] = 1
    suffix: ClassVar[str] = ".jsonl"

    @abstractmethod
    def encode(self, rows: pl.DataFrame, losses: Counter[str]) -> bytes:
        """The bytes of these rows, one line or more each.

        Args:
            rows: columns of the record; columns that are absent count as null.
            losses: grows by the rows with something that the format cannot hold, by name.
        """

    def header(self) -> bytes:
        """What the file begins with."""
        return b""

    def fields(self, rows: pl.DataFrame) -> frozenset[str]:
        """Optional fields that the records of these rows have."""
        return frozenset()

    def claim(self, fields: Mapping[str, type]) -> int:
        """How many of a record's fields this format understands; 0: it is no record of this format.

        Args:
            fields: names of a record's fields that hold something, and the type of what they hold.
        """
        return 0

    def decode(self, record: Mapping[str, Any]) -> Draft:
        """The row of a record, in any form that the format has, whatever the settings.

        Raises:
            Unreadable: the record is none, or something in it is broken.
        """
        raise Unreadable("written_only", f"format {self.name!r} can be written, not read")

    def notation(self, record: Mapping[str, Any]) -> Self:
        """This format with the settings that write a record as this one is written."""
        return self

    def dataset_info(self, file_name: str, fields: Collection[str] = ()) -> dict[str, Any] | None:
        """The entry of LLaMA-Factory's `dataset_info.json` for a file; None where it cannot read this format.

        Args:
            file_name: relative to that file.
            fields: `Written.fields` of the file.
        """
        return None

    def encoder(self) -> Encoder:
        """What a writer of one file encodes with; formats whose batches hang together have their own."""
        return Encoder(self)

    def open(self, path: Path) -> Writer:
        """A writer for frames in order; gzipped where the path ends in `.gz`."""
        return Writer(self, path)

    def write(self, rows: pl.DataFrame, path: Path) -> Written:
        """Writes one frame as a whole file."""
        with self.open(path) as writer:
            writer.write(rows)
        return writer.written


class Encoder:
    """Encodes the batches of one file, one after the other."""

    def __init__(self, form: Format) -> None:
        self._form = form

    def encode(self, rows: pl.DataFrame, losses: Counter[str]) -> bytes:
        """The bytes of these rows, or of rows before them that had to wait."""
        return self._form.encode(rows, losses)

    def finish(self) -> bytes:
        """What the file ends with."""
        return b""


class Writer:
    """Writes frame after frame; the file appears under its name when it is complete.

    Leaving the `with` block by an exception removes what was written.
    """

    def __init__(self, form: Format, path: Path) -> None:
        self._form = form
        self._encoder = form.encoder()
        self._path = path
        self._partial = path.with_name(path.name + ".partial")
        self._losses: Counter[str] = Counter()
        self._fields: frozenset[str] = frozenset()
        self._rows = 0
        self._closing = ExitStack()
        file: IO[bytes] = self._closing.enter_context(self._partial.open("wb"))
        if path.suffix == ".gz":
            # neither name nor time in the header, so equal rows give equal bytes
            packed = gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0)
            file = cast("IO[bytes]", self._closing.enter_context(packed))
        self._file = file
        try:
            self._file.write(form.header())
        except OSError:
            self.discard()
            raise

    @property
    def written(self) -> Written:
        """What was written so far."""
        return Written(self._rows, dict(sorted(self._losses.items())), self._fields)

    def write(self, rows: pl.DataFrame) -> None:
        """Adds these rows behind those written before."""
        if rows.height:
            self._file.write(self._encoder.encode(rows, self._losses))
            self._fields |= self._form.fields(rows)
            self._rows += rows.height

    def close(self) -> Written:
        """Completes the file and puts it under its name."""
        try:
            self._file.write(self._encoder.finish())
            self._closing.close()
        except OSError:  # the last bytes did not fit
            self.discard()
            raise
        self._partial.replace(self._path)
        return self.written

    def discard(self) -> None:
        """Removes what was written; a disk that cannot take the last bytes does not keep it from doing so."""
        with suppress(OSError):
            self._closing.close()
        self._partial.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.discard()
