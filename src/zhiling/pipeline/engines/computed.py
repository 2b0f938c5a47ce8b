"""What was computed ahead for a step: which rows, and where the outcomes lie."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray


class Computed:
    """Pieces of one step's results, each over rows of its own, fetched only when they are asked for."""

    def __init__(self) -> None:
        self._pieces: list[tuple[NDArray[np.uint32], Any]] = []

    def add(self, numbers: NDArray[np.uint32], piece: Any) -> None:
        """Takes a piece over these rows."""
        if len(numbers):
            self._pieces.append((np.sort(numbers), piece))

    def rest(self, batch: pl.DataFrame) -> pl.DataFrame:
        """Those rows of a batch that are in no piece."""
        rows = batch["n"].to_numpy()
        covered = np.zeros(len(rows), dtype=np.bool_)
        for numbers, _ in self._near(rows):
            covered |= np.isin(rows, numbers)
        return batch.filter(~covered) if covered.any() else batch

    def pieces(self, batch: pl.DataFrame) -> Iterator[Any]:
        """The pieces that hold rows of a batch."""
        rows = batch["n"].to_numpy()
        for numbers, piece in self._near(rows):
            if np.isin(rows, numbers).any():
                yield piece

    def _near(self, rows: NDArray[np.uint32]) -> Iterator[tuple[NDArray[np.uint32], Any]]:
        low, high = rows.min(), rows.max()
        for numbers, piece in self._pieces:
            if numbers[0] <= high and low <= numbers[-1]:
                yield numbers, piece
