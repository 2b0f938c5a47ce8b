"""Several encoders side by side: a transformer for meaning, n-grams for scripts that it cannot read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, cast

import numpy as np
from pydantic import Field, SerializeAsAny, field_validator

from zhiling.encoders.build import build_encoder
from zhiling.encoders.encoder import Encoder, Vectors, unit_rows


class JoinedEncoder(Encoder):
    """The vectors of all parts, concatenated and scaled: the cosine is the mean of the parts' cosines."""

    name: ClassVar[str] = "joined"

    parts: tuple[SerializeAsAny[Encoder], ...] = Field(
        min_length=2, description="Encoders, each written as {use: NAME, ...settings}."
    )

    @field_validator("parts", mode="before")
    @classmethod
    def _built(cls, parts: object) -> object:
        if not isinstance(parts, list | tuple):
            return parts
        return tuple(
            build_encoder(cast(Mapping[str, object], part)) if isinstance(part, Mapping) else part
            for part in cast(Sequence[object], parts)
        )

    def content(self) -> dict[str, str]:
        """The identity of each part."""
        return {str(place): part.identity for place, part in enumerate(self.parts)}

    @property
    def dimension(self) -> int:
        """Sum of the parts' dimensions."""
        return sum(part.dimension for part in self.parts)

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Vectors of the texts: float32, shape (n, dimension), rows of length 1 (0 for an empty text)."""
        return unit_rows(
            np.concatenate([part.encode(texts) for part in self.parts], axis=1), "encoder joined"
        )


def mixed(first: Vectors, second: Vectors, share: float) -> Vectors:
    """Two kinds of vectors of the same texts side by side, rows of length 1 again.

    The cosine is that of `first` times 1 - `share`, and that of `second` times `share`.
    """
    return np.hstack([first * (1 - share) ** 0.5, second * share**0.5]).astype(np.float32)
