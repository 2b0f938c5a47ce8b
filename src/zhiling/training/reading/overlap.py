"""How many rare n-grams two texts share, as the product of two short vectors: works for words never seen."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from zhiling.encoders.hashing import HashingEncoder
from zhiling.encoders.ngrams import SparseRows
from zhiling.training.reading.features import Encoded, FeaturePart, Inputs, Segments
from zhiling.training.reading.ngram_features import NgramInputs

BUCKETS = 2**18
"""In which the rarity of an n-gram is counted."""
COLUMNS = 2048
"""Of a text's vector: n-grams of 128 buckets share one, with random signs. Two texts that share nothing then
have a product of about ±.02."""


class OverlapFeatures(FeaturePart):
    """Hashed character n-grams, weighted by rarity and folded to a vector of length 1.

    Nothing is learnt but the rarity.

    Source: Charikar, Chen and Farach-Colton 2002, Finding Frequent Items in Data Streams (count sketch).
    """

    rarity: torch.Tensor

    def __init__(self, sequences: Sequence[Segments] = ()) -> None:
        super().__init__()
        self.width = COLUMNS
        self.encoder = HashingEncoder(buckets=BUCKETS)
        texts = list(dict.fromkeys(each.first for each in sequences))
        counts = np.bincount(self.encoder.encode_sparse(texts).indices, minlength=BUCKETS)
        rarity = np.log((1 + len(texts)) / (1 + counts)) + 1
        self.register_buffer("rarity", torch.as_tensor(rarity.astype(np.float32)))
        signs = np.random.default_rng(0).integers(0, 2, BUCKETS) * 2 - 1
        self.signs = signs.astype(np.float32)

    def prepare(self, sequences: Sequence[Segments]) -> NgramInputs:
        """The weighted n-grams of each text, in their columns."""
        rows = self.encoder.encode_sparse([each.first for each in sequences])
        values = rows.values * self.rarity.numpy()[rows.indices] * self.signs[rows.indices]
        return NgramInputs(SparseRows(rows.indptr, rows.indices % COLUMNS, values, COLUMNS))

    def forward(self, inputs: Inputs) -> Encoded:
        """Vectors of length 1, shape (batch, columns); 0 for an empty text."""
        assert isinstance(inputs, NgramInputs)
        rows = inputs.rows
        folded = torch.zeros(len(rows), COLUMNS)
        places = (torch.as_tensor(rows.row_numbers()), torch.as_tensor(rows.indices))
        folded.index_put_(places, torch.as_tensor(rows.values), accumulate=True)
        return Encoded(torch.nn.functional.normalize(folded, dim=1))
