"""K-centre: twice the best radius at most, in parts as well; quotas; what is covered counts."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from tests.unit.curation.selection.points import alone, unit
from zhiling.curation.selection import k_centre
from zhiling.curation.selection.choice import Shares, Vectors


def radius(vectors: Vectors, rows: np.ndarray) -> float:
    """The largest angle of any row to its nearest chosen one (a metric, unlike 1 - cosine)."""
    return float(np.arccos(np.clip(vectors @ vectors[rows].T, -1, 1)).min(axis=1).max())


@pytest.mark.parametrize("seed", range(4))
def test_no_row_is_farther_than_twice_the_best_possible(seed: int) -> None:
    vectors = unit(12, 3, seed)
    chosen = k_centre.choose(vectors, alone(12, 3), np.zeros(12, dtype=np.float32)).rows
    best = min(radius(vectors, np.array(rows)) for rows in combinations(range(12), 3))
    assert radius(vectors, chosen) <= 2 * best + 1e-5


def test_a_choice_in_parts_is_nearly_as_wide(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = unit(600, 4)
    nothing = np.zeros(600, dtype=np.float32)
    whole = k_centre.choose(vectors, alone(600, 20), nothing).rows
    monkeypatch.setattr(k_centre, "MOST_PRODUCTS", 100)
    parts = k_centre.choose(vectors, alone(600, 20), nothing).rows
    assert len(set(parts.tolist())) == 20
    assert radius(vectors, parts) <= 1.5 * radius(vectors, whole)


def test_quotas_hold_and_an_empty_table_is_no_obstacle() -> None:
    stratum = np.arange(30) % 3
    shares = Shares(stratum, np.array([4, 0, 1]))
    chosen = k_centre.choose(unit(30, 4), shares, np.zeros(30, dtype=np.float32)).rows
    assert np.bincount(stratum[chosen], minlength=3).tolist() == [4, 0, 1]
    none = k_centre.choose(unit(0, 4), alone(0, 0), np.zeros(0, dtype=np.float32))
    assert none.rows.tolist() == []


def test_what_is_covered_is_passed_over() -> None:
    vectors = np.eye(4, dtype=np.float32)
    covered = np.array([1, 1, 0, 1], dtype=np.float32)
    choice = k_centre.choose(vectors, alone(4, 1), covered)
    assert (choice.rows.tolist(), choice.scores.tolist()) == ([2], [1.0])


def test_products_computed_ahead_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors, nothing = unit(300, 5), np.zeros(300, dtype=np.float32)
    many = k_centre.choose(vectors, alone(300, 40), nothing)
    monkeypatch.setattr(k_centre, "AHEAD", 1)
    one = k_centre.choose(vectors, alone(300, 40), nothing)
    assert many.rows.tolist() == one.rows.tolist()
    assert many.scores == pytest.approx(one.scores, abs=1e-6)
