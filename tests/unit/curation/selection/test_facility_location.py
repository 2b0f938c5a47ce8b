"""Facility location: lazy is greedy, weights hold a row back, what is covered adds nothing."""

from __future__ import annotations

import numpy as np
import pytest

from tests.unit.curation.selection.points import alone, unit
from zhiling.curation.selection.cells import cells
from zhiling.curation.selection.choice import Shares
from zhiling.curation.selection.facility_location import choose, first_gains, value
from zhiling.curation.selection.neighbours import enough, graph, stand_ins

NOTHING = np.zeros(40, dtype=np.float32)


def test_the_lazy_choice_is_the_greedy_choice() -> None:
    vectors = unit(40, 6)
    similar = np.maximum(vectors @ vectors.T, 0)
    best, greedy = np.zeros(40), []
    for _ in range(10):
        gains = np.maximum(similar - best, 0).sum(axis=1)
        gains[greedy] = -1
        greedy.append(int(gains.argmax()))
        best = np.maximum(best, similar[greedy[-1]])
    choice = choose(graph(vectors, cells(vectors), 40), alone(40, 10), NOTHING)
    assert choice.rows.tolist() == greedy
    assert choice.scores.sum() == pytest.approx(value(similar, choice.rows), rel=1e-5)
    assert (np.diff(choice.scores) <= 1e-6).all()


def test_the_first_gains_are_the_sums_of_each_candidate() -> None:
    vectors = unit(40, 6)
    gains = first_gains(graph(vectors, cells(vectors), 40), NOTHING)
    assert gains == pytest.approx(np.maximum(vectors @ vectors.T, 0).sum(axis=1), rel=1e-4)


def test_a_row_without_weight_is_taken_last() -> None:
    vectors = unit(40, 6)
    near = graph(vectors, cells(vectors), 40)
    first = int(choose(near, alone(40, 1), NOTHING).rows[0])
    weights = np.ones(40)
    weights[first] = 0
    assert choose(near.weighted(weights), alone(40, 40), NOTHING).rows[-1] == first


def test_a_row_stands_for_another_stratum_only_in_part() -> None:
    vectors = unit(40, 6)
    stratum = np.arange(40) % 2
    near = graph(vectors, cells(vectors), 40)
    gains = first_gains(near.across(stratum, 0.25), NOTHING)
    same = np.where(stratum[:, None] == stratum, 1, 0.25)
    assert gains == pytest.approx((np.maximum(vectors @ vectors.T, 0) * same).sum(axis=1), rel=1e-4)
    assert first_gains(near, NOTHING)[0] > gains[0]


def test_quotas_of_strata_hold() -> None:
    vectors = unit(40, 6)
    stratum = np.arange(40) % 3
    shares = Shares(stratum, np.array([5, 0, 2]))
    choice = choose(graph(vectors, cells(vectors), 8), shares, NOTHING)
    assert np.bincount(stratum[choice.rows], minlength=3).tolist() == [5, 0, 2]


def test_cells_find_most_of_the_true_neighbours() -> None:
    centres = unit(20, 16)
    vectors = (np.repeat(centres, 100, axis=0) + 0.1 * unit(2000, 16, seed=1)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    many, one = cells(vectors, exact_rows=100), cells(vectors)
    assert len(many.near) == 89
    assert sorted(many.order.tolist()) == list(range(2000))
    exact, quick = (graph(vectors, each, 10) for each in (one, many))
    pairs = [set(zip(_owners(each), each.rows.tolist(), strict=True)) for each in (exact, quick)]
    assert len(pairs[0] & pairs[1]) >= 0.95 * len(pairs[0])
    chosen = np.arange(0, 2000, 50)
    agree = stand_ins(vectors, many, chosen) == stand_ins(vectors, one, chosen)
    assert agree.mean() >= 0.95


def _owners(near: object) -> list[int]:
    starts = near.starts  # type: ignore[attr-defined]
    return np.repeat(np.arange(len(starts) - 1), np.diff(starts)).tolist()


def test_empty_and_equal_texts_stand_for_themselves() -> None:
    vectors = np.zeros((5, 4), dtype=np.float32)
    vectors[3:, 0] = 1
    near = graph(vectors, cells(vectors), 2)
    assert [near.rows[near.span(row)].tolist() for row in range(5)] == [[0], [1], [2], [3, 4], [3, 4]]
    assert stand_ins(vectors, cells(vectors), np.array([0, 3])).tolist() == [0, 0, 0, 3, 3]


@pytest.mark.parametrize(
    ("height", "size", "count"), [(1000, 500, 64), (10_000, 100, 400), (1_000_000, 10_000, 67), (5, 0, 64)]
)
def test_how_many_neighbours_are_enough(height: int, size: int, count: int) -> None:
    assert enough(height, size) == count


def test_a_row_that_counts_often_is_covered_first() -> None:
    vectors = np.eye(6, dtype=np.float32)
    counts = np.array([1, 1, 1, 9, 1, 4])
    choice = choose(graph(vectors, cells(vectors), 3), alone(6, 3), NOTHING[:6], counts)
    assert (choice.rows.tolist(), choice.scores.tolist()) == ([3, 5, 0], [9, 4, 1])


def test_pairs_by_candidate_are_the_pairs_by_row(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = unit(90, 5)
    whole = graph(vectors, cells(vectors), 12)
    monkeypatch.setattr("zhiling.curation.selection.neighbours.BLOCK_PAIRS", 100)
    pieces = graph(vectors, cells(vectors), 12)
    similar = vectors @ vectors.T
    nearest = np.argsort(-similar, axis=1)[:, :12]
    wanted = {(int(other), row) for row in range(90) for other in nearest[row] if similar[row, other] > 0}
    for found in (whole, pieces):
        owner = np.repeat(np.arange(90), np.diff(found.starts))
        assert set(zip(owner.tolist(), found.rows.tolist(), strict=True)) == wanted
        assert all((np.diff(found.rows[found.span(row)]) > 0).all() for row in range(90))
    assert whole.similarities.tolist() == pieces.similarities.tolist()


def test_half_precision_chooses_nearly_as_well() -> None:
    vectors = unit(400, 24)
    similar = np.maximum(vectors @ vectors.T, 0)
    nothing = np.zeros(400, dtype=np.float32)
    fine, half = (
        choose(graph(each, cells(each), 64), alone(400, 30), nothing).rows
        for each in (vectors, vectors.astype(np.float16))
    )
    assert value(similar, half) >= 0.995 * value(similar, fine)
