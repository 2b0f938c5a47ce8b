"""Gold probes and shares."""

from __future__ import annotations

import numpy as np
import pytest

from zhiling.adversarial.guards.figures import Share
from zhiling.adversarial.guards.probes import probed
from zhiling.errors import UsageError


def test_error_rates_with_their_intervals() -> None:
    found = probed([True] * 20, [False] * 20)
    assert found.real is not None
    assert found.bad is not None
    assert (found.real.value, round(found.real.low, 3), found.real.high) == (1, 0.839, 1)
    assert (found.bad.value, found.bad.low, round(found.bad.high, 3)) == (0, 0, 0.161)


def test_no_probes_of_a_kind_are_no_share() -> None:
    found = probed([], np.array([True, False]))
    assert found.real is None
    assert found.bad == Share(1, 2)


@pytest.mark.parametrize("wrong", [[1.0, float("nan")], [1, 0], ["keep"], [[True]]])
def test_what_is_no_truth_value_is_refused(wrong: list[object]) -> None:
    with pytest.raises(UsageError, match="bad probes are"):
        probed([True], wrong)


@pytest.mark.parametrize(("hits", "n"), [(0, 0), (3, 2), (-1, 2)])
def test_impossible_shares_are_refused(hits: int, n: int) -> None:
    with pytest.raises(UsageError, match="a share of"):
        Share(hits, n)
