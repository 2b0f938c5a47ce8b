"""Hashed character n-grams as trained vectors: what a classifier reads in any script."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from torch import nn

from zhiling.encoders.hashing import HashingEncoder
from zhiling.encoders.ngrams import SparseRows
from zhiling.errors import UsageError
from zhiling.training.reading.features import Encoded, FeaturePart, Inputs, Segments
from zhiling.training.reading.pair_ngrams import hash_pairs
from zhiling.training.settings import TrainSettings

INITIAL_DEVIATION = 0.02
"""Of the n-gram vectors. Small, so that the head first learns from the encoder: on 850 short texts in two
languages accuracy was .862 with .02 and .844 with 1."""


@dataclass(frozen=True)
class NgramInputs:
    """The kept n-grams of each text: places in the table of vectors, and weights."""

    rows: SparseRows

    def lengths(self) -> Sequence[int]:
        """All 0: n-grams need no padding."""
        return [0] * len(self.rows)

    def take(self, rows: Sequence[int]) -> NgramInputs:
        """The n-grams of some texts."""
        places = np.asarray(rows, dtype=np.int64)
        starts = self.rows.indptr[places]
        counts = self.rows.indptr[places + 1] - starts
        indptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        entries = np.arange(int(indptr[-1]), dtype=np.int64) + np.repeat(starts - indptr[:-1], counts)
        return NgramInputs(
            SparseRows(indptr, self.rows.indices[entries], self.rows.values[entries], self.rows.dimension)
        )


class NgramFeatures(FeaturePart):
    """A vector per kept n-gram; a text's vector is their sum, weighted by count and rarity.

    Of a pair an n-gram counts by the side it stands on, and steps of the overlap count as n-grams (see
    `pair_ngrams.py`).

    Of all hash buckets only those are kept that enough training texts hold: some thousands instead of
    2**18, so a step moves a hundred times fewer weights. All other n-grams are passed over.
    """

    buckets: torch.Tensor
    rarity: torch.Tensor

    def __init__(self, buckets: torch.Tensor, rarity: torch.Tensor, settings: TrainSettings) -> None:
        super().__init__()
        self.width = settings.ngram_width
        self.encoder = HashingEncoder(buckets=settings.ngram_buckets)
        self.register_buffer("buckets", buckets)
        self.register_buffer("rarity", rarity)
        self.vectors = nn.EmbeddingBag(len(buckets), self.width, mode="sum", include_last_offset=True)
        nn.init.normal_(self.vectors.weight, std=INITIAL_DEVIATION)

    @classmethod
    def learn(cls, sequences: Sequence[Segments], settings: TrainSettings) -> Self:
        """New vectors for the n-grams of the training texts; rarity is ln((1 + n) / (1 + texts with it)) + 1.

        Raises:
            UsageError: no n-gram occurs in `ngram_min_rows` texts.
        """
        rows = _ngrams(sequences, HashingEncoder(buckets=settings.ngram_buckets))
        buckets, counts = np.unique(rows.indices, return_counts=True)
        kept = counts >= settings.ngram_min_rows
        if not kept.any():
            raise UsageError(
                f"no n-gram occurs in {settings.ngram_min_rows} of the {len(rows)} training texts",
                hint="Set ngram_min_rows: 1, or features: encoder, or add training rows.",
            )
        rarity = np.log((1 + len(rows)) / (1 + counts[kept])) + 1
        return cls(torch.as_tensor(buckets[kept]), torch.as_tensor(rarity.astype(np.float32)), settings)

    def prepare(self, sequences: Sequence[Segments]) -> NgramInputs:
        """The kept n-grams of each text, weighted, each text scaled to length 1."""
        rows = _ngrams(sequences, self.encoder)
        buckets = self.buckets.numpy()
        places = np.searchsorted(buckets, rows.indices).clip(max=len(buckets) - 1)
        kept = buckets[places] == rows.indices
        numbers, places = rows.row_numbers()[kept], places[kept]
        weights = rows.values[kept] * self.rarity.numpy()[places]
        lengths = np.sqrt(np.bincount(numbers, weights=weights.astype(np.float64) ** 2, minlength=len(rows)))
        indptr = np.concatenate([[0], np.cumsum(np.bincount(numbers, minlength=len(rows)))]).astype(np.int64)
        values = (weights / lengths[numbers]).astype(np.float32)
        return NgramInputs(SparseRows(indptr, places.astype(np.int64), values, len(buckets)))

    def forward(self, inputs: Inputs) -> Encoded:
        """Sums of n-gram vectors, shape (batch, width); 0 for a text without a kept n-gram."""
        assert isinstance(inputs, NgramInputs)
        rows = inputs.rows
        return Encoded(
            self.vectors(
                torch.as_tensor(rows.indices),
                torch.as_tensor(rows.indptr),
                per_sample_weights=torch.as_tensor(rows.values),
            )
        )


def _ngrams(sequences: Sequence[Segments], encoder: HashingEncoder) -> SparseRows:
    """The n-grams of texts; of pairs with the side that each stands on."""
    firsts = [each.first for each in sequences]
    if all(each.second is None for each in sequences):
        return encoder.encode_sparse(firsts)
    return hash_pairs(firsts, [each.second or "" for each in sequences], encoder)
