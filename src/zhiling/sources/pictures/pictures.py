"""Pictures decoded by Pillow: what they are, or why they cannot be used.

Only raster formats that Pillow decodes by itself are tried (EPS would start Ghostscript), the header is
read before a pixel is, and nothing larger than the limit is decoded. Of an animation the first frame is
decoded; the others are counted.
"""

from __future__ import annotations

import importlib.util
import struct
import warnings
import zlib
from io import BytesIO
from typing import Any

from zhiling.errors import MissingExtra
from zhiling.sources.problem import Problem

FORMATS = ("AVIF", "BMP", "GIF", "ICO", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
MAX_PIXELS = 50_000_000
"""Of one picture; decoding takes at most 4 bytes a pixel, so about 200 MB."""

EXIF_ORIENTATION = 0x0112
UPRIGHT = 1
# What Pillow's decoders raise on rubbish; its own errors are OSErrors.
DAMAGED = (
    OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, TypeError, OverflowError, MemoryError,
    struct.error, zlib.error,
)  # fmt: skip


def can_decode() -> bool:
    """Whether Pillow is installed."""
    return importlib.util.find_spec("PIL") is not None


def require_pillow() -> None:
    """Raises MissingExtra, with the command that installs it, where Pillow is missing."""
    if not can_decode():
        raise MissingExtra("images", "PIL")


def picture_facts(content: bytes, max_pixels: int = MAX_PIXELS) -> dict[str, Any] | Problem:
    """Facts of a picture that decodes: `width, height` (pixels as stored), `format`, `mode`.

    `orientation` (EXIF 0x0112, 2 to 8) is told where the picture is not upright as stored, `frames` where
    it has more than one.

    Args:
        content: the file's bytes.
        max_pixels: width × height that is decoded at most.
    """
    require_pillow()
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of what is told as a problem below
            with Image.open(BytesIO(content), formats=FORMATS) as picture:
                return _decoded(picture, max_pixels)
    except Image.DecompressionBombError as error:
        return Problem("too_many_pixels", f"{error}; at most {max_pixels:,} pixels are decoded")
    except DAMAGED as error:
        what = "not a picture" if isinstance(error, Image.UnidentifiedImageError) else f"{error}"
        kinds = ", ".join(FORMATS)
        return Problem("undecodable_image", f"{what or type(error).__name__}; {kinds} are decoded")


def _decoded(picture: Any, max_pixels: int) -> dict[str, Any] | Problem:
    width, height = picture.size
    if width * height > max_pixels:
        found = f"{width} × {height} are {width * height:,} pixels"
        return Problem("too_many_pixels", f"{found}; at most {max_pixels:,} are decoded, see `max_pixels`")
    facts: dict[str, Any] = {"width": width, "height": height, "format": picture.format, "mode": picture.mode}
    orientation = picture.getexif().get(EXIF_ORIENTATION, UPRIGHT)
    picture.load()
    frames = getattr(picture, "n_frames", 1)
    if orientation != UPRIGHT:
        facts["orientation"] = orientation
    if frames > 1:
        facts["frames"] = frames
    return facts
