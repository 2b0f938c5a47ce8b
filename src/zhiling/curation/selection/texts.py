"""The texts of many rows, made block by block: all of them at once would double the table's memory."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from zhiling.curation.parts import Part, part_text
from zhiling.curation.selection.choice import Numbers

BLOCK_ROWS = 1 << 14
_SEEDS = {"first_mark": 1, "second_mark": 2}


@dataclass(frozen=True)
class Texts:
    """One part of some rows of a table.

    Attributes:
        messages: of the whole table.
        on: the part.
        rows: which rows (numbers), in which order.
    """

    messages: pl.Series
    on: Part
    rows: Numbers

    def __len__(self) -> int:
        return len(self.rows)

    def block(self, start: int) -> list[str]:
        """The texts from a place on, 16,384 at most."""
        return self._block(start).to_list()

    def at(self, places: Numbers) -> Texts:
        """The texts at these places."""
        return Texts(self.messages, self.on, self.rows[places])

    def marks(self) -> pl.DataFrame:
        """Two 64-bit hashes of each text: equal for equal texts, and in practice for no others."""
        blocks = [self._block(start) for start in range(0, len(self), BLOCK_ROWS)] or [self._block(0)]
        return pl.concat(
            pl.DataFrame({name: block.hash(seed) for name, seed in _SEEDS.items()}) for block in blocks
        )

    def _block(self, start: int) -> pl.Series:
        return part_text(self.messages.gather(self.rows[start : start + BLOCK_ROWS]), self.on)


def all_texts(messages: pl.Series, on: Part) -> Texts:
    """The texts of all rows, in their order."""
    return Texts(messages, on, np.arange(len(messages)))
