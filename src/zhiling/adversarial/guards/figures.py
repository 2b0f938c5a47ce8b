"""What every figure of a round is made of: shares and ratios with their errors, and the checks of input."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import numpy as np
import polars as pl
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from zhiling.errors import UsageError
from zhiling.evaluation.slices import wilson

FIGURES = ConfigDict(extra="forbid", allow_inf_nan=False)
"""Figures are written to disk and compared with bounds: NaN would pass every bound, so none holds it."""
Fraction = Annotated[float, Field(ge=0, le=1)]
LEAST_ROWS = 20
"""Of fewer rows no figure of a round means anything."""


@dataclass(frozen=True, config=FIGURES)
class Share:
    """`hits` of `n`, with the 95 % score interval (Wilson). Anchor: 0 of 10 is 0 [0, .278].

    Attributes:
        hits: 0 to `n`.
        n: at least 1.
    """

    hits: int
    n: int

    def __post_init__(self) -> None:
        if self.n < 1 or not 0 <= self.hits <= self.n:
            raise UsageError(
                f"a share of {self.hits!r} in {self.n!r} rows", hint="0 ≤ hits ≤ n, and n is at least 1"
            )

    @property
    def value(self) -> float:
        """Hits / n."""
        return self.hits / self.n

    @property
    def low(self) -> float:
        """Lower end of the interval."""
        return wilson(self.hits, self.n).low

    @property
    def high(self) -> float:
        """Upper end of the interval."""
        return wilson(self.hits, self.n).high


@dataclass(frozen=True, config=FIGURES)
class Estimate:
    """A figure with its standard error."""

    value: float
    error: float

    @property
    def low(self) -> float:
        """Two standard errors below."""
        return self.value - 2 * self.error

    @property
    def high(self) -> float:
        """Two standard errors above."""
        return self.value + 2 * self.error


def enough(place: str, **sides: int) -> None:
    """Checks that each side has `LEAST_ROWS` rows or more.

    Raises:
        UsageError: one has fewer.
    """
    for name, count in sides.items():
        if count < LEAST_ROWS:
            raise UsageError(
                f"{place}: {count!r} {name} rows",
                hint=f"at least {LEAST_ROWS} are needed; leave the figure out of the round (None) below that",
            )


def finite(place: str, parts: Sequence[Any]) -> None:
    """Checks that feature matrices, dense or sparse, hold numbers only and have one height.

    Raises:
        UsageError: there is none, their heights differ, or one holds NaN or an infinite value.
    """
    heights = {int(part.shape[0]) for part in parts}
    if len(heights) != 1:
        raise UsageError(
            f"{place}: feature matrices of {sorted(heights)!r} rows",
            hint="give one matrix or more, each with one row per text",
        )
    for number, part in enumerate(parts):
        if not np.isfinite(part.data if sparse(part) else part).all():
            raise UsageError(
                f"{place}: feature matrix {number} holds NaN or infinite values",
                hint="encode the texts again; a text without features is a row of zeros",
            )


def sparse(part: Any) -> bool:
    """Whether a feature matrix is a sparse one of scipy's, whose stored values are its `data`."""
    return hasattr(part, "indptr")


def filled(place: str, texts: pl.Series) -> pl.Series:
    """The texts, after a check that none is null.

    Raises:
        UsageError: one is.
    """
    if texts.null_count():
        raise UsageError(f"{place}: {texts.null_count()} of {len(texts)} texts are null", hint="give texts")
    return texts
