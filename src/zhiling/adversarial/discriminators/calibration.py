"""Probabilities of what a discriminator says, and how strict it must be: the same for all that judge pairs.

Source: Platt 1999, Probabilistic Outputs for Support Vector Machines.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from zhiling.encoders.sparse import require

Floats = NDArray[np.float64]
Scale = tuple[float, float]
"""Slope and bias that make log-odds of a number."""

_FURTHEST = 50  # log-odds beyond it say no more


def platt(right: Floats, wrong: Floats) -> Scale:
    """Slope and bias of the log-odds that tell right from wrong, both weighing the same."""
    given = np.concatenate([right, wrong])[:, None]
    truth = np.repeat([1, 0], [len(right), len(wrong)])
    fit: Any = require("sklearn.linear_model").LogisticRegression(class_weight="balanced").fit(given, truth)
    return float(fit.coef_[0, 0]), float(fit.intercept_[0])


def sigmoid(given: Floats, scale: Scale) -> Floats:
    """The probability of each number; .5 where slope · number = -bias."""
    slope, bias = scale
    return 1 / (1 + np.exp(-np.clip(slope * given + bias, -_FURTHEST, _FURTHEST)))


def strictness(of_wrong: Floats, share: float) -> float:
    """The probability above which at most this share of wrong ones passes; at least .5.

    Args:
        of_wrong: probabilities that wrong ones were given, out of fold, (n,).
        share: that may pass, 0 to 1.
    """
    return max(0.5, float(np.quantile(of_wrong, 1 - share, method="higher")))
