"""The gain of a student over another one, with its paired error."""

from __future__ import annotations

import numpy as np
import pytest

from zhiling.adversarial.guards.usefulness import gain
from zhiling.errors import UsageError

BEFORE = np.arange(200) < 100


def test_the_anchor() -> None:
    now = BEFORE.copy()
    now[100:120] = True
    found = gain(BEFORE, now)
    assert found.points == pytest.approx(10)
    assert found.error == pytest.approx(100 * (0.1 * 0.9 / 200) ** 0.5, rel=0.06)
    assert found.forward


def test_equal_students_gain_nothing_and_one_row_is_chance() -> None:
    found = gain(BEFORE, BEFORE)
    assert (found.points, found.error, found.forward) == (0, 0, False)
    now = BEFORE.copy()
    now[:12], now[100:113] = False, True
    assert gain(BEFORE, now).points == pytest.approx(0.5)
    assert not gain(BEFORE, now).forward


def test_rows_of_one_group_count_as_one() -> None:
    now = BEFORE.copy()
    now[100:120] = True
    groups = [f"group {number // 20}" for number in range(200)]
    assert gain(BEFORE, now, groups).error > 2 * gain(BEFORE, now).error


def test_students_of_several_seeds() -> None:
    now = BEFORE.copy()
    now[100:120] = True
    found = gain(np.stack([BEFORE, BEFORE]), np.stack([now, BEFORE]))
    assert found.points == pytest.approx(5)


@pytest.mark.parametrize(
    ("before", "now", "groups", "said"),
    [
        (BEFORE[:0], BEFORE[:0], None, r"\(1, 0\)"),
        (BEFORE, BEFORE[1:], None, r"\(1, 200\) before and \(1, 199\) now"),
        (BEFORE.astype(float), BEFORE, None, "before holds float64"),
        (BEFORE, np.full(200, np.nan), None, "now holds float64"),
        (BEFORE, BEFORE, ["a"], "1 groups of 200 rows"),
    ],
)
def test_bad_input_is_refused(
    before: np.ndarray, now: np.ndarray, groups: list[str] | None, said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        gain(before, now, groups)
