"""What readers of binary documents share: what they return, how they refuse, where parsers come from."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from zhiling.errors import MissingExtra
from zhiling.pipeline.step import Bad
from zhiling.sources.pages.passages import Document

MAX_FILE_BYTES = 256 << 20


class Unreadable(Exception):
    """A document, or a part of it, that cannot be read.

    Args:
        cls: the class of the bad item.
        message: what was wrong, and what to do.
        part: where in the document; empty: the whole of it.
    """

    def __init__(self, cls: str, message: str, part: str = "") -> None:
        super().__init__(message)
        self.cls, self.message, self.part = cls, message, part

    def at(self, part: str) -> Unreadable:
        """The same, told for a part of the document."""
        return Unreadable(self.cls, self.message, part)


@dataclass(frozen=True)
class Reading:
    """What a document holds, and which parts of it could not be read."""

    document: Document
    problems: tuple[Unreadable, ...] = ()


def parser(module: str) -> Any:
    """A module of the `documents` extra.

    Raises:
        MissingExtra: it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise MissingExtra("documents", module.partition(".")[0]) from error


def gathered(content: Iterable[bytes | Bad], bad: list[Bad]) -> bytes | None:
    """All bytes of a file, at most 256 MB; None, and a bad item, where they are too many or incomplete.

    Raises:
        Unreadable: it is too large.
    """
    pieces: list[bytes] = []
    size = 0
    before = len(bad)
    for piece in content:
        if isinstance(piece, Bad):
            bad.append(piece)
            continue
        size += len(piece)
        if size > MAX_FILE_BYTES:
            message = f"the file has more than {MAX_FILE_BYTES:,} bytes, the most that is read; split it"
            raise Unreadable("file_too_large", message)
        pieces.append(piece)
    return b"".join(pieces) if len(bad) == before else None
