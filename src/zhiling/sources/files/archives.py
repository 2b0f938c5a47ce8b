"""Files inside a tar or zip archive, one after the other, without unpacking it to disk."""

from __future__ import annotations

import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from zhiling.pipeline.step import Bad
from zhiling.sources.files import unzip
from zhiling.sources.files.decompress import PIECE_BYTES, pieces
from zhiling.sources.files.encoding import recognise_narrow
from zhiling.sources.pages.reading import Unreadable

TAR_SUFFIXES = (".tar", ".tar.gz", ".tgz")
ZIP_SUFFIX = ".zip"
MAC_FOLDER = "__MACOSX/"  # what macOS keeps about the files beside them
UTF8_FLAG = 0x800
UNREADABLE = (tarfile.TarError, EOFError, OSError, ValueError)  # what the tar module raises on rubbish


@dataclass(frozen=True)
class Member:
    """One file of an archive: its place (`archive/path/in/it`) and its bytes, to be read before the next."""

    place: str
    pieces: Iterator[bytes | Bad]


class _Unpacked:
    """The archive as a stream; the tar module's own gunzipping raises TypeError on a cut header."""

    def __init__(self, content: Iterator[bytes | Bad]) -> None:
        self._content = content
        self._waiting = b""
        self.problem: Bad | None = None

    def read(self, size: int) -> bytes:
        """At most `size` bytes, fewer only at the end."""
        parts = [self._waiting]
        gathered = len(self._waiting)
        while gathered < size and (piece := next(self._content, None)) is not None:
            if isinstance(piece, Bad):
                self.problem = piece
            else:
                parts.append(piece)
                gathered += len(piece)
        data = b"".join(parts)
        self._waiting = data[size:]
        return data[:size]


def is_archive(file: Path) -> bool:
    """Whether the name is that of a tar or zip archive."""
    return file.name.lower().endswith((*TAR_SUFFIXES, ZIP_SUFFIX))


def members(file: Path, place: str) -> Iterator[Member | Bad]:
    """The regular files of the archive in its order; a Bad where it ends too early or is none."""
    return _zipped(file, place) if file.name.lower().endswith(ZIP_SUFFIX) else _taped(file, place)


def _zipped(file: Path, place: str) -> Iterator[Member | Bad]:
    try:
        archive = unzip.opened(file)
    except Unreadable as problem:
        yield Bad(place, problem.cls, problem.message)
        return
    except OSError as error:
        yield Bad(place, "unreadable_file", f"{error.strerror or error}; a readable file is needed")
        return
    with archive:
        for entry in archive.infolist():
            name = _name(entry)
            if not name.endswith("/") and not name.startswith(MAC_FOLDER):
                yield Member(f"{place}/{name}", _zip_pieces(archive, entry, f"{place}/{name}"))


def _zip_pieces(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, place: str) -> Iterator[bytes | Bad]:
    try:
        unzip.check(entry)
        yield from unzip.pieces(archive, entry)
    except Unreadable as problem:
        yield Bad(place, problem.cls, problem.message)


def _name(entry: zipfile.ZipInfo) -> str:
    """The member's name; zip files of Chinese Windows hold it in GB18030 and do not say so."""
    if entry.flag_bits & UTF8_FLAG or entry.filename.isascii():
        return entry.filename
    raw = entry.filename.encode("cp437")  # as which the zip module has decoded it
    encoding = recognise_narrow([raw])  # by most of it: a name may end amid a character
    return raw.decode(encoding, errors="replace") if encoding else entry.filename


def _taped(file: Path, place: str) -> Iterator[Member | Bad]:
    stream = _Unpacked(pieces(file, place))
    try:
        with tarfile.open(mode="r|", fileobj=cast(IO[bytes], stream)) as archive:
            for entry in archive:
                content = archive.extractfile(entry) if entry.isfile() else None
                if content is not None:
                    yield Member(f"{place}/{entry.name}", _pieces(content, f"{place}/{entry.name}"))
    except UNREADABLE as error:
        message = f"{error or 'it ends too early'}; the files behind this point cannot be read"
        yield stream.problem or Bad(place, "broken_archive", message)
    else:
        if stream.problem:
            yield stream.problem


def _pieces(content: IO[bytes], place: str) -> Iterator[bytes | Bad]:
    try:
        yield from iter(lambda: content.read(PIECE_BYTES), b"")
    except UNREADABLE as error:
        message = f"{error or 'it ends too early'}; the rest of this file cannot be read"
        yield Bad(place, "broken_archive", message)
