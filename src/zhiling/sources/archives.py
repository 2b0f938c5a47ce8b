"""Files inside a tar archive, one after the other, without unpacking it to disk."""

from __future__ import annotations

import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from zhiling.pipeline.step import Bad
from zhiling.sources.decompress import PIECE_BYTES

SUFFIXES = (".tar", ".tar.gz", ".tgz")


@dataclass(frozen=True)
class Member:
    """One file of an archive: its place (`archive/path/in/it`) and its bytes, to be read before the next."""

    place: str
    pieces: Iterator[bytes | Bad]


def is_archive(file: Path) -> bool:
    """Whether the name is that of a tar archive."""
    return file.name.lower().endswith(SUFFIXES)


def members(file: Path, place: str) -> Iterator[Member | Bad]:
    """The regular files of the archive in its order; a Bad where it ends too early or is none."""
    try:
        with tarfile.open(file, "r|*") as archive:
            for entry in archive:
                content = archive.extractfile(entry) if entry.isfile() else None
                if content is not None:
                    yield Member(f"{place}/{entry.name}", _pieces(content, f"{place}/{entry.name}"))
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        yield Bad(place, "broken_archive", f"{error}; the files behind this point cannot be read")


def _pieces(content: IO[bytes], place: str) -> Iterator[bytes | Bad]:
    try:
        yield from iter(lambda: content.read(PIECE_BYTES), b"")
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        yield Bad(place, "broken_archive", f"{error}; the rest of this file cannot be read")
