"""The two views that everything adversarial judges texts by: an encoder's vectors, and character n-grams."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zhiling.encoders.hashing import HashingEncoder
from zhiling.encoders.joined import mixed
from zhiling.errors import ZhilingError
from zhiling.pipeline.step import Encoder

Vectors = NDArray[np.float32]

NGRAM_SHARE = 0.3
"""Weight of the n-grams beside the encoder where one classifier reads both, as in `label_errors`."""
MOST_KEPT = 100_000
"""Texts whose vectors are kept between rounds: every round asks for the anchors' and the logs' again."""

_NGRAMS = HashingEncoder()
_known: OrderedDict[tuple[str, str], Vectors] = OrderedDict()
_known_ngrams: OrderedDict[str, tuple[NDArray[np.uint16], Vectors]] = OrderedDict()


@dataclass(frozen=True)
class Features:
    """Two views of the same texts, each float32 (n, its dimension), rows of length 1 (an empty text: 0)."""

    encoder: Vectors
    ngrams: Vectors

    @property
    def views(self) -> tuple[Vectors, Vectors]:
        """Both, apart: an ensemble has a member for each."""
        return self.encoder, self.ngrams

    @property
    def joined(self) -> Vectors:
        """Both side by side, for one classifier."""
        return mixed(self.encoder, self.ngrams, NGRAM_SHARE)

    def __getitem__(self, rows: NDArray[np.integer] | NDArray[np.bool_] | slice) -> Features:
        return Features(self.encoder[rows], self.ngrams[rows])


def features(texts: Sequence[str], encoder: Encoder) -> Features:
    """Both views of the texts."""
    return Features(Remembered(encoder).encode(texts), _ngrams(texts))


def _ngrams(texts: Sequence[str]) -> Vectors:
    """Character n-grams, float32 (n, 2048); what is kept is sparse, a tenth of that."""
    new = [text for text in dict.fromkeys(texts) if text not in _known_ngrams]
    if new:
        rows = _NGRAMS.encode_sparse(new)
        columns = np.split(rows.indices.astype(np.uint16), rows.indptr[1:-1])
        values = np.split(rows.values, rows.indptr[1:-1])
        _known_ngrams.update(zip(new, zip(columns, values, strict=True), strict=True))
    told = [_known_ngrams[text] for text in texts]
    vectors = np.zeros((len(texts), _NGRAMS.dimension), dtype=np.float32)
    if told:
        columns, values = (np.concatenate(each) for each in zip(*told, strict=True))
        vectors[np.repeat(np.arange(len(texts)), [len(each) for each, _ in told]), columns] = values
    while len(_known_ngrams) > MOST_KEPT:
        _known_ngrams.popitem(last=False)
    return vectors


class Remembered:
    """An encoder that does not encode a text again that it encoded lately; all of one identity share it."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder

    @property
    def identity(self) -> str:
        """The encoder's."""
        return self._encoder.identity

    def encode(self, texts: Sequence[str]) -> Vectors:
        """The encoder's vectors, float32 (n, dimension).

        Raises:
            ZhilingError: one holds NaN or an infinite value; a verdict by it would mean nothing.
        """
        identity = self.identity
        new = [text for text in dict.fromkeys(texts) if (identity, text) not in _known]
        fresh = dict(zip(new, self._finite(new), strict=True))
        if not texts:
            return self._encoder.encode([])
        vectors = np.stack([fresh[text] if text in fresh else _known[identity, text] for text in texts])
        _known.update(((identity, text), vector) for text, vector in fresh.items())
        while len(_known) > MOST_KEPT:
            _known.popitem(last=False)
        return vectors

    def _finite(self, texts: Sequence[str]) -> Vectors:
        vectors = self._encoder.encode(texts)
        broken = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
        if len(broken):
            raise ZhilingError(
                f"{len(broken)} of {len(texts)} texts got a vector with NaN or infinite values, the first of "
                f"them {texts[int(broken[0])]!r:.90}; only finite values are allowed",
                place=f"encoder {type(self._encoder).__name__}",
                hint="mend the encoder or its model's weights, or use {use: hashing}",
            )
        return vectors
