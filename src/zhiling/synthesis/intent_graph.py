"""Clusters of texts without labels: how many there are, and which text belongs to which.

Vectors of an encoder and rare character n-grams together give each text its nearest ones. Texts and nearest
ones are a graph; the eigenvectors of its normalised adjacency tell parts that are hardly joined. How many
eigenvalues are large says how many parts there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zhiling.encoders.joined import mixed
from zhiling.encoders.nearest import nearest
from zhiling.encoders.sparse import ngram_matrix, require

Vectors = NDArray[np.float32]
Ints = NDArray[np.int64]

BUCKETS = 2**15
LONGEST_NGRAM = 3
COMPONENTS = 200
NGRAM_SHARE = 0.2
"""Of the cosine; the encoder has the rest. On halves of BANKING77 and CLINC150 0 and .4 were worse."""

LARGE = 0.65
"""An eigenvalue above it counts as a cluster. With .7 the lead over k-means grew by a point on the
development half of BANKING77 and fell by three on that of CLINC150. The best silhouette tells the number no
better."""

POWER = 3
"""Of the eigenvalues that weight their eigenvectors: the steps of a walk over the graph. Without weights
BANKING77 lost 3 points of accuracy, with the first eigenvectors alone 1; CLINC150 lost none."""

_FEWEST_NEIGHBOURS, _MOST_NEIGHBOURS = 5, 20
_NEIGHBOURS = 3.5
_MOST_CLUSTERS = 250
_LEAST_ROWS = 2
_STARTS = 10
_DIGITS = 4


@dataclass(frozen=True)
class NgramSpace:
    """Rare character n-grams in few dimensions (latent semantic analysis).

    Attributes:
        columns: (c,) the buckets that at least two rows have.
        weights: (c,) of each, ln((n + 1) / (rows with it + .5)).
        components: (dimensions, c).

    Source: Deerwester et al. 1990, Indexing by Latent Semantic Analysis.
    """

    columns: Ints
    weights: NDArray[np.float32]
    components: NDArray[np.float32]

    @classmethod
    def learnt(cls, texts: Sequence[str], seed: int) -> NgramSpace:
        """The space of these texts."""
        counts = ngram_matrix(texts, LONGEST_NGRAM, BUCKETS)
        frequency = np.bincount(counts.indices, minlength=BUCKETS)
        columns = np.flatnonzero(frequency >= _LEAST_ROWS)
        weights = np.log((len(texts) + 1) / (frequency[columns] + 0.5)).clip(0).astype(np.float32)
        size = min(COMPONENTS, len(texts), len(columns)) - 1
        if size < 1:
            return cls(columns, weights, np.zeros((0, len(columns)), dtype=np.float32))
        decomposed = require("sklearn.decomposition").TruncatedSVD(size, random_state=seed)
        with np.errstate(divide="ignore", invalid="ignore"):  # of texts all alike no variance is told
            decomposed.fit(_weighted(counts[:, columns], weights))
        return cls(columns, weights, decomposed.components_.astype(np.float32))

    def vectors(self, texts: Sequence[str]) -> Vectors:
        """Rows of length 1 or 0, shape (n, dimensions)."""
        counts = ngram_matrix(texts, LONGEST_NGRAM, BUCKETS)[:, self.columns]
        return unit_rows(_weighted(counts, self.weights) @ self.components.T)


def _weighted(counts: Any, weights: NDArray[np.float32]) -> Any:
    """Counts times weights, rows of length 1 or 0."""
    sparse = require("scipy.sparse")
    result = counts @ sparse.diags_array(weights).tocsr()
    lengths = np.sqrt(np.asarray(result.multiply(result).sum(axis=1)).ravel())
    lengths[lengths == 0] = 1
    return sparse.diags_array(1 / lengths).tocsr() @ result


def unit_rows(vectors: NDArray[Any]) -> Vectors:
    """The rows scaled to length 1; zero rows stay zero."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.where(lengths == 0, 1, lengths)).astype(np.float32)


def joined(encoded: Vectors, ngrams: Vectors) -> Vectors:
    """Both side by side; the cosine of two rows is the weighted mean of their cosines."""
    return mixed(encoded, ngrams, NGRAM_SHARE)


def clustered(vectors: Vectors, seed: int, clusters: int | None = None) -> Ints:
    """The cluster of each row, from 0, larger ones first; shape (n,).

    Args:
        vectors: (n, dimension), rows of length 1.
        seed: of the starts of k-means.
        clusters: how many; None: as many as there are large eigenvalues, two at least.

    Source: Ng, Jordan & Weiss 2001, On Spectral Clustering; the number by von Luxburg 2007 (section 8.3).
    Deviation: all eigenvectors that were found, weighted (diffusion maps, Coifman & Lafon 2006).
    """
    distinct, place = np.unique(vectors, axis=0, return_inverse=True)
    if len(distinct) <= 2 or clusters == 1:
        return np.zeros(len(vectors), dtype=np.int64)
    values, coordinates = _spectrum(distinct, seed, clusters)
    number = clusters or max(2, int((values > LARGE).sum()))
    found = unit_rows(coordinates * np.clip(values, 0, None) ** POWER)
    number = min(number, len(np.unique(found.round(_DIGITS), axis=0)))
    means = require("sklearn.cluster").KMeans(number, n_init=_STARTS, random_state=seed)
    labels = means.fit_predict(found).astype(np.int64)[place.ravel()]
    return _by_size(labels)


def _spectrum(vectors: Vectors, seed: int, clusters: int | None) -> tuple[NDArray[Any], NDArray[Any]]:
    """The largest eigenvalues of the normalised adjacency, falling, and their eigenvectors."""
    sparse = require("scipy.sparse")
    near, likeness = nearest(vectors, vectors, neighbours_of(len(vectors)), apart=True)
    rows = np.repeat(np.arange(len(vectors)), near.shape[1])
    size = (len(vectors), len(vectors))
    graph = sparse.csr_matrix((likeness.clip(1e-6).ravel().astype(np.float64), (rows, near.ravel())), size)
    graph = graph.maximum(graph.T)
    scale = sparse.diags_array(1 / np.sqrt(np.asarray(graph.sum(axis=1)).ravel()))
    wanted = min(max(_MOST_CLUSTERS, clusters or 0), len(vectors) - 1)
    adjacency = scale @ graph @ scale
    if len(vectors) <= 2 * _MOST_CLUSTERS:
        values, coordinates = np.linalg.eigh(adjacency.toarray())
    else:
        start = np.random.default_rng(seed).random(len(vectors))
        values, coordinates = require("scipy.sparse.linalg").eigsh(adjacency, k=wanted, which="LA", v0=start)
    order = np.argsort(-values)[:wanted]
    return values[order], coordinates[:, order]


def neighbours_of(rows: int) -> int:
    """How many nearest texts each is joined with: more where there are more texts."""
    return min(max(_FEWEST_NEIGHBOURS, min(_MOST_NEIGHBOURS, round(rows**0.5 / _NEIGHBOURS))), rows - 1)


def _by_size(labels: Ints) -> Ints:
    """The labels renumbered: the largest cluster is 0; of equal ones the one that comes first."""
    kinds, first, counts = np.unique(labels, return_index=True, return_counts=True)
    order = np.lexsort((first, -counts))
    number = np.empty(len(kinds), dtype=np.int64)
    number[order] = np.arange(len(kinds))
    return number[np.searchsorted(kinds, labels)]
