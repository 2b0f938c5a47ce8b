"""Captions that stand in files beside pictures: `cat.txt` or `cat.json` beside `cat.jpg`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import orjson

from zhiling.sources.files.encoding import Encoding
from zhiling.sources.files.lines import Block, blocks
from zhiling.sources.problem import Problem
from zhiling.sources.records.json_values import as_object, noun

PICTURES = frozenset(
    {".avif", ".bmp", ".gif", ".ico", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}
)
"""Endings of files that are pictures."""

CAPTIONS = (".txt", ".json")
MAX_CAPTION_BYTES = 1_000_000


def is_picture(file: Path) -> bool:
    """Whether the file's name is that of a picture."""
    return file.suffix.lower() in PICTURES


def beside(picture: Path) -> list[Path]:
    """The files with captions of a picture that are there."""
    return [file for suffix in CAPTIONS if (file := picture.with_suffix(suffix)).is_file()]


def belong_to(pictures: Iterable[Path]) -> set[Path]:
    """What the files with captions of these pictures would be called."""
    return {picture.with_suffix(suffix) for picture in pictures for suffix in CAPTIONS}


def caption_of(picture: Path, encoding: Encoding) -> dict[str, Any] | Problem:
    """What the files beside a picture say: a text as `caption`, the fields of a JSON object, or nothing."""
    fields: dict[str, Any] = {}
    for file in beside(picture):
        content = _content(file, encoding)
        if isinstance(content, Problem):
            return content
        if file.suffix == ".json":
            found = _object(content, file.name)
            if isinstance(found, Problem):
                return found
            fields |= found
        elif content.strip():
            fields["caption"] = content.decode().strip()
    return fields


def _content(file: Path, encoding: Encoding) -> bytes | Problem:
    lines: list[bytes] = []
    for block in blocks(file, file.name, encoding):
        if not isinstance(block, Block):
            return Problem("unreadable_caption", f"{block.place}: {block.message}")
        lines += block.lines
        if sum(map(len, lines)) > MAX_CAPTION_BYTES:
            found = f"{file.name!r} has more than {MAX_CAPTION_BYTES:,} bytes"
            return Problem("unreadable_caption", f"{found}; a caption is a short text")
    return b"\n".join(lines)


def _object(content: bytes, name: str) -> dict[str, Any] | Problem:
    try:
        value = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        return Problem("unreadable_caption", f"{name!r}: {error.msg}; one JSON object is needed")
    found = as_object(value)
    if found is None:
        return Problem("unreadable_caption", f"{name!r} holds {noun(value)}; one JSON object is needed")
    return found
