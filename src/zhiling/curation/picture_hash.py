"""A fingerprint of what a picture shows: it outlives scaling, recompression and a little brightness.

The picture stands upright (EXIF), lies on white where it is transparent, is made grey and scaled to 64 × 64.
X are its grey values, C the cosines C[k, n] = cos(π · k · (2n + 1) / 128); of the coefficients C X Cᵀ the 16
of lowest frequency in each direction are kept. Bit (i, j) says whether coefficient (i, j) lies above the
median of all but the first, which is the mean brightness and gets no say, by more than rounding can do. 256
bits, about half of them set; fewer where a picture shows little. One that shows nothing at all (one colour)
has the SHA-256 of its file for a fingerprint, so it equals its copies only.

Source: Zauner (2010), Implementation and benchmarking of perceptual image hash functions, 3.2.1 (DCT).
Deviation: 16 × 16 coefficients of 64 × 64 pixels instead of 8 × 8 of 32 × 32: pages of text and screens,
whose coarse shape is the same, then differ. And a bit needs more than noise: without that, half of the bits
of a smooth picture were noise, and its copy at half the size differed in up to 42.
"""

from __future__ import annotations

import base64
import warnings
from dataclasses import dataclass
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes

import numpy as np
from numpy.typing import NDArray

from zhiling.sources.pictures.pictures import DAMAGED, FORMATS, MAX_PIXELS, require_pillow

BITS = 256
_EDGE, _KEPT = 64, 16
_NOISE = 50.0  # five standard deviations of a coefficient that is nothing but rounding of grey values
_COSINES = np.cos(np.pi / (2 * _EDGE) * np.outer(np.arange(_KEPT), 2 * np.arange(_EDGE) + 1))


@dataclass(frozen=True)
class Print:
    """A picture's fingerprint.

    Attributes:
        bits: shape (4,), 64 bits each.
        pixels: width × height as stored.
    """

    bits: NDArray[np.uint64]
    pixels: int


def picture_print(path: str, wanted: str | None, root: Path) -> Print | str:
    """The fingerprint of a picture that a row names, or the class of what stands against it.

    Classes: `not_local` (a web address), `missing_media`, `unreadable_media`, `changed_media`,
    `undecodable_image`, `too_many_pixels`.

    Args:
        path: relative to `root`, or a `data:` address.
        wanted: SHA-256 of the bytes that the source read; only these are looked at, so a row decides what its
            fingerprint is. Null: a web address, which no source reads.
        root: the recipe's folder.
    """
    if wanted is None:
        return "not_local"
    try:
        content = _inline(path) if path[:5].lower() == "data:" else (root / path).read_bytes()
    except FileNotFoundError:
        return "missing_media"
    except (OSError, ValueError):  # what is no path at all, and base64 that is none
        return "unreadable_media"
    if sha256(content).hexdigest() != wanted:
        return "changed_media"
    return content_print(content)


def _inline(address: str) -> bytes:
    head, _, body = address.partition(",")
    content = unquote_to_bytes(body)
    return base64.b64decode(content, validate=True) if head.endswith(";base64") else content


def content_print(content: bytes) -> Print | str:
    """The fingerprint of an encoded picture, or `undecodable_image`, `too_many_pixels`."""
    require_pillow()
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of what is a failure here, or of no concern
            with Image.open(BytesIO(content), formats=FORMATS) as picture:
                pixels = picture.width * picture.height
                return (
                    "too_many_pixels"
                    if pixels > MAX_PIXELS
                    else Print(_bits(_grey(picture), content), pixels)
                )
    except Image.DecompressionBombError:
        return "too_many_pixels"
    except DAMAGED:
        return "undecodable_image"


def _grey(picture: Any) -> NDArray[np.float64]:
    """Grey values of the upright picture on white, shape (64, 64), 0 to 255."""
    from PIL import Image, ImageOps

    picture.draft("RGB", (4 * _EDGE, 4 * _EDGE))  # JPEG: decodes a fraction of the pixels
    upright: Any = ImageOps.exif_transpose(picture)
    if upright.has_transparency_data:
        layered = upright.convert("RGBA")
        upright = Image.alpha_composite(Image.new("RGBA", layered.size, "white"), layered)
    grey = upright.convert("L").resize((_EDGE, _EDGE), Image.Resampling.BOX)
    return np.asarray(grey, dtype=np.float64)


def _bits(grey: NDArray[np.float64], content: bytes) -> NDArray[np.uint64]:
    coefficients = (_COSINES @ grey @ _COSINES.T).ravel()
    above = coefficients > max(float(np.median(coefficients[1:])), 0.0) + _NOISE
    above[0] = False
    packed = np.packbits(above) if above.any() else np.frombuffer(sha256(content).digest(), dtype=np.uint8)
    return packed.view(np.uint64)
