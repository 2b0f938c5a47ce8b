"""What swaps do to answers: how many flip and how far scores move, beside the untuned model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zhiling.errors import UsageError
from zhiling.evaluation.metrics.row_mean import mean_of
from zhiling.evaluation.scores import Difference, Interval
from zhiling.evaluation.slices import wilson
from zhiling.evaluation.statistics import Draw, bootstrap

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Effect:
    """Swaps of one kind in one language.

    Attributes:
        originals: texts that were swapped.
        pairs: swaps of them; more than `originals` where a text was swapped in several ways.
        flips: arm → the share of swaps that change the answer.
        shift: arm → the mean |difference| of the score; only of arms that give scores.
        added: how many more flips the tuned model has than the untuned one; None without both.
    """

    originals: int
    pairs: int
    flips: Mapping[str, Interval]
    shift: Mapping[str, Interval]
    added: Difference | None


def effect(
    owners: Sequence[str],
    flipped: Mapping[str, Sequence[bool]],
    shifts: Mapping[str, Sequence[float]],
    *,
    seed: int,
    resamples: int = 2000,
) -> Effect:
    """Shares and means over texts, each text counting once however often it was swapped.

    The interval of a share is Wilson's over the texts, so that it is honest where no answer flips; those of
    shifts and differences are percentiles of the bootstrap over texts.

    Args:
        owners: of each swap, the text that it is of.
        flipped: arm → of each swap, whether the answer changed; `after` and `before` are compared.
        shifts: arm → of each swap, |difference| of the score.
        seed: of the bootstrap.
        resamples: of the bootstrap.

    Raises:
        UsageError: there is no swap.
    """
    if not owners:
        raise UsageError("no text was swapped, so there is nothing to measure")
    names = np.unique(list(owners), return_inverse=True)[1]
    count = int(names.max()) + 1
    means = {arm: _per_owner(names, values) for arm, values in flipped.items()}
    draw = Draw(count, seed, resamples)
    moved = bootstrap({arm: [mean_of(_per_owner(names, values))] for arm, values in shifts.items()}, draw)
    added = None
    if {"after", "before"} <= set(means):
        both = {arm: [mean_of(means[arm])] for arm in ("after", "before")}
        added = bootstrap(both, draw, lower_is_better=True).difference("after", "before")
    return Effect(
        count, len(owners), {arm: wilson(float(each.sum()), count) for arm, each in means.items()},
        {arm: moved.interval(arm) for arm in shifts}, added,
    )  # fmt: skip


def _per_owner(names: NDArray[np.int64], values: Sequence[float]) -> Floats:
    """The mean of each text's swaps."""
    given = np.asarray(values, dtype=np.float64)
    return np.bincount(names, weights=given) / np.bincount(names)
