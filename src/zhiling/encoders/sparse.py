"""Character n-grams as sparse matrices, by scipy (extra `curation`)."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from zhiling.encoders.ngrams import hash_ngrams
from zhiling.errors import MissingExtra


def require(module: str) -> Any:
    """A module of the `curation` extra.

    Raises:
        MissingExtra: it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise MissingExtra("curation", "scikit-learn") from error


def ngram_matrix(texts: Sequence[str], longest: int, buckets: int) -> Any:
    """Rows of unit length, a sublinear count per character n-gram of 1 to `longest`: CSR, float32."""
    rows = hash_ngrams(texts, 1, longest, buckets)
    return require("scipy.sparse").csr_matrix(
        (rows.values, rows.indices, rows.indptr), shape=(len(texts), buckets), dtype=np.float32
    )
