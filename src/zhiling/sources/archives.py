"""Files inside a tar archive, one after the other, without unpacking it to disk."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from zhiling.pipeline.step import Bad
from zhiling.sources.decompress import PIECE_BYTES, pieces

SUFFIXES = (".tar", ".tar.gz", ".tgz")
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
    """Whether the name is that of a tar archive."""
    return file.name.lower().endswith(SUFFIXES)


def members(file: Path, place: str) -> Iterator[Member | Bad]:
    """The regular files of the archive in its order; a Bad where it ends too early or is none."""
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
