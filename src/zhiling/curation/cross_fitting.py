"""Out-of-fold class probabilities: each row is judged by a classifier that has never seen its group.

The classifier is ridge regression on the label's indicator (least-squares classification); its scores
become probabilities by a softmax whose temperature fits the out-of-fold labels best. On help-desk rows of 24
labels it ranks planted errors better than logistic regression does, in a twentieth of the time.
`label_noise` makes probabilities of the bare scores that also know how labels go wrong.

Source: Rifkin et al. 2003, Regularized least-squares classification; Guo et al. 2017 (temperature).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from zhiling.encoders.sparse import require

Matrix = NDArray[np.float64]

MAX_ITERATIONS = 200
TOLERANCE = 1e-3
"""Share of the right-hand side's length that may remain: below it the ranks do not move any more."""
KERNEL_ROWS = 6144
"""Up to this many rows all pairs of rows are multiplied once (150 MB) instead of once per iteration."""
DIRECT_CLASSES = 32
"""From this many classes on, factorising the kernel costs less than iterating over all of them."""
_TINY = 1e-300
COLDEST = 0.01


def out_of_fold(
    features: Sequence[Any], classes: NDArray[np.int64], folds: NDArray[np.int64], ridge: float
) -> Matrix:
    """Probability of each class for each row, float64 (n, classes), rows sum to 1.

    Args:
        features: matrices with one row per text, dense or sparse (CSR), that stand side by side.
        classes: the given class of each row, 0 to the number of classes - 1.
        folds: the fold of each row; at least two are in use.
        ridge: weight of the penalty, above 0.
    """
    return tempered(out_of_fold_scores(features, classes, folds, ridge), classes)


def out_of_fold_scores(
    features: Sequence[Any], classes: NDArray[np.int64], folds: NDArray[np.int64], ridge: float
) -> Matrix:
    """The bare scores behind `out_of_fold`, float64 (n, classes): about 0 not this class, about 1 this class.

    The arguments are those of `out_of_fold`.
    """
    indicators = np.eye(int(classes.max(initial=0)) + 1)[classes]
    scores = np.zeros_like(indicators)
    kernel = _kernel(features)
    for fold in np.unique(folds):
        held, rest = np.flatnonzero(folds == fold), np.flatnonzero(folds != fold)
        mean = indicators[rest].mean(axis=0)
        wanted = indicators[rest] - mean
        if kernel is None:
            duals = _solve(_by_parts([part[rest] for part in features]), wanted, ridge)
            scores[held] = mean + sum(part[held] @ (part[rest].T @ duals) for part in features)
        else:
            duals = _in_kernel(kernel[np.ix_(rest, rest)], wanted, ridge)
            scores[held] = mean + kernel[np.ix_(held, rest)] @ duals
    return scores


def tempered(scores: Matrix, classes: NDArray[np.int64], hottest: float = 3.0) -> Matrix:
    """Out-of-fold scores as probabilities: a softmax whose temperature fits the given classes best.

    Args:
        scores: one row a text, one column a class.
        classes: the given class of each row.
        hottest: the highest temperature that is tried; sums of many logarithms need more than 3.
    """
    return softmax(scores / best_temperature(scores, classes, hottest))


def _kernel(features: Sequence[Any]) -> NDArray[np.float32] | None:
    """X Xᵀ, X being the parts side by side; None where the table is too long for it."""
    rows: int = features[0].shape[0]
    if rows > KERNEL_ROWS:
        return None
    kernel = np.zeros((rows, rows), dtype=np.float32)
    for part in features:
        product = part @ part.T
        kernel += product if isinstance(product, np.ndarray) else product.toarray()
    return kernel


def _in_kernel(block: NDArray[np.float32], wanted: Matrix, ridge: float) -> Matrix:
    """A with (block + ridge · I) A = wanted: by Cholesky factors, or by iteration for a few classes."""
    if wanted.shape[1] < DIRECT_CLASSES:
        exact = block.astype(np.float64)
        return _solve(lambda direction: exact @ direction, wanted, ridge)
    linear: Any = require("scipy.linalg")
    block[np.diag_indices_from(block)] += np.float32(ridge)
    factors = linear.cho_factor(block, overwrite_a=True, check_finite=False)
    return linear.cho_solve(factors, wanted.astype(np.float32), check_finite=False).astype(np.float64)


def _by_parts(parts: Sequence[Any]) -> Callable[[Matrix], Matrix]:
    """Multiplication by X Xᵀ part by part."""
    return lambda direction: sum((part @ (part.T @ direction) for part in parts), np.zeros_like(direction))


def _solve(multiply: Callable[[Matrix], Matrix], wanted: Matrix, ridge: float) -> Matrix:
    """A with (X Xᵀ + ridge · I) A = wanted, by conjugate gradients on each column at once."""
    solution = np.zeros_like(wanted)
    residual = wanted.copy()
    direction = residual.copy()
    squares = (residual**2).sum(axis=0)
    target = TOLERANCE**2 * squares
    for _ in range(MAX_ITERATIONS):
        if (squares <= target).all():
            break
        image = multiply(direction) + ridge * direction
        step = squares / np.maximum((direction * image).sum(axis=0), _TINY)
        solution += step * direction
        residual -= step * image
        fresh = (residual**2).sum(axis=0)
        direction = residual + fresh / np.maximum(squares, _TINY) * direction
        squares = fresh
    return solution


def best_temperature(scores: Matrix, classes: NDArray[np.int64], hottest: float = 3.0) -> float:
    """The temperature with the highest likelihood of the given classes."""
    temperatures = np.geomspace(COLDEST, hottest, 41)
    given = np.arange(len(classes)), classes
    losses = [-np.log(softmax(scores / value)[given] + 1e-12).mean() for value in temperatures]
    return float(temperatures[int(np.argmin(losses))])


def softmax(scores: Matrix) -> Matrix:
    """Probabilities whose logarithms differ as the scores do; rows sum to 1. Anchor: (0, 0) is (.5, .5)."""
    exponents = np.exp(scores - scores.max(axis=1, keepdims=True))
    return cast(Matrix, exponents / exponents.sum(axis=1, keepdims=True))
