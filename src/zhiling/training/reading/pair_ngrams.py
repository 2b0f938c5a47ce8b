"""What the n-grams of two texts say of the pair: which both hold, which one alone, and how many of each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from zhiling.encoders.hashing import HashingEncoder
from zhiling.encoders.ngrams import SparseRows

SIDES = 3
"""Blocks of columns for n-grams of both texts, of the first alone and of the second alone."""
STEPS = 13
"""Steps in which shares and counts are told: tenths, or up to 12."""
_KINDS = 3


def hash_pairs(firsts: Sequence[str], seconds: Sequence[str], encoder: HashingEncoder) -> SparseRows:
    """A row per pair: 1 for each of its n-grams in the block of the side it stands on, and for each step.

    The last columns tell, for each length of n-grams, the share of the second text's that the first holds,
    the share of the first's that the second holds, and how many the second alone holds: how much two texts
    overlap, which no sum over n-grams tells.

    Args:
        firsts: the first text of each pair.
        seconds: the second.
        encoder: whose n-grams are read; its signs and weights are not.
    """
    lengths = range(encoder.shortest, encoder.longest + 1)
    by_length = [HashingEncoder(buckets=encoder.buckets, shortest=each, longest=each) for each in lengths]
    sides = [[each.encode_sparse(texts) for each in by_length] for texts in (firsts, seconds)]
    lines = [np.unique(_line(sides, row, encoder.buckets)) for row in range(len(firsts))]
    indptr = np.concatenate([[0], np.cumsum([len(line) for line in lines])]).astype(np.int64)
    indices = np.concatenate([np.zeros(0, np.int64), *lines])
    width = SIDES * encoder.buckets + len(by_length) * _KINDS * STEPS
    return SparseRows(indptr, indices, np.ones(len(indices), np.float32), width)


def _line(sides: Sequence[Sequence[SparseRows]], row: int, buckets: int) -> NDArray[np.int64]:
    """The columns of one pair."""
    return np.concatenate(list(_columns(sides, row, buckets)))


def _columns(sides: Sequence[Sequence[SparseRows]], row: int, buckets: int) -> Iterator[NDArray[np.int64]]:
    for number, (first, second) in enumerate(zip(*sides, strict=True)):
        one, other = _held(first, row), _held(second, row)
        both = np.intersect1d(one, other, assume_unique=True)
        ours = np.setdiff1d(one, both, assume_unique=True)
        theirs = np.setdiff1d(other, both, assume_unique=True)
        yield both
        yield ours + buckets
        yield theirs + 2 * buckets
        shares = (_tenths(len(both), len(other)), _tenths(len(both), len(one)), min(len(theirs), STEPS - 1))
        start = SIDES * buckets + number * _KINDS * STEPS
        yield np.array([start + kind * STEPS + step for kind, step in enumerate(shares)], dtype=np.int64)


def _held(rows: SparseRows, row: int) -> NDArray[np.int64]:
    return rows.indices[rows.indptr[row] : rows.indptr[row + 1]]


def _tenths(part: int, whole: int) -> int:
    """The share in tenths, rounded down; a text without n-grams holds all of them."""
    return 10 * part // whole if whole else 10
