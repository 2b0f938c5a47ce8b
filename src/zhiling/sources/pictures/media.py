"""Media that rows refer to: a path becomes hash, size and facts, or a problem. Nothing is ever fetched.

    media = MediaReader(folder=file.parent, root=root)
    found = media.read("photos/1.jpg", "image")
    if isinstance(found, Problem): columns.refuse(index, found.cls, found.message)
    else: message["media"] = [found.part(at=0)]

A reference is a path below the folder that it is relative to (or below the recipe's), a `file:` address of
such a path, or a `data:` address that holds the medium itself. A path that leads elsewhere, by `..` or by a
link, is refused: a data file must not choose what is read from the disk of whoever opens it.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal
from urllib.parse import unquote, unquote_to_bytes

from zhiling.sources.files.lines import excerpt, place_of
from zhiling.sources.pictures.pictures import MAX_PIXELS, can_decode, picture_facts
from zhiling.sources.problem import Problem

Kind = Literal["image", "audio", "video"]
MAX_IMAGE_BYTES = 50_000_000
REMEMBERED = 10_000
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_LOCAL = re.compile(r"^file://(localhost)?(?=/)", re.IGNORECASE)
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class Medium:
    """A file that was read.

    Attributes:
        kind: image, audio or video.
        path: relative to the recipe's folder; a `data:` address as it stands.
        sha256: of its bytes, in hexadecimal.
        size: in bytes.
        facts: of a decoded image `width, height, format, mode`, see `picture_facts`; else empty.
    """

    kind: Kind
    path: str
    sha256: str
    size: int
    facts: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def part(self, at: int | None) -> dict[str, Any]:
        """An item of a message's `media`; `at` is its offset in the message's text, in code points."""
        return {"kind": self.kind, "path": self.path, "sha256": self.sha256, "at": at}


@dataclass(frozen=True)
class MediaReader:
    """Reads media that one data file refers to; the newest 10,000 are remembered.

    Attributes:
        folder: what relative references start from.
        root: the recipe's folder, which told paths start from.
        decode: whether images are decoded; by default where Pillow is installed. Else they are hashed only.
        max_bytes: of an image; sound and video are hashed in pieces, whatever their size.
        max_pixels: of an image.
    """

    folder: Path
    root: Path
    decode: bool = field(default_factory=can_decode)
    max_bytes: int = MAX_IMAGE_BYTES
    max_pixels: int = MAX_PIXELS

    def __post_init__(self) -> None:
        remember = lru_cache(REMEMBERED)
        read: Callable[[Path, Kind], Medium | Problem] = remember(self._file)
        object.__setattr__(self, "_remembered", read)

    def read(self, reference: str, kind: Kind) -> Medium | Problem:
        """The medium that a reference of the data file names; problems see `locate` and `file`."""
        if reference[:5].lower() == "data:":
            return self._inline(reference, kind)
        path = locate(reference, self.folder, self.root)
        return path if isinstance(path, Problem) else self.file(path, kind)

    def file(self, path: Path, kind: Kind) -> Medium | Problem:
        """The medium in a file, wherever that stands.

        Problems: `missing_media`, `unreadable_media`, `media_too_large`, `undecodable_image`,
        `too_many_pixels`.
        """
        return self._remembered(path, kind)  # type: ignore[attr-defined]

    def _file(self, path: Path, kind: Kind) -> Medium | Problem:
        told = place_of(path, self.root)
        try:
            size = path.stat().st_size
            if not path.is_file():
                return Problem("missing_media", f"{told!r} is no file; the {kind}'s file is needed")
            if kind == "image":
                return self._image(path, told, size)
            with path.open("rb") as stream:
                hasher = sha256()
                while chunk := stream.read(_CHUNK_BYTES):
                    hasher.update(chunk)
            return Medium(kind, told, hasher.hexdigest(), size)
        except FileNotFoundError:
            return Problem("missing_media", f"{told!r} is not there; put the {kind} there or mend its path")
        except OSError as error:
            return Problem("unreadable_media", f"{told!r}: {error.strerror or error}")

    def _image(self, path: Path, told: str, size: int) -> Medium | Problem:
        if size > self.max_bytes:
            found = f"{told!r} has {size:,} bytes"
            return Problem("media_too_large", f"{found}; at most {self.max_bytes:,} are read")
        return self._whole(path.read_bytes(), "image", told, f"{told!r}: ")

    def _whole(self, content: bytes, kind: Kind, path: str, lead: str) -> Medium | Problem:
        facts = picture_facts(content, self.max_pixels) if kind == "image" and self.decode else {}
        if isinstance(facts, Problem):
            return Problem(facts.cls, lead + facts.message)
        return Medium(kind, path, sha256(content).hexdigest(), len(content), facts)

    def _inline(self, address: str, kind: Kind) -> Medium | Problem:
        head, comma, body = address.partition(",")
        shown = excerpt(head)
        if not comma:
            return Problem("broken_data_address", f"{shown!r} has no comma; data:TYPE;base64,… is needed")
        try:
            encoded = unquote_to_bytes(body)
            content = base64.b64decode(encoded, validate=True) if head.endswith(";base64") else encoded
        except (binascii.Error, ValueError) as error:
            return Problem("broken_data_address", f"{shown!r}: {error}; base64 is needed behind the comma")
        return self._whole(content, kind, address, f"{shown!r}: ")


def locate(reference: str, folder: Path, root: Path) -> Path | Problem:
    """Where a reference leads; the file need not be there.

    Problems: `not_local` (an address on a network), `outside_folder`, `missing_media` (nothing named).
    """
    name = _LOCAL.sub("", reference.strip())
    if _ADDRESS.match(name):
        found = f"{excerpt(name)!r} is not a file here"
        return Problem("not_local", f"{found}; media are never fetched: copy it here and name the file")
    if name != reference.strip():
        name = unquote(name)
    if not name or "\0" in name:
        return Problem("missing_media", f"{excerpt(reference)!r} names no file")
    path = Path(os.path.normpath(folder / name))
    try:
        real, allowed = path.resolve(), [folder.resolve(), root.resolve()]
    except (OSError, RuntimeError, ValueError) as error:  # a link that leads to itself, half a character
        return Problem("missing_media", f"{excerpt(name)!r}: {error}")
    if not any(real.is_relative_to(base) for base in allowed):
        found = f"{excerpt(name)!r} leads out of {place_of(folder, root)!r}"
        return Problem("outside_folder", f"{found}; only files below it or below the recipe are read")
    return path


def files_of(references: Iterable[str], folder: Path, root: Path) -> list[Path]:
    """The files that references name and that are there, sorted, each once: for `Source.further_files`."""
    found: set[Path] = set()
    for reference in references:
        path = None if reference[:5].lower() == "data:" else locate(reference, folder, root)
        if isinstance(path, Path) and path.is_file():
            found.add(path)
    return sorted(found)
