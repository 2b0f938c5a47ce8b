"""Pictures for tests, drawn on the spot."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image


def picture(
    path: Path, size: tuple[int, int] = (8, 6), mode: str = "RGB", colour: Any = 0, **save: Any
) -> Path:
    """A picture of one colour; the format is that of the file's name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, colour).save(path, **save)
    return path


def animation(path: Path, frames: int) -> Path:
    """A GIF of several frames."""
    first, *rest = [Image.new("L", (4, 4), 40 * number) for number in range(frames)]
    first.save(path, save_all=True, append_images=rest)
    return path


def png(size: tuple[int, int] = (8, 6)) -> bytes:
    """A PNG's bytes."""
    content = BytesIO()
    Image.new("RGB", size).save(content, format="PNG")
    return content.getvalue()
