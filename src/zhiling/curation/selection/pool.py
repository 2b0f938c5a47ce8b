"""What is chosen from: distinct texts with their vectors; and the answer for all rows."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import polars as pl

from zhiling.curation.selection.cells import Cells
from zhiling.curation.selection.choice import Choice, Numbers, Vectors
from zhiling.curation.selection.copies import Distinct
from zhiling.curation.selection.neighbours import stand_ins
from zhiling.pipeline.step import verdicts


@dataclass(frozen=True)
class Pool:
    """Distinct texts as vectors, in cells."""

    vectors: Vectors
    cells: Cells
    spoken: Distinct

    def answer(
        self, ids: pl.Series, choice: Choice, related: pl.Series | None, reason: StrEnum
    ) -> pl.DataFrame:
        """Verdicts for all rows: a removed row names its stand-in, a chosen one what it was chosen for.

        Args:
            ids: of all rows.
            choice: rows of these.
            related: what the first rows of the choice were chosen for; None: nothing to be named.
            reason: why the others are removed.
        """
        height = len(ids)
        kept, score, counts = np.zeros(height, dtype=np.bool_), np.zeros(height), np.zeros(height)
        kept[choice.rows], score[choice.rows] = True, choice.scores
        names = pl.repeat(None, height, dtype=pl.String, eager=True)
        if len(choice.rows):
            owner = self._stand_ins(choice.rows)
            counts = np.bincount(owner, minlength=height).astype(np.float64)
            names = pl.select(pl.when(pl.Series(~kept)).then(ids.gather(owner)).alias("related"))["related"]
        if related is not None:
            names = names.scatter(choice.rows[: len(related)], related)
        answer = verdicts(~kept, reason, score=score, related=names)
        return answer.with_columns(represents=pl.Series(counts, dtype=pl.Float64))

    def _stand_ins(self, chosen: Numbers) -> Numbers:
        """For each row the chosen row that stands for it, itself where chosen."""
        text = self.spoken.owner
        nearest_text = stand_ins(self.vectors, self.cells, np.unique(text[chosen]))
        speaker = np.empty(len(self.spoken.rows), dtype=np.int64)
        speaker[text[chosen[::-1]]] = chosen[::-1]  # of several copies the first that was chosen
        owner = speaker[nearest_text][text]
        owner[chosen] = chosen
        return owner
