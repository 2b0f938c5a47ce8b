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
        rows = self.beside_reference(rows, context)
        texts = part_text(rows["messages"], self.on)
        size = token_counts(normalise(texts)).to_numpy().astype(np.int64)
        rank = self.priority(rows, size, np.arange(rows.height) < judged)
        left, right, cosine = self._pairs(texts, rows["group"], rank, context)
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
        self, texts: pl.Series, groups: pl.Series, rank: NDArray[np.int64], context: Context
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
        """Verified pairs, each in both directions; of equal texts only the first by rank stand for all."""
        if not len(texts):
            empty = np.empty(0, dtype=np.int64)
            return empty, empty, np.empty(0, dtype=np.float32)
        texts = texts.fill_null("")
        number, distinct = texts.rank("dense").cast(pl.Int64) - 1, texts.unique().sort()
        vectors = context.encoder.encode(distinct.to_list())
        one, other, cosine = neighbours(vectors, vectors, self.neighbours + 1, self.cosine)
        fits = compatible(distinct.gather(one), distinct.gather(other))
        near = pl.DataFrame({"text": one[fits], "other": other[fits], "cosine": cosine[fits]})
        rows = pl.DataFrame({"text": number, "group": groups, "rank": rank}).with_row_index("row")
        pairs = (
            rows.join(near, on="text", maintain_order="left")
            .join(_first(rows), left_on="other", right_on="text", suffix="_first", maintain_order="left")
            .filter(
                pl.col("row") != pl.col("row_first"),
                (pl.col("group") != pl.col("group_first")).fill_null(value=True),
            )
        )
        left, right = (pairs[name].to_numpy().astype(np.int64) for name in ("row", "row_first"))
        close = pairs["cosine"].to_numpy()
        return np.concatenate([left, right]), np.concatenate([right, left]), np.concatenate([close, close])


def _first(rows: pl.DataFrame) -> pl.DataFrame:
    """Of each text the row that comes first by rank, and the first of another group: `text, row, group`."""
    ordered = rows.sort("rank").with_columns(pl.col("group").fill_null("\0" + pl.col("row").cast(pl.String)))
    heads = ordered.unique(["text", "group"], keep="first", maintain_order=True)
    heads = heads.filter(pl.int_range(pl.len()).over("text") < 2)
    return rows.join(heads.select("row"), on="row").select("text", "row", "group")
