"""The bytes of a file in pieces, gunzipped where it is gzip: all that can be read, then why it ended."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from zhiling.pipeline.step import Bad

PIECE_BYTES = 1 << 22
INFLATE_BYTES = 1 << 15  # small, because zlib gives back nothing of the call that meets an error
GZIP_MAGIC = b"\x1f\x8b"
GZIP_WINDOW = 31  # zlib's code for a gzip header and trailer


def pieces(path: Path, place: str) -> Iterator[bytes | Bad]:
    """Pieces of about 1 MB; a Bad (`unreadable_file`, `truncated_gzip`, `broken_gzip`) says what is missing.

    Gzip is known by its first bytes, not by the file's name. Several members in a row are one file.
    """
    try:
        with path.open("rb") as file:
            zipped = file.read(2) == GZIP_MAGIC
            file.seek(0)
            yield from _inflated(file, place) if zipped else iter(lambda: file.read(PIECE_BYTES), b"")
    except OSError as error:
        reason = error.strerror or str(error)
        yield Bad(place, "unreadable_file", f"{reason}; a readable file is needed")


def _inflated(file: BinaryIO, place: str) -> Iterator[bytes | Bad]:
    gathered: list[bytes] = []
    problem: Bad | None = None
    for piece in _members(file, place):
        if isinstance(piece, Bad):
            problem = piece
            break
        gathered.append(piece)
        if len(gathered) * INFLATE_BYTES >= PIECE_BYTES:
            yield b"".join(gathered)
            gathered.clear()
    if gathered:
        yield b"".join(gathered)
    if problem:
        yield problem


def _members(file: BinaryIO, place: str) -> Iterator[bytes | Bad]:
    stream = zlib.decompressobj(GZIP_WINDOW)
    ended = False  # a member has ended and no further one has begun
    waiting = b""
    while waiting := waiting or file.read(INFLATE_BYTES):
        if ended:
            waiting = waiting.lstrip(b"\0")  # padding behind a member is allowed
            if not waiting:
                continue
            stream = zlib.decompressobj(GZIP_WINDOW)
        try:
            yield stream.decompress(waiting, INFLATE_BYTES)
        except zlib.error as error:
            yield Bad(place, "broken_gzip", f"{error}; the rest of the file cannot be unpacked")
            return
        ended = stream.eof
        waiting = stream.unused_data if ended else stream.unconsumed_tail
    if not ended:
        yield stream.flush()
        yield Bad(place, "truncated_gzip", "the gzip stream ends before its end mark; copy the file again")
