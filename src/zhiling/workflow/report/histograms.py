"""Numbers counted in bins that a reader can name."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from zhiling.workflow.report.facts import Histogram

BINS = 24
_OUTLIERS = 0.995
_FAR = 3


def histogram(
    series: Mapping[str, NDArray[np.float64]], bounds: Mapping[str, float] | None = None
) -> Histogram | None:
    """Counts per bin for each series; None where there is no finite number, or the same one everywhere.

    The range ends at the 99.5th percentile where a few values lie far out; they are counted in the last bin.
    What lies between 0 and 1 is always shown whole.
    Edges are round numbers, and whole numbers get bins of whole width.

    Args:
        series: name → values, drawn stacked.
        bounds: setting → value; a bound widens the range so that it can be seen.
    """
    finite = {name: values[np.isfinite(values)] for name, values in series.items()}
    whole = np.concatenate(list(finite.values())) if finite else np.empty(0)
    if not len(whole) or (whole.min() == whole.max() and not bounds):
        return None
    marked = list((bounds or {}).values())
    low = float(min(whole.min(), *marked)) if marked else float(whole.min())
    top = (
        max(float(np.quantile(whole, _OUTLIERS)), *marked) if marked else float(np.quantile(whole, _OUTLIERS))
    )
    most = float(whole.max())
    high = most if most <= 1 or most - low <= _FAR * (top - low) else top
    width = _round_up((high - low) / BINS, whole=bool(np.all(whole == np.rint(whole))))
    start = math.floor(low / width + 1e-9) * width
    count = max(1, math.ceil((high - start) / width + 1e-9))
    count += start + count * width <= high
    end = start + count * width
    counted = {
        name: np.bincount(
            np.clip(np.floor((values - start) / width + 1e-9).astype(np.int64), 0, count - 1), minlength=count
        )
        for name, values in finite.items()
    }
    return Histogram(
        start, end, {name: tuple(int(n) for n in bins) for name, bins in counted.items()}, dict(bounds or {}),
        beyond=int(np.count_nonzero(whole > end)),
    )  # fmt: skip


def _round_up(width: float, *, whole: bool) -> float:
    """The next of 1, 2, 2.5, 5 times a power of ten; at least 1 for whole numbers."""
    if width <= 0:
        return 1.0 if whole else 0.05
    power = 10.0 ** math.floor(math.log10(width))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= width * (1 - 1e-9))
    return float(max(1.0, math.ceil(step))) if whole else step
