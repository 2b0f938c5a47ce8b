"""Gold probes: hidden real rows that should be accepted, and planted bad rows that should not."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from pydantic.dataclasses import dataclass

from zhiling.adversarial.guards.figures import FIGURES, Share
from zhiling.errors import UsageError


@dataclass(frozen=True, config=FIGURES)
class Probes:
    """How often acceptance is right where the answer is known; None: there were no such probes.

    Attributes:
        real: the share of hidden real rows that was accepted; 1 less this is the false reject rate.
        bad: the share of planted bad rows that was accepted: the false accept rate.
    """

    real: Share | None
    bad: Share | None


def probed(real_accepted: ArrayLike, bad_accepted: ArrayLike) -> Probes:
    """The error rates of acceptance on probes.

    Anchor: 20 of 20 real rows accepted are 1 [.839, 1]; no bad one of 20 is 0 [0, .161].

    Args:
        real_accepted: of each hidden real row whether it was accepted.
        bad_accepted: of each planted bad row the same.

    Raises:
        UsageError: values that are no truth values.
    """
    return Probes(_share("real", real_accepted), _share("bad", bad_accepted))


def _share(side: str, accepted: ArrayLike) -> Share | None:
    told = np.asarray(accepted)
    if not told.size:
        return None
    if told.dtype != np.bool_ or told.ndim != 1:
        raise UsageError(
            f"probes: {side} probes are {told.dtype} of shape {told.shape!r}",
            hint="give one truth value a probe: accepted or not",
        )
    return Share(int(told.sum()), len(told))
