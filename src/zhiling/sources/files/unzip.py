"""Zip files from anywhere: what may come out of them is limited before it comes out, and while it does.

The directory of a zip file says how large its members are. It is checked first, and as it may lie, members
are unpacked in pieces that are counted.
"""

from __future__ import annotations

import io
import lzma
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from zhiling.sources.pages.reading import Unreadable

MAX_MEMBERS = 100_000
MAX_MEMBER_BYTES = 256 << 20
MAX_RATIO = 300  # unpacked to packed; office XML reaches 100, a bomb 1,000
RATIO_FROM_BYTES = 8 << 20  # below, a high ratio harms nobody
PIECE_BYTES = 1 << 16

BROKEN = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, OSError, ValueError,
    OverflowError, RuntimeError,
)  # fmt: skip
"""What the zip module raises on rubbish (ValueError: names that are no text; RuntimeError: odd packings)."""


def opened(source: bytes | Path, max_bytes: int | None = None) -> zipfile.ZipFile:
    """The zip file; its directory has been checked as a whole, but not the single members (see `check`).

    Args:
        source: the file, or what it holds.
        max_bytes: that all members may have together; None: any number that the ratio allows.

    Raises:
        Unreadable: it is no zip file, or would unpack to too much.
    """
    size = len(source) if isinstance(source, bytes) else source.stat().st_size
    try:
        archive = zipfile.ZipFile(io.BytesIO(source) if isinstance(source, bytes) else source)
    except BROKEN as error:
        raise Unreadable(
            "broken_archive", f"{error or 'it ends too early'}; it is no whole zip file"
        ) from error
    entries = archive.infolist()
    total = sum(entry.file_size for entry in entries)
    if len(entries) > MAX_MEMBERS or _is_bomb(total, size) or (max_bytes is not None and total > max_bytes):
        archive.close()
        raise Unreadable(
            "zip_bomb", f"{_too_much('it', total, size)}; it holds {len(entries):,} files of {MAX_MEMBERS:,}"
        )
    return archive


def check(entry: zipfile.ZipInfo) -> None:
    """Raises Unreadable where the directory says that a member is encrypted or too large."""
    if entry.flag_bits & 0x1:
        raise Unreadable("encrypted_file", f"{entry.filename!r} needs a password; save it without one")
    if entry.file_size > MAX_MEMBER_BYTES or _is_bomb(entry.file_size, entry.compress_size):
        raise Unreadable("zip_bomb", _too_much(repr(entry.filename), entry.file_size, entry.compress_size))


def pieces(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Iterator[bytes]:
    """The bytes of a member, in pieces of 64 kB.

    Raises:
        Unreadable: it is broken, or there is more of it than the directory said or the limits allow.
    """
    size = 0
    try:
        with archive.open(entry) as member:
            while piece := member.read(PIECE_BYTES):
                size += len(piece)
                if size > MAX_MEMBER_BYTES:
                    raise Unreadable("zip_bomb", _too_much(repr(entry.filename), size, entry.compress_size))
                yield piece
    except BROKEN as error:
        message = (
            f"{entry.filename!r} cannot be unpacked: {error or 'it ends too early'}; save the file again"
        )
        raise Unreadable("broken_archive", message) from error


def _is_bomb(unpacked: int, packed: int) -> bool:
    return unpacked > RATIO_FROM_BYTES and unpacked > MAX_RATIO * max(packed, 1)


def _too_much(name: str, unpacked: int, packed: int) -> str:
    return (
        f"{name} would unpack from {packed:,} to {unpacked:,} bytes; at most {MAX_MEMBER_BYTES:,} a file "
        f"and {MAX_RATIO} times the packed size are read"
    )
