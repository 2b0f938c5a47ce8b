"""Which generator writes how many rows of a round: those whose rows were accepted and useful get more.

Source: Thompson 1933 (posterior sampling); Chapelle and Li 2011, An Empirical Evaluation of Thompson
Sampling.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

SLICES = 20
"""Parts that a round is drawn in; a generator gets a part each time that its draw is the highest."""
EVEN = 0.2
"""Share of a round that is dealt out evenly: a generator that failed once may write better later."""
STRENGTH = 20.0
"""A round counts as this many trials, however many rows it has: the rows of a round aren't independent."""


def shares(
    names: Sequence[str], past: Sequence[Mapping[str, tuple[int, int]]], draws: np.random.Generator
) -> dict[str, float]:
    """The share of the round that each generator writes; they sum to 1.

    Args:
        names: the generators.
        past: for each earlier round generator → (rows proposed, rows accepted and useful).
        draws: for the posterior draws.
    """
    won, lost = defaultdict[str, float](float), defaultdict[str, float](float)
    for told in past:
        for name, (proposed, useful) in told.items():
            if proposed:
                share = min(useful / proposed, 1.0)
                won[name] += STRENGTH * share
                lost[name] += STRENGTH * (1 - share)
    sampled = np.column_stack([draws.beta(1 + won[name], 1 + lost[name], SLICES) for name in names])
    taken = np.bincount(sampled.argmax(axis=1), minlength=len(names)) / SLICES
    return {
        name: EVEN / len(names) + (1 - EVEN) * float(share) for name, share in zip(names, taken, strict=True)
    }


def counts(shared: Mapping[str, float], total: int) -> dict[str, int]:
    """Whole numbers of rows that sum to `total`, the largest remainders rounded up."""
    exact = {name: share * total for name, share in shared.items()}
    found = {name: int(value) for name, value in exact.items()}
    by_remainder = sorted(exact, key=lambda name: (found[name] - exact[name], name))
    for name in by_remainder[: total - sum(found.values())]:
        found[name] += 1
    return found
