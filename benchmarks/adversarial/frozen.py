"""MiniLM with its vectors kept in a file between runs: an encoder that a recipe can name."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import ClassVar

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "benchmarks" / "curation"))

from selection import Remembered  # noqa: E402

from zhiling.encoders.encoder import Encoder, Vectors  # noqa: E402

VECTORS = ROOT / "benchmarks" / ".work" / "adversarial.npz"


@cache
def _model() -> Remembered:
    return Remembered(VECTORS)


class Frozen(Encoder):
    """`{use: "frozen:Frozen"}`."""

    name: ClassVar[str] = "frozen"

    def content(self) -> dict[str, str]:
        """The model's identity."""
        return {"model": _model().identity}

    @property
    def dimension(self) -> int:
        """MiniLM's."""
        return 384

    def encode(self, texts: Sequence[str]) -> Vectors:
        """MiniLM's vectors."""
        return _model().encode(texts) if len(texts) else np.empty((0, 384), np.float32)

    @staticmethod
    def save() -> None:
        """Writes all vectors to the file."""
        _model().save()
