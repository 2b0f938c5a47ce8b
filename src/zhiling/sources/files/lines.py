"""The lines of a text file, however it is packed and encoded; what cannot be read is told by line.

A file is read in pieces of about 1 MB, so memory does not grow with it. Lines end at LF, CR LF or CR.
All readers of text build on `blocks`.
"""

from __future__ import annotations

import codecs
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path

import numpy as np

from zhiling.pipeline.step import Bad
from zhiling.sources.files.decompress import pieces
from zhiling.sources.files.encoding import Encoding, byte_order_mark, recognise_narrow, recognise_wide
from zhiling.sources.records.slices import is_utf8

MAX_LINE_BYTES = 10_000_000
EXCERPT_CHARACTERS = 80
LINE_END = ord("\n")


@dataclass(frozen=True)
class Block:
    """Lines that follow each other in a file.

    Attributes:
        first: the number of the first line, from 1.
        data: the lines, each ended by LF; valid UTF-8 without NUL bytes, whatever the file's encoding.
        begins: the number of each line, where they do not count up from the first.
    """

    first: int
    data: bytes
    begins: Sequence[int] | None = None

    @cached_property
    def lines(self) -> list[bytes]:
        """The lines without their ends."""
        return self.data[:-1].split(b"\n")

    @cached_property
    def numbers(self) -> Sequence[int]:
        """The number of each line."""
        return self.begins or range(self.first, self.first + count_lines(self.data))


def place_of(path: Path, root: Path) -> str:
    """The path as it is told to users: relative to `root`, with forward slashes."""
    try:
        return Path(os.path.relpath(path, root)).as_posix()
    except ValueError:  # another drive on Windows
        return path.as_posix()


def excerpt(content: bytes | str) -> str:
    """The first 80 characters, in one line."""
    text = content[: 4 * EXCERPT_CHARACTERS]
    if isinstance(text, bytes):
        text = text.decode("utf-8", errors="replace")
    return "".join(c if c.isprintable() else " " for c in text[:EXCERPT_CHARACTERS])


def blocks(path: Path, place: str, encoding: Encoding = "auto") -> Iterator[Block | Bad]:
    """The file's lines in order, and a Bad where a line or the rest of the file cannot be read.

    Args:
        path: the file; gzip is recognised.
        place: how the file is called in places.
        encoding: `auto` recognises it.
    """
    return decoded_blocks(pieces(path, place), place, encoding)


def decoded_blocks(
    content: Iterable[bytes | Bad], place: str, encoding: Encoding = "auto"
) -> Iterator[Block | Bad]:
    """The same for content that comes in pieces from elsewhere (a member of an archive)."""
    whole, encoding = _narrow(content, encoding)
    for item in _raw_blocks(whole, place):
        if isinstance(item, Bad):
            yield item
            continue
        if encoding == "auto" and not item.data.isascii():
            encoding = recognise_narrow(item.lines) or "auto"
        yield from checked(item, place, "utf-8" if encoding == "auto" else encoding)


def texts(path: Path, place: str, encoding: Encoding = "auto") -> Iterator[bytes | Bad]:
    """The file as UTF-8 in pieces that end anywhere, with LF as line end; invalid bytes are not looked for.

    For files whose lines mean nothing (a JSON document may be one line of 1 GB).
    """
    content, encoding = _narrow(pieces(path, place), encoding)
    decoder = codecs.getincrementaldecoder("gb18030")("surrogateescape")
    held = b""  # CR at the end of a piece: LF may follow
    for piece in content:
        if isinstance(piece, Bad):
            yield piece
            continue
        if encoding == "auto" and not piece.isascii():
            encoding = recognise_narrow(piece.split(b'"')) or "auto"
        text = decoder.decode(piece).encode("utf-8", "surrogatepass") if encoding == "gb18030" else piece
        text = held + text
        held = b"\r" if text.endswith(b"\r") else b""
        yield _unified(text[: len(text) - len(held)])
    yield _unified(held + decoder.decode(b"", final=True).encode("utf-8", "surrogatepass"))


def _narrow(content: Iterable[bytes | Bad], encoding: Encoding) -> tuple[Iterable[bytes | Bad], Encoding]:
    """The content without its mark, UTF-16 as UTF-8, and its encoding as far as it is known."""
    rest = iter(content)
    start = next(rest, b"")
    if isinstance(start, bytes):
        mark = byte_order_mark(start)
        if mark:
            encoding, start = mark[0], start[mark[1] :]
        elif encoding == "auto":
            encoding = recognise_wide(start) or "auto"
    whole = chain((start,), rest)
    return (
        (_narrowed(whole, encoding), "utf-8") if encoding in ("utf-16-le", "utf-16-be") else (whole, encoding)
    )


