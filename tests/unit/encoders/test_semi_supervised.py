"""Labels spread over a graph of neighbours: the graph, the prior, and what comes of the labels."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("scipy")

from zhiling.encoders.semi_supervised.prior import adjust
from zhiling.encoders.semi_supervised.propagation import neighbours, spread, teach
from zhiling.encoders.semi_supervised.seeds import Seeds, softmax, surest, unit

DRAWS = np.random.default_rng(0)


def test_the_prior_is_estimated() -> None:
    truth = np.repeat([0, 1, 2], [3200, 600, 200])
    seen = truth + 0.5 * DRAWS.normal(size=len(truth))  # three bells of one width: their posteriors are known
    logits = (-((seen[:, None] - np.arange(3)) ** 2) / (2 * 0.5**2)).astype(np.float32)
    found = adjust(softmax(logits), shrink=0)
    assert found.prior == pytest.approx([0.8, 0.15, 0.05], abs=0.02)
    drawn = adjust(softmax(logits)).prior
    assert 1 / 3 < drawn[0] < found.prior[0]
    assert found.prior[2] < drawn[2] < 1 / 3
    sure = np.eye(3, dtype=np.float32)[[0, 0, 1, 2]]
    assert np.array_equal(adjust(sure, shrink=0).posteriors, sure)
    assert adjust(sure, shrink=0).prior == pytest.approx([0.5, 0.25, 0.25])


def test_the_weight_of_an_answer_is_its_lead() -> None:
    answers = surest(np.array([[0.5, 0.5, 0], [0, 0, 1], [0.7, 0.1, 0.2]], dtype=np.float32))
    assert answers.numbers.tolist() == [0, 2, 0]
    assert answers.weights == pytest.approx([0, 1, 0.5])


def test_the_graph_joins_nearest_rows_and_none_to_itself() -> None:
    angles = np.array([0.0, 0.1, 0.25, 3.0, 3.1])
    rows = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    graph = neighbours(rows, 1).toarray()
    assert np.array_equal(graph, graph.T)
    assert {tuple(pair) for pair in np.argwhere(graph > 0).tolist()} == {
        (0, 1), (1, 0), (1, 2), (2, 1), (3, 4), (4, 3)
    }  # fmt: skip
    assert graph[0, 1] == pytest.approx(2 * np.cos(0.1) ** 3, rel=1e-5)


def test_labels_spread_wherever_the_seeds_stand() -> None:
    middles = unit(DRAWS.normal(size=(3, 16)).astype(np.float32))
    truth = np.arange(60) % 3
    rows = unit((middles[truth] + 0.1 * DRAWS.normal(size=(60, 16))).astype(np.float32))
    known = np.array([3, 17, 40])
    told = np.zeros((60, 3), dtype=np.float32)
    told[known, truth[known]] = 1
    others = np.setdiff1d(np.arange(60), known)
    found = spread(neighbours(rows), told)
    assert np.array_equal(found.taught.numbers, truth[others])
    first = teach(Seeds(rows[known], truth[known], 3), rows[others])
    assert np.array_equal(first.numbers, found.taught.numbers)
    assert first.weights == pytest.approx(found.taught.weights, abs=1e-4)


def test_less_comes_to_a_row_that_lies_further_away() -> None:
    angles = np.concatenate([np.linspace(0, 0.3, 20), np.linspace(1.2, 1.5, 20)])
    rows = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    told = np.zeros((40, 2), dtype=np.float32)
    told[0, 0] = told[10, 1] = 1
    mass = spread(neighbours(rows, 3), told).mass
    assert mass[:18].min() > 1e-3
    assert mass[18:].max() == 0, "no edge leads there"
