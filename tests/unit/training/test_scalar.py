"""The losses of a head of one number: their formulas, their anchors, options that an example has not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("torch")

import torch

from zhiling.rows.templates import Turn
from zhiling.training import TrainSettings
from zhiling.training.reading.features import Segments
from zhiling.training.tasks.scalar import BradleyTerry, CrossEntropy

TASKS = tuple(task(TrainSettings(features="ngrams")) for task in (CrossEntropy, BradleyTerry))


@given(st.floats(-20, 20), st.floats(-20, 20))
def test_losses_are_what_they_say(right: float, wrong: float) -> None:
    outputs = torch.tensor([[wrong, right], [wrong, right]], dtype=torch.float64)
    cross_entropy, bradley_terry = (float(task.loss(outputs, [1, 1])) for task in TASKS)
    assert bradley_terry == pytest.approx(np.log1p(np.exp(wrong - right)), abs=1e-9)
    alone = np.log1p(np.exp(-right)) + np.log1p(np.exp(wrong))
    assert cross_entropy == pytest.approx(alone / 2, abs=1e-9)


def test_the_anchors_of_the_losses() -> None:
    for task in TASKS:
        assert float(task.loss(torch.zeros(3, 2), [0, 1, 0])) == pytest.approx(np.log(2))
    few = torch.tensor([[0.0, float("-inf")], [0.0, 0.0]])
    assert float(TASKS[0].loss(few, [0, 1])) == pytest.approx(np.log(2)), "options that are not there"


def test_an_option_is_read_behind_its_prompt_or_alone() -> None:
    options = (Turn("user", "yes", "choice"), Turn("user", "不", "choice"))
    for task in TASKS:
        asked = task.segments((Turn("user", "why"), *options))
        assert asked == [Segments("why", "yes"), Segments("why", "不")]
        assert task.segments(options) == [Segments("yes"), Segments("不")]
