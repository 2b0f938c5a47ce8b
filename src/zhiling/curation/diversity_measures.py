"""Measures of diversity, each a plain function of texts or of vectors of length 1.

All grow or shrink with the number of rows: compare sets of equal size (`diversity` does).
"""

from __future__ import annotations

import math

import numpy as np
import polars as pl
from numpy.typing import NDArray

from zhiling.curation.selection.cells import nearest
from zhiling.text.normalise import normalise
from zhiling.text.tokens import tokenise

Vectors = NDArray[np.float32]

DENSITY_NEIGHBOURS = 10
DENSITY_POWER = 0.5
_BLOCK_ROWS = 512
_BASE = np.uint64(0x9E3779B97F4A7C15)


def distinct_n(texts: pl.Series, n: int) -> float:
    """Different n-grams over all n-grams of the texts, 0 to 1; NaN where no text has n tokens.

    A token is a word, or one character of a script without spaces: characters for Chinese. It falls with
    the number of tokens, so longer texts look less diverse.

    Anchor: ["a b a b"] has the 2-grams ab, ba, ab: 2/3. ["你好", "你好"] has one of two: 1/2.

    Source: Li et al. 2016 (distinct-1, distinct-2).
    """
    found: list[NDArray[np.uint64]] = []
    for block in tokenise(normalise(texts.fill_null(""))):
        grams = np.zeros(max(len(block.hashes) - n + 1, 0), dtype=np.uint64)
        for step in range(n):
            grams *= _BASE
            grams += block.hashes[step : step + len(grams)]
        starts = np.arange(len(grams))
        row = np.searchsorted(block.offsets, starts, side="right")
        found.append(grams[starts + n <= block.offsets[row]] if len(grams) else grams)
    every = np.concatenate(found) if found else np.empty(0, dtype=np.uint64)
    return len(np.unique(every)) / len(every) if len(every) else math.nan


def vendi_score(vectors: Vectors) -> float:
    """The effective number of different rows: e to the entropy of the eigenvalues of their cosines over n.

    exp(-Σ λ ln λ), λ the eigenvalues of X Xᵀ / n, which are those of Xᵀ X / n. Rows of length 0 are left
    out; NaN where none is left.

    Anchor: 1 when all rows are equal, n when all are orthogonal.

    Source: Friedman & Dieng 2023, The Vendi Score.
    """
    filled = vectors[np.abs(vectors).max(axis=1, initial=0) > 0].astype(np.float64)
    if not len(filled):
        return math.nan
    small = filled if len(filled) < filled.shape[1] else filled.T
    eigenvalues = np.linalg.eigvalsh(small @ small.T / len(filled))
    shares = eigenvalues[eigenvalues > 1e-12]
    return float(np.exp(-(shares * np.log(shares)).sum()))


def novel_sum(vectors: Vectors, reference: Vectors | None = None) -> float:
    """How novel a row is on average: its distance to the others, the near ones counting most.

    The mean over rows i of Σ w(i, j) σ(j)^½ d(i, j) over Σ w(i, j), j all other rows: d is 1 - cosine,
    w = 1 / (rank of j among the neighbours of i), σ(j) = 1 / (mean distance of j to its ten nearest reference
    rows). So a distance counts more where the reference is dense. Without a reference σ is 1. NaN for fewer
    than two rows.

    Anchor: without reference 0 when all rows are equal, 1 when all are orthogonal.

    Source: Yang et al. 2025, Measuring Data Diversity for Instruction Tuning (exponents 1 and ½, K = 10).
    Deviation: a mean where the paper sums, and weights divided by their sum, so the figure does not grow
    with the sample.
    """
    height = len(vectors)
    if height < 2:
        return math.nan
    dense = np.ones(height) if reference is None else density(vectors, reference) ** DENSITY_POWER
    weights = 1 / np.arange(1, height)
    total = 0.0
    for start in range(0, height, _BLOCK_ROWS):
        distances = 1 - (vectors[start : start + _BLOCK_ROWS] @ vectors.T).astype(np.float64)
        own = np.arange(len(distances))
        distances[own, start + own] = -np.inf  # itself comes first, and is left out
        order = np.argsort(distances, axis=1, kind="stable")[:, 1:]
        apart = np.maximum(np.take_along_axis(distances, order, axis=1), 0) * dense[order]
        total += float((apart @ weights).sum())
    return total / float(weights.sum()) / height


def density(vectors: Vectors, reference: Vectors, count: int = DENSITY_NEIGHBOURS) -> NDArray[np.float64]:
    """One over the mean distance (1 - cosine) of each vector to its `count` nearest reference rows.

    Reference rows equal to the vector (itself among them) count as no neighbours. The distance is at least
    0.001, so that near copies in the reference do not make it huge.
    """
    answer = np.ones(len(vectors))
    for start in range(0, len(vectors), _BLOCK_ROWS):
        distances = 1 - (vectors[start : start + _BLOCK_ROWS] @ reference.T).astype(np.float64)
        distances[distances < 1e-6] = np.inf
        taken = min(count, len(reference))
        near = np.partition(distances, taken - 1, axis=1)[:, :taken] if taken else np.ones((1, 1))
        near = np.where(np.isfinite(near), near, np.nan)
        known = np.isfinite(near).any(axis=1)
        mean = np.ones(len(near))
        mean[known] = np.nanmean(near[known], axis=1)
        answer[start : start + _BLOCK_ROWS] = 1 / np.maximum(mean, 1e-3)
    return answer


def cluster_entropy(vectors: Vectors, middle: Vectors) -> float:
    """How evenly the rows lie over clusters: the entropy of their shares over ln k, 0 to 1.

    Args:
        vectors: rows of length 1.
        middle: the centres of k clusters, of the reference where there is one.

    Anchor: 0 when all rows are in one cluster, 1 when each has as many. NaN without rows or with k < 2.

    Source: Shannon 1948; Maharana et al. 2024 and others measure coverage over k-means clusters so.
    """
    if not len(vectors) or len(middle) < 2:
        return math.nan
    owner, _ = nearest(vectors, middle)
    shares = np.bincount(owner) / len(owner)
    shares = shares[shares > 0]
    return max(float(-(shares * np.log(shares)).sum() / math.log(len(middle))), 0.0)
