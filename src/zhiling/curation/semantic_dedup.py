"""Finds rows that say the same in other words, by an encoder and a check of each pair."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import Field

from zhiling.curation.parts import Part, part_text
from zhiling.curation.same_meaning import compatible, neighbours
from zhiling.curation.survivor import KeepsOne, taken
from zhiling.pipeline.step import Bound, Context, Verdict, verdicts
from zhiling.text.normalise import normalise
from zhiling.text.tokens import token_counts


class Reason(StrEnum):
    """Why a row is not plainly kept."""

    SAME_MEANING = "same_meaning"


class SemanticDedup(KeepsOne):
    """Flags (rejects on request) rows that mean the same as a row that stays.

    Candidates are each row's nearest by the encoder's cosine; a pair counts only if the two agree in their
    numbers and denials and neither is three times as long as the other. Each named row is near to the kept
    row that `related` names, so no chain of small changes removes a row unlike all that stay. `keep` says
    which row stays; the order of rows changes nothing. Rows accepted before (in `repeat`) stay, unjudged.

    Score: the cosine to `related`, 0 for a row that stays. Column `cluster`: the id of the row that stands
    for this one.
    """

    name: ClassVar[str] = "semantic_dedup"
    scope = "table"
    bounds: ClassVar[tuple[Bound, ...]] = (
        Bound("cosine", acts="above", values=tuple(n / 100 for n in range(98, 68, -2))),
    )
    cost: ClassVar[str] = "one encoding per row, and n² · dimension multiplications in blocks"
    limits: ClassVar[str] = (
        "As good as the encoder: n-grams see no paraphrase, and an English model reads little Chinese. "
        "Words in another order (who met whom) are not told apart. Look at the flags before you reject."
    )
    source: ClassVar[str] = "Abbas et al. 2023, SemDeDup (without its clustering: all pairs are compared)"
    Reason: ClassVar[type[StrEnum]] = Reason

    cosine: float = Field(
        default=0.9, ge=0.3, le=1.0, description="least cosine of two rows that say the same"
    )
    on: Part = Field(default="user", description="which text is compared: all, user, question or reply")
    neighbours: int = Field(default=16, ge=1, le=1024, description="nearest rows that are looked at")
    verdict: Literal["flag", "review", "reject"] = Field(
        default="flag", description="what happens to a row that means the same as one that stays"
    )

    def reads(self) -> tuple[str, ...]:
        """The texts, which rows belong together, and what decides which of them stays."""
        return ("messages", "group", *self.column_read())

    def writes(self) -> dict[str, pl.DataType]:
        """The representative of each row."""
        return {"cluster": pl.String()}

    def uses_encoder(self) -> bool:
        """The vectors decide."""
        return True

    def decide(self, rows: pl.DataFrame, context: Context) -> pl.DataFrame:
        """Verdicts by meaning."""
        judged = rows.height
        if context.reference is not None and context.reference.height:
            columns = ["id", *dict.fromkeys(self.reads())]
            rows = pl.concat([rows.select(columns), context.reference.select(columns)])
        texts = part_text(rows["messages"], self.on)
        size = token_counts(normalise(texts)).to_numpy().astype(np.int64)
        rank = self.priority(rows, size, np.arange(rows.height) < judged)
        left, right, cosine = self._pairs(texts, rows["group"], context)
        representative, similarity = taken(left, right, cosine, rank, np.arange(len(rank)) < judged)
        cluster = rows["id"].gather(representative[:judged])
        named = representative[:judged] != np.arange(judged)
        return verdicts(
            named,
            Reason.SAME_MEANING,
            score=similarity[:judged],
            related=cluster.set(pl.Series(~named), None),
            verdict=Verdict(self.verdict),
        ).with_columns(cluster.alias("cluster"))

    def _pairs(
        self, texts: pl.Series, groups: pl.Series, context: Context
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
        """Verified pairs, each in both directions."""
        if not len(texts):
            empty = np.empty(0, dtype=np.int64)
            return empty, empty, np.empty(0, dtype=np.float32)
        vectors = context.encoder.encode(texts.to_list())
        left, right, cosine = neighbours(vectors, vectors, self.neighbours + 1, self.cosine)
        other = left != right
        left, right, cosine = left[other], right[other], cosine[other]
        same_group = (groups.gather(left) == groups.gather(right)).fill_null(value=False).to_numpy()
        fits = compatible(texts.gather(left), texts.gather(right)) & ~same_group
        left, right, cosine = left[fits], right[fits], cosine[fits]
        return np.concatenate([left, right]), np.concatenate([right, left]), np.concatenate([cosine, cosine])
