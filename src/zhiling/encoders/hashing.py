"""Hashed character n-grams: an encoder for every language that needs no model and no download."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Self

from pydantic import Field, model_validator

from zhiling.encoders.encoder import Encoder, Vectors
from zhiling.encoders.ngrams import SparseRows, hash_ngrams


class HashingEncoder(Encoder):
    """Vectors of signed, hashed character n-grams; equal on every machine, no state, no training."""

    name: ClassVar[str] = "hashing"

    buckets: int = Field(
        default=2048, ge=16, le=2**24, description="Number of buckets: columns of the vectors."
    )
    shortest: int = Field(default=1, ge=1, le=8, description="Length in characters of the shortest n-grams.")
    longest: int = Field(default=4, ge=1, le=8, description="Length in characters of the longest n-grams.")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.shortest > self.longest:
            raise ValueError(f"shortest={self.shortest} must not exceed longest={self.longest}")
        return self

    @property
    def dimension(self) -> int:
        """The number of buckets."""
        return self.buckets

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Vectors of the texts: float32, shape (n, buckets), rows of length 1 (0 for an empty text)."""
        return self.encode_sparse(texts).dense()

    def encode_sparse(self, texts: Sequence[str]) -> SparseRows:
        """The same vectors as sparse rows: with 2**18 buckets and more, the form to use."""
        return hash_ngrams(texts, self.shortest, self.longest, self.buckets)
