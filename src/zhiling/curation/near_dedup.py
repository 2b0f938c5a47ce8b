"""Keeps one of the rows that say nearly the same, each removal verified."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Any, ClassVar, Literal

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import Field

from zhiling.curation.contest import Contest
from zhiling.curation.parts import Part, part_text
from zhiling.curation.survivor import KeepsOne
from zhiling.pipeline.step import Bound, Context, verdicts
from zhiling.text.buffers import offsets_of
from zhiling.text.compiled import kernels
from zhiling.text.minhash import band_keys
from zhiling.text.near import NearIndex
from zhiling.text.shingles import Shingles, text_bags
from zhiling.text.union_find import components

_SLICE_ROWS = 20_000

_arrow: Any = pa  # has no type stubs


class NearDedup(KeepsOne):
    """Rejects rows whose word 5-grams (character 5-grams of Chinese) nearly equal those of a row that stays.

    Candidates come from MinHash, and each removal is verified: a rejected row has a Jaccard similarity of
    at least `jaccard` to the kept row that `related` names, so no chain of small changes removes a row
    unlike all that stay. `keep` says which of the competing rows stays; the order of rows changes nothing.
    Rows accepted before (in `repeat`) are compared with, and stay, but are never judged.

    Reasons: `near_duplicate`. Score: the exact Jaccard similarity to `related`, 0 for a kept row. Column
    `cluster`: the id of the row that stands for this one (its own, if it stays); splits and selections can
    group by it.
    """

    name = "near_dedup"
    scope = "table"
    bounds: ClassVar[tuple[Bound, ...]] = (
        Bound("jaccard", acts="above", values=tuple(n / 100 for n in range(96, 48, -4))),
    )
    crowd_rows: ClassVar[int] = 64  # of larger buckets all rows are compared, whichever they met in
    cost: ClassVar[str] = (
        "moderate: about 20 microseconds and 250 bytes a row, texts are not held; with the extra `fast` 4, "
        "from 24 MB of text on"
    )
    limits: ClassVar[str] = (
        "Case, punctuation and spaces do not count. A text of fewer than `size` tokens is near only to an "
        "equal one. Paraphrases share few shingles and stay. MinHash finds at least .995 of the pairs at "
        "the threshold, and more above it; `method: exact` finds all, for a fifth more time (with `fast` "
        "for three times as much)."
    )
    source: ClassVar[str] = (
        "Broder (1997), On the resemblance and containment of documents; see zhiling.text.minhash"
    )

    jaccard: float = Field(default=0.8, ge=0.3, le=1.0, description="least similarity of near-duplicates")
    size: int = Field(
        default=5, ge=1, le=20, description="tokens a shingle: English words, Chinese characters"
    )
    on: Part = Field(default="all", description="which text is compared: all, user, question or reply")
    method: Literal["minhash", "exact"] = Field(default="minhash", description="how candidates are found")
    within_group: bool = Field(
        default=False,
        description="whether rows of one group are compared too: turns of a conversation repeat each other",
    )

    class Reason(StrEnum):
        """Why a row is rejected."""

        NEAR_DUPLICATE = "near_duplicate"

    def reads(self) -> tuple[str, ...]:
        """The texts, which rows belong together, and what decides which of them stays."""
        return ("messages", "group", *self.column_read())

    def writes(self) -> dict[str, pl.DataType]:
        """The representative of each row."""
        return {"cluster": pl.String()}

    def decide(self, rows: pl.DataFrame, context: Context) -> pl.DataFrame:
        """Verdicts by similarity."""
        judged = rows.height
        rows = self.beside_reference(rows, context)
        with NearIndex(self.jaccard, self.method) as index:
            for block in self._blocks(rows["messages"]):
                index.add(block)
            return self._decided(rows, index, judged)

    def meets_by_key(self) -> bool:
        """Whether candidates come from keys."""
        return self.method == "minhash"

    def prepared(self, rows: pl.DataFrame) -> pl.DataFrame:
        """What decides about each row: its shingles instead of its texts."""
        blocks = [_lists(block) for block in self._blocks(rows["messages"])]
        shingles = pl.concat(blocks) if blocks else pl.Series("shingles", [], pl.List(pl.UInt32))
        return rows.select("id", "group", *self.column_read()).with_columns(shingles)

    def meeting_keys(self, prepared: pl.DataFrame) -> pl.DataFrame:
        """The key of each band of each row."""
        shingles = _bags(prepared["shingles"])
        filled = np.flatnonzero(shingles.sizes)
        keys = band_keys(shingles, filled, self.jaccard)
        bands = np.arange(1, len(keys) + 1, dtype=np.uint64)[:, None]
        keys ^= bands * np.uint64(0x9E3779B97F4A7C15)  # rows meet in the same band only
        return pl.DataFrame({"row": np.tile(filled, len(keys)), "key": keys.ravel()})

    def decide_prepared(self, prepared: pl.DataFrame) -> pl.DataFrame:
        """Verdicts of rows that meet none but each other."""
        with NearIndex(self.jaccard, self.method) as index:
            index.add(_bags(prepared["shingles"]))
            return self._decided(prepared, index, prepared.height)

    def alone(self, ids: pl.Series) -> pl.DataFrame:
        """Verdicts of rows that meet no other."""
        kept = np.zeros(len(ids), dtype=np.bool_)
        return verdicts(kept, self.Reason.NEAR_DUPLICATE, score=np.zeros(len(ids))).with_columns(
            ids.alias("cluster")
        )

    def _decided(self, rows: pl.DataFrame, index: NearIndex, judged: int) -> pl.DataFrame:
        """Verdicts of the first `judged` of the rows whose shingles the index holds."""
        ids = rows["id"]
        near, sizes = index.find(), index.sizes
        sizes[near.rows] = near.sets.sizes
        apart = np.arange(len(ids)) if self.within_group else _groups(rows["group"])
        priority = self.priority(rows, sizes, np.arange(len(ids)) < judged)
        labels = components(len(near.rows), near.pairs.left, near.pairs.right)
        contest = Contest(near, labels, priority[near.rows], apart[near.rows], near.rows < judged)
        representative, similarity = np.arange(len(ids)), np.zeros(len(ids))
        representative[near.rows], similarity[near.rows] = contest.decided(self.jaccard)
        cluster = ids.gather(representative[:judged])
        removed = representative[:judged] != np.arange(judged)
        return verdicts(
            removed,
            self.Reason.NEAR_DUPLICATE,
            score=similarity[:judged],
            related=cluster.set(pl.Series(~removed), None),
        ).with_columns(cluster.alias("cluster"))

    def _blocks(self, messages: pl.Series) -> Iterator[Shingles]:
        """The shingles of the rows; a slice at a time, so the texts are never held twice."""
        kernels(int(messages.estimated_size()))  # the slices are small, their sum may pay for compiled code
        for start in range(0, len(messages), _SLICE_ROWS):
            yield from text_bags(part_text(messages.slice(start, _SLICE_ROWS), self.on), self.size)


def _lists(shingles: Shingles) -> pl.Series:
    lists = _arrow.LargeListArray.from_arrays(shingles.offsets, shingles.hashes)
    return pl.Series("shingles", lists)


def _bags(lists: pl.Series) -> Shingles:
    hashes = lists.explode(empty_as_null=False, keep_nulls=False).to_numpy()
    return Shingles(hashes, offsets_of(lists.list.len().to_numpy()))


def _groups(group: pl.Series) -> NDArray[np.int64]:
    """A number per group; a row without one is a group of its own."""
    numbered = pl.DataFrame({"group": group}).with_row_index("row").with_columns(pl.col("row").cast(pl.Int64))
    first = pl.when(pl.col("group").is_null()).then("row").otherwise(pl.col("row").min().over("group"))
    return numbered.select(first).to_series().to_numpy()
