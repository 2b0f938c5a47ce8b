"""Leaves out what was released before."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import ClassVar

import polars as pl
from pydantic import Field

from zhiling.curation.buckets import LEAST_JACCARD, LONG_JACCARD, SHORT_SHINGLES
from zhiling.curation.released import Released
from zhiling.pipeline.database import FILE_NAME
from zhiling.pipeline.step import Bound, Context, Decide, verdicts


class Known(Decide):
    """Rejects rows that equal, or nearly equal, a row released before: the standing index holds these.

    `zhiling index RUN` puts a run's exported rows into the index, `zhiling index --remove RUN` takes them out
    again. Only new rows are removed, each verified: the Jaccard similarity of its word 5-grams (character
    5-grams of Chinese) to the released row that `related` names as `run:id` is at least `jaccard`. A run is
    never compared with its own release. Rows with other pictures are never equal.

    One edited word changes up to five 5-grams, so an edited copy of a short text falls below .8: `jaccard`
    of .6 finds texts of 25 tokens with one word edited.

    Reasons: `released`. Score: the similarity to `related`, 0 where no released row reaches the lower one
    of `jaccard` and .8.
    """

    name: ClassVar[str] = "known"
    one_machine = True  # SQLite's write-ahead log cannot be shared over a network mount
    bounds: ClassVar[tuple[Bound, ...]] = (Bound("jaccard", acts="above", loosest=LEAST_JACCARD),)
    version: ClassVar[int] = 2
    cost: ClassVar[str] = (
        "about 30 µs a new row, whatever the index holds, half as much again below .8; on disk about 600 "
        "bytes (a short row 1,700) and 4 bytes a token for each released row"
    )
    limits: ClassVar[str] = (
        "New rows are not compared with each other: that is `near_dedup`'s work. Case, punctuation, spaces "
        "and labels do not count. Rows without text are never known. MinHash finds at least .995 of the "
        f"pairs at .8, and of short texts (at most {SHORT_SHINGLES} 5-grams) at .5; longer ones are not "
        "looked for below .8; where more than 64 released rows share a bucket (rows of one template), edited "
        "copies of the later ones may be missed, equal ones are not."
    )
    source: ClassVar[str] = (
        "Broder (1997), On the resemblance and containment of documents; see zhiling.text.minhash"
    )

    jaccard: float = Field(
        default=LONG_JACCARD, ge=LEAST_JACCARD, le=1.0, description="least similarity to a released row"
    )

    class Reason(StrEnum):
        """Why a row is rejected."""

        RELEASED = "released"

    def outside(self, root: Path, run: str) -> str:
        """What other runs released."""
        with Released(root / FILE_NAME) as released:
            return released.state(run)

    def decide(self, rows: pl.DataFrame, context: Context) -> pl.DataFrame:
        """Verdicts by similarity to the standing index."""
        with Released(context.root / FILE_NAME) as released:
            nearest = released.nearest(rows["messages"], context.run, min(self.jaccard, LONG_JACCARD))
        known = nearest.similarity >= self.jaccard
        return verdicts(
            known,
            self.Reason.RELEASED,
            score=nearest.similarity,
            related=nearest.related.set(pl.Series(~known), None),
        )
