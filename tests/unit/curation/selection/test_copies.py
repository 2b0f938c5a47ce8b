"""Copies: who speaks for a text, and how a choice among speakers becomes one among rows."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from tests.unit.curation.frames import pairs
from tests.unit.curation.selection.points import alone
from zhiling.curation.selection.choice import Choice, Shares
from zhiling.curation.selection.copies import distinct
from zhiling.curation.selection.texts import BLOCK_ROWS, Texts, all_texts

TEXTS = ["a", "包裹", "a", "", "包裹", "a", ""]


def texts(*values: str) -> Texts:
    return all_texts(pairs(*((value, None) for value in values))["messages"], "user")


def test_the_first_or_best_row_of_a_text_speaks() -> None:
    found = distinct(texts(*TEXTS), alone(7, 4))
    assert (found.rows.tolist(), found.owner.tolist()) == ([0, 1, 3], [0, 1, 0, 2, 1, 0, 2])
    assert found.counts.tolist() == [3, 2, 2]
    assert found.shares.quotas.tolist() == [3]
    best = distinct(texts(*TEXTS), alone(7, 4), np.array([0.1, 0.2, 0.9, 0.5, 0.3, 0.9, 0.5]))
    assert best.rows.tolist() == [2, 3, 4]


def test_a_text_of_two_strata_is_two() -> None:
    shares = Shares(np.array([0, 0, 1, 0, 1, 1, 0]), np.array([2, 1]))
    found = distinct(texts(*TEXTS), shares)
    assert found.rows.tolist() == [0, 1, 2, 3, 4]
    assert found.counts.tolist() == [1, 1, 2, 2, 1]
    choice = found.spread(Choice(np.array([0, 1, 2]), np.array([3.0, 2.0, 1.0])), shares)
    assert (choice.rows.tolist(), choice.scores.tolist()) == ([0, 1, 2], [3, 2, 1])


def test_copies_come_last_in_the_order_of_their_numbers() -> None:
    found = distinct(texts(*TEXTS), alone(7, 5))
    choice = found.spread(Choice(np.array([2, 0, 1]), np.array([3.0, 2.0, 1.0])), alone(7, 5))
    assert choice.rows.tolist() == [3, 0, 1, 2, 4]
    assert choice.scores.tolist() == [3, 2, 1, 0, 0]


def test_texts_of_several_blocks_stay_in_order() -> None:
    messages = pairs(*((str(number % 9), None) for number in range(BLOCK_ROWS + 3)))["messages"]
    whole = all_texts(messages, "user")
    assert whole.block(BLOCK_ROWS) == [str((BLOCK_ROWS + each) % 9) for each in range(3)]
    marks = whole.marks()
    assert marks.height == BLOCK_ROWS + 3
    assert marks.unique().height == 9
    assert whole.at(np.array([4, 2])).block(0) == ["4", "2"]


@pytest.mark.parametrize("values", [[], [""]])
def test_nothing_to_speak_for(values: list[str]) -> None:
    found = distinct(texts(*values), alone(len(values), len(values)))
    assert found.rows.tolist() == list(range(len(values)))
    assert isinstance(texts(*values).marks(), pl.DataFrame)
