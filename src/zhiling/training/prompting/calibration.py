"""Contextual calibration: what a prompt says of no content is taken out of what it says of an input."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from zhiling.errors import UsageError

Probabilities = NDArray[np.float64]

CONTENT_FREE = {"en": ("N/A", "[MASK]", ""), "zh": ("无", "〔空〕", "")}
"""Inputs without content, by language of the prompt; what is said of them is averaged."""
LEAST = float(np.finfo(np.float64).tiny)
"""Of a probability that is divided by."""


def probabilities(logs: NDArray[np.floating]) -> Probabilities:
    """Shares of candidates, float64, shape of `logs`; rows sum to 1.

    Anchor: equal logarithms give equal shares.

    Args:
        logs: log-probabilities or other scores, shape (…, candidates).
    """
    powers = np.exp(logs.astype(np.float64) - logs.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def calibrated(found: Probabilities, content_free: Probabilities) -> Probabilities:
    """Gives q = W p with W = diag(p_cf)⁻¹ and b = 0, its rows scaled to sum to 1.

    A bias that multiplies a candidate's probability whatever the input says is removed exactly.

    Anchors: p where p_cf is uniform; uniform where p = p_cf.

    Args:
        found: p, what is said of the inputs, shape (…, candidates).
        content_free: p_cf, what is said of inputs without content, of the same candidates.

    Raises:
        UsageError: the candidates differ in number.

    Source: Zhao et al. 2021, Calibrate Before Use, section 4.
    Deviation: rows are scaled by their sum, not by softmax: the order is the same, and no bias is left in the
    probabilities either.
    """
    if found.shape[-1] != content_free.shape[-1]:
        raise UsageError(f"{found.shape[-1]} candidates cannot be calibrated by {content_free.shape[-1]}")
    weighted = found / np.maximum(content_free, LEAST)
    return weighted / weighted.sum(axis=-1, keepdims=True)