def _narrowed(content: Iterable[bytes | Bad], encoding: str) -> Iterator[bytes | Bad]:
    """UTF-16 as UTF-8, so that line ends are single bytes in all that follows.

    Lone surrogates pass here and are found, line by line, by the strict UTF-8 check.
    """
    decoder = codecs.getincrementaldecoder(encoding)("surrogatepass")
    for piece in content:
        if isinstance(piece, Bad):
            yield piece
        else:
            yield decoder.decode(piece).encode("utf-8", "surrogatepass")
    if decoder.getstate()[0]:
        yield b"\xff"  # half a character is left over: never valid UTF-8, so its line is told


def _raw_blocks(content: Iterable[bytes | Bad], place: str) -> Iterator[Block | Bad]:
    number, carry, skipped = 1, b"", 0
    start = b""  # of a line that is being skipped
    ending: list[Bad] = []
    for piece in content:
        if isinstance(piece, Bad):
            ending.append(piece)
            continue
        data = carry + piece
        cut = max(data.rfind(b"\n"), data.rfind(b"\r", 0, len(data) - 1)) + 1
        if not cut:
            if len(data) > MAX_LINE_BYTES:
                start, skipped, data = start or data[:400], skipped + len(data) - 1, data[-1:]
            carry = data
            continue
        whole, carry = _unified(data[:cut]), data[cut:]
        if skipped:
            end = whole.index(b"\n")
            yield _too_long(place, number, skipped + end, start)
            whole, number, skipped, start = whole[end + 1 :], number + 1, 0, b""
        if whole:
            yield from _within_limit(Block(number, whole), place)
            number += count_lines(whole)
    if skipped:
        yield _too_long(place, number, skipped + len(carry), start)
    elif carry:
        yield from _within_limit(Block(number, _unified(carry + b"\n")), place)
    for bad in ending:
        yield Bad(f"{place}:{number}", bad.cls, bad.message, bad.excerpt)


def _too_long(place: str, number: int, size: int, start: bytes) -> Bad:
    message = f"the line has {size:,} bytes; at most {MAX_LINE_BYTES:,} are read"
    return Bad(f"{place}:{number}", "line_too_long", message, excerpt(start))


def count_lines(data: bytes) -> int:
    """How many line ends there are; five times as fast as `bytes.count` where lines are short."""
    return int(np.count_nonzero(np.frombuffer(data, dtype=np.uint8) == LINE_END))


def _unified(data: bytes) -> bytes:
    """Whole lines with all their ends as LF."""
    return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n") if b"\r" in data else data


def _within_limit(block: Block, place: str) -> Iterator[Block | Bad]:
    # a piece is far below the limit, so only the line that was carried over can exceed it
    end = block.data.index(b"\n") if len(block.data) > MAX_LINE_BYTES else 0
    if end > MAX_LINE_BYTES:
        yield _too_long(place, block.first, end, block.data)
        block = Block(block.first + 1, block.data[end + 1 :])
    if block.data:
        yield block


def checked(block: Block, place: str, encoding: str) -> Iterator[Block | Bad]:
    """The block as valid UTF-8, cut in two around each line that is not."""
    if encoding == "utf-8" and b"\0" not in block.data and is_utf8(block.data):
        yield block
        return
    start = 0
    lines = list(block.lines)
    for index, (number, line) in enumerate(zip(block.numbers, block.lines, strict=True)):
        good = _checked_line(line, f"{place}:{number}", encoding)
        if isinstance(good, bytes):
            lines[index] = good
            continue
        if index > start:
            yield _part(block, lines, start, index)
        yield good
        start = index + 1
    if start < len(lines):
        yield _part(block, lines, start, len(lines))


def _part(block: Block, lines: list[bytes], start: int, stop: int) -> Block:
    begins = None if block.begins is None else block.begins[start:stop]
    return Block(block.numbers[start], b"\n".join((*lines[start:stop], b"")), begins)


def _checked_line(line: bytes, place: str, encoding: str) -> bytes | Bad:
    if b"\0" in line:
        message = f"NUL byte at byte {line.index(0) + 1} of the line; text holds none"
        return Bad(place, "nul_bytes", message, excerpt(line))
    try:
        text = line.decode(encoding)
    except UnicodeDecodeError as error:
        value = f"byte 0x{line[error.start]:02x} at byte {error.start + 1} of the line"
        message = f"{value} is not {encoding.upper()}; UTF-8, UTF-16 and GB18030 can be read"
        return Bad(place, "undecodable", message, excerpt(line))
    return line if encoding == "utf-8" else text.encode()
