"""What every encoder is: frozen settings, an identity, and rows of unit length."""

from __future__ import annotations

import hashlib
import json
from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from zhiling.errors import ZhilingError

Vectors = NDArray[np.float32]


class Encoder(BaseModel):
    """Texts to vectors of unit length; the fields of a subclass are its settings.

    An empty text (nothing but white space) is a zero row: it is like no other text, not even
    another empty one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: ClassVar[str]
    version: ClassVar[int] = 1
    not_in_identity: ClassVar[dict[str, str]] = {}
    """Fields that change no vector, each with the reason: they stay outside the identity."""

    @property
    @abstractmethod
    def dimension(self) -> int:
        """Number of columns of every matrix that `encode` gives."""

    @property
    def identity(self) -> str:
        """A hash that changes whenever the vectors may change (32 hex digits)."""
        settings = self.model_dump(mode="json", exclude=set(self.not_in_identity))
        facts = {"name": self.name, "version": self.version, "settings": settings, **self.content()}
        text = json.dumps(facts, sort_keys=True, ensure_ascii=False)
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()

    def content(self) -> dict[str, str]:
        """What the vectors depend on beside the settings: hashes of files, for example."""
        return {}

    @abstractmethod
    def encode(self, texts: Sequence[str]) -> Vectors:
        """Vectors of the texts in their order: float32, shape (n, dimension), rows of length 1 or 0."""


def unit_rows(vectors: NDArray[np.floating], place: str) -> Vectors:
    """The rows divided by their Euclidean length; zero rows stay zero.

    Anchor: (3, 4) becomes (.6, .8).

    Raises:
        ZhilingError: a value is NaN or infinite; the message names the first such row.
    """
    finite = np.isfinite(vectors).all(axis=1)
    if not finite.all():
        row = int(np.flatnonzero(~finite)[0])
        raise ZhilingError(
            f"text number {row} got a vector with NaN or infinite values; only finite values are allowed",
            place=place,
            hint="The model's weights may be damaged: fetch the model again, or use {use: hashing}.",
        )
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.where(lengths == 0, 1, lengths)).astype(np.float32)
