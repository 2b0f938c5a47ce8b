"""Classifiers in closed form: equal to what a library fits, on few rows and on many."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("sklearn")

from zhiling.adversarial.linear import SHRINKAGE, cross_discriminant, cross_fitted, discriminant, fitted


def texts(rows: int, width: int, seed: int = 0) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(size=(rows, width)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.mark.parametrize("rows", [7, 60])
def test_least_squares_are_those_of_ridge_regression(rows: int) -> None:
    vectors = texts(rows, 20)
    wanted = np.random.default_rng(1).random((rows, 3))
    found = fitted(vectors, wanted, ridge=0.3)
    library: Any = importlib.import_module("sklearn.linear_model").Ridge(alpha=0.3, fit_intercept=False)
    expected = library.fit(vectors, wanted - wanted.mean(axis=0)).predict(vectors)
    assert found.scores(vectors) == pytest.approx(expected + wanted.mean(axis=0), abs=1e-4)


@pytest.mark.parametrize("rows", [9, 90])
def test_discriminant_scores_are_log_densities_but_for_a_constant(rows: int) -> None:
    vectors, classes = texts(rows, 12), np.arange(rows) % 3
    means = np.stack([vectors[classes == each].mean(axis=0) for each in range(3)]).astype(np.float64)
    around = vectors - means[classes]
    covariance = around.T @ around / rows
    covariance += SHRINKAGE * np.trace(covariance) / 12 * np.eye(12)
    apart = vectors[:, None] - means[None]
    precision = np.asarray(np.linalg.inv(covariance), dtype=np.float64)
    logs = -0.5 * np.einsum("nkd,de,nke->nk", apart, precision, apart)
    scores = discriminant(vectors, classes, 3).scores(vectors)
    offset = logs - scores
    assert offset - offset[:, :1] == pytest.approx(np.zeros_like(offset), abs=1e-3)


@pytest.mark.parametrize("rows", [6, 600])
def test_a_class_without_a_row_and_rows_that_are_all_equal(rows: int) -> None:
    same = np.repeat(texts(1, 8), rows, axis=0)
    scores = discriminant(same, np.repeat([0, 1], rows // 2), 3).scores(same)
    assert np.isfinite(scores).all()
    assert scores[:, 0] == pytest.approx(scores[:, 1])


@given(st.integers(2, 5), st.integers(0, 99))
def test_a_row_is_scored_without_its_fold(folds: int, seed: int) -> None:
    vectors, wanted = texts(12, 4, seed), np.random.default_rng(seed).random((12, 1))
    fold = np.arange(12) % folds
    found = cross_fitted(lambda rows: fitted(vectors[rows], wanted[rows]), vectors, fold)
    held = fold == 0
    assert found[held] == pytest.approx(fitted(vectors[~held], wanted[~held]).scores(vectors[held]))


@pytest.mark.parametrize(("rows", "width"), [(30, 40), (30, 24), (30, 6), (300, 12)])
def test_all_folds_at_once_are_each_fold_by_itself(rows: int, width: int) -> None:
    draws = np.random.default_rng(rows + width)
    vectors, classes, folds = texts(rows, width), draws.integers(0, 4, rows), np.arange(rows) % 5
    whole, outside = cross_discriminant(vectors, classes, 5, folds)
    alone = discriminant(vectors, classes, 5).scores(vectors)
    assert whole.scores(vectors) == pytest.approx(alone, rel=1e-3, abs=1e-4)
    for fold in range(5):
        learnt, held = folds != fold, folds == fold
        alone = discriminant(vectors[learnt], classes[learnt], 5).scores(vectors[held])
        assert outside[held] == pytest.approx(alone, rel=1e-3, abs=1e-3)
