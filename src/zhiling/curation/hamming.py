"""All pairs of fingerprints that agree, each compared exactly."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.int64]
Similarity = NDArray[np.float64]

_BLOCK_CELLS = 1 << 20


def agreement(left: NDArray[np.uint64], right: NDArray[np.uint64]) -> Similarity:
    """1 - distance / (bits set in both together) of each pair; shapes (pairs, words).

    Equal ones have 1, those without a common bit 0, so where few bits are set a single one weighs more.
    Source: Dice (1945), Measures of the amount of ecologic association between species.
    """
    distance = np.bitwise_count(left ^ right).sum(axis=1, dtype=np.int64)
    both = (np.bitwise_count(left) + np.bitwise_count(right)).sum(axis=1, dtype=np.int64)
    return 1.0 - distance / np.maximum(both, 1)


def near_pairs(prints: NDArray[np.uint64], least: float) -> tuple[Numbers, Numbers, Similarity]:
    """All pairs (left < right) of at least this `agreement`, sorted, with it; `prints`: shape (n, words).

    Time: n² / 2 comparisons, some seconds for each 10⁹; memory: 16 MB and the pairs found.
    """
    counts = np.bitwise_count(prints).sum(axis=1, dtype=np.int64)
    found: list[tuple[Numbers, Numbers, Similarity]] = []
    start = 0
    while start < len(prints):
        stop = start + max(_BLOCK_CELLS // (len(prints) - start), 1)
        distance = np.zeros((len(prints[start:stop]), len(prints) - start), dtype=np.uint16)
        for word in range(prints.shape[1]):
            distance += np.bitwise_count(prints[start:stop, word, None] ^ prints[None, start:, word])
        both = counts[start:stop, None] + counts[None, start:]
        left, right = np.nonzero(np.triu(distance <= (1.0 - least) * both + 1e-9, 1))
        left, right = left + start, right + start
        found.append((left, right, agreement(prints[left], prints[right])))
        start = stop
    if not found:
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64), np.empty(0)
    left, right, similarity = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return left, right, similarity


def nearest(prints: NDArray[np.uint64], among: NDArray[np.uint64]) -> tuple[Numbers, Similarity]:
    """For each fingerprint the first of `among` that agrees most, and how far; shapes (n, words), (m, words).

    Time: n · m comparisons; memory: 8 MB beside the answer.
    """
    best, closeness = np.zeros(len(prints), dtype=np.int64), np.zeros(len(prints))
    size = max(_BLOCK_CELLS // max(len(among), 1), 1)
    counts = np.bitwise_count(among).sum(axis=1, dtype=np.int64)
    for start in range(0, len(prints), size):
        block = prints[start : start + size]
        distance = np.zeros((len(block), len(among)), dtype=np.int64)
        for word in range(prints.shape[1]):
            distance += np.bitwise_count(block[:, word, None] ^ among[None, :, word])
        both = np.bitwise_count(block).sum(axis=1, dtype=np.int64)[:, None] + counts
        found = 1.0 - distance / np.maximum(both, 1)
        best[start : start + size] = found.argmax(axis=1)
        closeness[start : start + size] = found.max(axis=1)
    return best, closeness
