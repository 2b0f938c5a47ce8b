"""Keeps one of the rows that say nearly the same, each removal verified."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import Field

from zhiling.curation.parts import Part, part_text
from zhiling.curation.survivor import KeepsOne
from zhiling.pipeline.step import Context, verdicts
from zhiling.text.buffers import offsets_of
from zhiling.text.jaccard import jaccard
from zhiling.text.minhash import near_duplicates
from zhiling.text.normalise import normalise
from zhiling.text.shingles import Shingles, shingles
from zhiling.text.union_find import components

_SLICE_ROWS = 20_000


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
    cost: ClassVar[str] = "moderate: about 40 microseconds and 1 KB a row, texts are not held"
    limits: ClassVar[str] = (
        "Case, punctuation and spaces do not count. A text of fewer than `size` tokens is near only to an "
        "equal one. Paraphrases share few shingles and stay. MinHash finds at least .995 of the pairs at "
        "the threshold, and more above it; `method: exact` finds all, for a fifth more time."
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
        columns = ["id", *self.reads()]
        if context.reference is not None and context.reference.height:
            rows = pl.concat([rows.select(columns), context.reference.select(columns)])
        ids = rows["id"]
        sets = self._sets(rows["messages"])
        apart = np.arange(len(ids)) if self.within_group else _groups(rows["group"])
        pairs = near_duplicates(sets, self.jaccard, self.method)
        priority = self.priority(rows, sets.sizes, np.arange(len(ids)) < judged)
        labels = components(len(sets), pairs.left, pairs.right)
        chosen = _choose(sets, labels, priority, apart, judged, self.jaccard)
        cluster = ids.gather(chosen.representative[:judged])
        removed = chosen.representative[:judged] != np.arange(judged)
        return verdicts(
            removed,
            self.Reason.NEAR_DUPLICATE,
            score=chosen.similarity[:judged],
            related=cluster.set(pl.Series(~removed), None),
        ).with_columns(cluster.alias("cluster"))

    def _sets(self, messages: pl.Series) -> Shingles:
        """The shingles of each row; a slice at a time, so the texts are never held twice."""
        starts = range(0, max(len(messages), 1), _SLICE_ROWS)
        texts = (part_text(messages.slice(start, _SLICE_ROWS), self.on) for start in starts)
        parts = [shingles(normalise(text), self.size) for text in texts]
        sizes = np.concatenate([part.sizes for part in parts])
        return Shingles(np.concatenate([part.hashes for part in parts]), offsets_of(sizes))


@dataclass(frozen=True)
class _Choice:
    representative: NDArray[np.int64]
    similarity: NDArray[np.float64]


def _groups(group: pl.Series) -> NDArray[np.int64]:
    """A number per group; a row without one is a group of its own."""
    numbered = pl.DataFrame({"group": group}).with_row_index("row").with_columns(pl.col("row").cast(pl.Int64))
    first = pl.when(pl.col("group").is_null()).then("row").otherwise(pl.col("row").min().over("group"))
    return numbered.select(first).to_series().to_numpy()


def _choose(
    sets: Shingles,
    labels: NDArray[np.int64],
    priority: NDArray[np.int64],
    apart: NDArray[np.int64],
    judged: int,
    threshold: float,
) -> _Choice:
    """Who stays, component by component: the first open row stays and takes with it the open rows near to it.

    Rows with one number in `apart` never take each other.

    All components advance together, so the rounds are as many as rows stay in the component where most do.
    """
    representative = np.arange(len(labels))
    similarity = np.zeros(len(labels))
    shared = np.bincount(labels, minlength=len(labels))[labels] > 1
    open_rows = np.flatnonzero(shared)
    open_rows = open_rows[np.lexsort((priority[open_rows], labels[open_rows]))]
    while open_rows.size:
        component = labels[open_rows]
        heads = np.insert(component[1:] != component[:-1], 0, True)
        head_of = open_rows[heads][np.cumsum(heads) - 1]
        candidates = ~heads & (open_rows < judged) & _sizes_allow(sets, open_rows, head_of, threshold)
        candidates &= apart[open_rows] != apart[head_of]
        similar = np.zeros(len(open_rows))
        similar[candidates] = jaccard(sets, head_of[candidates], open_rows[candidates])
        taken = candidates & (similar >= threshold)
        representative[open_rows[taken]] = head_of[taken]
        similarity[open_rows[taken]] = similar[taken]
        open_rows = open_rows[~heads & ~taken]
    return _Choice(representative, similarity)


def _sizes_allow(
    sets: Shingles, left: NDArray[np.int64], right: NDArray[np.int64], threshold: float
) -> NDArray[np.bool_]:
    """Two sets can only be that similar if the smaller holds that share of the larger."""
    first, second = sets.sizes[left], sets.sizes[right]
    return np.minimum(first, second) >= threshold * np.maximum(first, second)
