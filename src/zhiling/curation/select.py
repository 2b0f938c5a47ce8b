"""Select: a training set of a given size that covers what the rows are about."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from enum import StrEnum
from typing import ClassVar, Literal, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import Field, field_validator, model_validator

from zhiling.curation.label import label_of
from zhiling.curation.parts import Part
from zhiling.curation.selection import facility_location, k_centre, tags, targets
from zhiling.curation.selection.cells import cells, centres, nearest
from zhiling.curation.selection.choice import Choice, Numbers, Shares, Vectors, highest, shared_out
from zhiling.curation.selection.copies import distinct
from zhiling.curation.selection.neighbours import enough, graph
from zhiling.curation.selection.pool import Pool
from zhiling.curation.selection.texts import Texts, all_texts
from zhiling.curation.selection.vectors import ENCODER_ERRORS, encoded, unencodable
from zhiling.curation.strata import strata, strata_columns
from zhiling.errors import UsageError
from zhiling.pipeline.step import Context, Decide, Scope, verdicts
from zhiling.rows.conversation import all_text, dialogue

Method = Literal[
    "coverage", "quality_coverage", "k_centre", "tags", "targeted", "random", "balanced", "longest"
]
MOST_CLUSTERS = 1024
BLIND = ("random", "balanced", "longest")
"""Methods that look at no vector."""
UNENCODABLE = "unencodable"
"""The failure of a row whose text the encoder cannot take."""


class Reason(StrEnum):
    """Why a row is not kept."""

    NOT_SELECTED = "not_selected"
    LOW_QUALITY = "low_quality"


class Select(Decide):
    """Keeps exactly `size` rows (all if there are fewer), by default those that stand for all others.

    | method | keeps |
    |---|---|
    | `coverage` | the rows that all others lie near to: facility location over the encoder's vectors |
    | `quality_coverage` | the same, but a row stands for others only as well as its `quality` ranks |
    | `k_centre` | each time the row farthest from all kept ones: rare rows first |
    | `tags` | every tag of a column, or every cluster of vectors, in turn: square root of its rows |
    | `targeted` | rows nearest to those of the file `targets`, task after task |
    | `random`, `balanced`, `longest` | controls: by lot; by lot with even shares; the longest texts |

    `balance` shares the size out as evenly as the rows allow (or by the weights of `shares`), with each
    method; rows of coverage then stand above all for rows of their own stratum, so they are typical of it
    and not of its border. A removed row names the kept row nearest to it. Column `represents`: how many rows
    a kept row stands for, itself included (with the controls: its stratum's rows over those kept of it); 0
    for a removed row. Rows with one text are taken as one, which counts as often; its copies come last.
    Inside `repeat`, `coverage`, `quality_coverage` and `k_centre` know what earlier rows cover, and `tags`
    which tags they have.
    """

    name: ClassVar[str] = "select"
    version: ClassVar[int] = 3
    scope: ClassVar[Scope] = "table"
    cost: ClassVar[str] = "one encoding per row; above 16,384 rows n·√n · dimension multiplications"
    limits: ClassVar[str] = (
        "Coverage and k-centre keep rare rows, defects among them: clean first, or use `quality_coverage`. "
        "Above 16,384 rows neighbours are looked for in nearby cells only, so a few are missed; encoders "
        "of more than 384 columns are projected to 256 there. Rows that the quality's step passed by pass "
        "by here too."
    )
    source: ClassVar[str] = (
        "Nemhauser et al. 1978; Minoux 1978 (facility location, lazy greedy); Gonzalez 1985 (k-centre); "
        "Lin & Bilmes 2011 (concave coverage); Xia et al. 2024 (targeted)"
    )
    Reason: ClassVar[type[StrEnum]] = Reason

    size: int = Field(ge=0, description="How many rows to keep.")
    method: Method = Field("coverage", description="How rows are chosen.")
    balance: tuple[str, ...] = Field(
        (), description="Even shares over these: language, task, label, or columns such as `lang.language`."
    )
    shares: dict[str, float] = Field(
        {}, description="Weight of each value of `balance` (`zh`; of two `zh/qa`); `*`: of each other one."
    )
    on: Part = Field("user", description="The text that vectors are made of: all, user, question or reply.")
    neighbours: int | None = Field(
        None,
        ge=2,
        le=4096,
        description="Coverage: nearest rows that can stand for a row; unset: by rows and size, 64 or more.",
    )
    across: float = Field(
        0.5,
        ge=0,
        le=1,
        description="Coverage with `balance`: how far a row stands for rows of another stratum; 1: fully.",
    )
    quality: str | None = Field(
        None, description="A column that is higher for better rows, such as `labels.score`."
    )
    quality_weight: float = Field(
        1.0, ge=0, le=16, description="Power of the quality's rank; 0: quality does not count."
    )
    tags: str | None = Field(
        None, description="Tags: label, task or a column of texts or lists; unset: clusters of vectors."
    )
    least_quality: float | None = Field(
        None,
        allow_inf_nan=False,
        description="Rows of lower `quality` stand aside, but for the best `spared` of each stratum.",
    )
    spared: int = Field(
        2, ge=0, description="How many rows of each stratum `least_quality` leaves, whatever they are like."
    )
    clusters: int | None = Field(
        None, ge=1, description="Tags: how many clusters; unset: as many as `size`, at most 1,024."
    )
    targets: str | None = Field(None, description="Targeted: a JSONL or CSV file with rows as wanted.")

    @model_validator(mode="after")
    def _has_what_it_needs(self) -> Self:
        for method, setting in (("quality_coverage", "quality"), ("targeted", "targets")):
            if self.method == method and getattr(self, setting) is None:
                raise ValueError(f"method {method!r} needs the setting `{setting}`, got none")
        if self.least_quality is not None and (self.quality is None or self.method in BLIND):
            raise ValueError(f"`least_quality` needs `quality` and a method other than {', '.join(BLIND)}")
        if self.shares and not self.balance:
            raise ValueError("`shares` needs `balance`: the columns whose values have these weights")
        return self

    @field_validator("shares")
    @classmethod
    def _weights(cls, shares: dict[str, float]) -> dict[str, float]:
        for name, weight in shares.items():
            if not (np.isfinite(weight) and weight >= 0):
                raise ValueError(f"weight of {name!r} is {weight!r}: only finite numbers from 0 are allowed")
        if shares and not any(shares.values()):
            raise ValueError(f"all weights are 0: {shares!r}; one must be above")
        return shares

    def reads(self) -> tuple[str, ...]:
        """The messages, and the columns of strata, quality and tags."""
        columns = [*strata_columns(self._strata()), *self._tag_column()]
        if self.quality and (self.method == "quality_coverage" or self.least_quality is not None):
            columns.append(self.quality)
        return ("messages", *dict.fromkeys(columns))

    def writes(self) -> dict[str, pl.DataType]:
        """How many rows each kept row stands for."""
        return {"represents": pl.Float64()}

    def files(self) -> tuple[str, ...]:
        """The targets."""
        return (self.targets,) if self.method == "targeted" and self.targets else ()

    def uses_encoder(self) -> bool:
        """All but the controls."""
        return self.method not in BLIND

    def decide(self, rows: pl.DataFrame, context: Context) -> pl.DataFrame:
        """Reason `not_selected`, `low_quality`; score = what the method goes by; related = its stand-in."""
        order = rows["id"].arg_sort()
        if self.method in BLIND:
            answer = self._blind(rows[order], context)
        else:
            texts = Texts(rows["messages"], self.on, order.to_numpy().astype(np.int64))
            answer = self._good(texts, rows.drop("messages")[order], context)
        return answer[order.arg_sort()]

    def _blind(self, rows: pl.DataFrame, context: Context) -> pl.DataFrame:
        """The answer of a control for rows in the order of their ids."""
        shares = shared_out(rows, self._strata(), self.size, self.shares)
        scores = self._blind_scores(rows, context)
        kept = _mask(highest(scores, shares).rows, rows.height)
        answer = verdicts(~kept, Reason.NOT_SELECTED, score=np.abs(scores))
        return answer.with_columns(represents=pl.Series(_per_stratum(kept, shares)))

    def _good(self, texts: Texts, rows: pl.DataFrame, context: Context) -> pl.DataFrame:
        """The answer by vectors, rows of low quality left out; rows come in the order of their ids."""
        if self.least_quality is None:
            return self._seeing(texts, rows, context)
        quality = _numbers(rows[str(self.quality)], f"step {context.step_id!r}").to_numpy()
        stratum = strata(rows, self._strata()).rank("dense").to_numpy()
        order = np.lexsort((-quality, stratum))
        place = np.arange(len(order)) - np.searchsorted(stratum[order], stratum[order])
        low = quality < self.least_quality
        low[order[place < self.spared]] = False
        aside = verdicts(np.ones(int(low.sum()), dtype=np.bool_), Reason.LOW_QUALITY, score=quality[low])
        return self._around(low, aside, texts, rows, context)

    def _seeing(self, texts: Texts, rows: pl.DataFrame, context: Context) -> pl.DataFrame:
        """The answer by vectors for rows (without their messages) in the order of their ids."""
        shares = shared_out(rows, self._strata(), self.size, self.shares)
        ranks = None
        if self.method == "quality_coverage":
            ranks = _ranks(rows[str(self.quality)], f"step {context.step_id!r}")
        spoken = distinct(texts, shares, ranks)
        encoder = context.encoder
        try:
            vectors = encoded(texts.at(spoken.rows), encoder)
        except ENCODER_ERRORS:
            failing = unencodable(texts.at(spoken.rows), encoder)
            if not len(failing):
                raise
            failed = np.isin(spoken.owner, failing)
            said = verdicts(np.zeros(int(failed.sum()), dtype=np.bool_), Reason.NOT_SELECTED)
            said = said.with_columns(failure=pl.lit(UNENCODABLE))
            return self._around(failed, said, texts, rows, context)
        pool = Pool(vectors, cells(vectors), spoken)
        choice, related = self._choose(pool, rows, ranks, shares, context)
        return pool.answer(rows["id"], choice, related, Reason.NOT_SELECTED)

    def _around(
        self,
        aside: NDArray[np.bool_],
        said: pl.DataFrame,
        texts: Texts,
        rows: pl.DataFrame,
        context: Context,
    ) -> pl.DataFrame:
        """The answer for all rows but those put aside, of which it is `said` already what becomes of them."""
        others = np.flatnonzero(~aside)
        answer = self._seeing(texts.at(others), rows[others], context)
        whole = pl.concat([answer, said.with_columns(represents=pl.lit(0.0))], how="diagonal")
        return whole[np.argsort(np.concatenate([others, np.flatnonzero(aside)]))]

    def _choose(
        self,
        pool: Pool,
        rows: pl.DataFrame,
        ranks: NDArray[np.float64] | None,
        shares: Shares,
        context: Context,
    ) -> tuple[Choice, pl.Series | None]:
        """The choice among all rows, and the place of the target that each chosen text is for."""
        if self.method == "tags" and self.tags is not None:
            return self._by_tags(rows, shares, context), None
        if self.method == "targeted":
            choice, related = self._targeted(pool, context)
            return pool.spoken.spread(choice, shares), related
        return pool.spoken.spread(self._spread(pool, ranks, context), shares), None

    def _spread(self, pool: Pool, ranks: NDArray[np.float64] | None, context: Context) -> Choice:
        """The choice among distinct texts by clusters, distance or coverage."""
        vectors, shares = pool.vectors, pool.spoken.shares
        if self.method == "tags":
            middle = centres(vectors, min(self.clusters or max(self.size, 1), MOST_CLUSTERS))
            cluster, cosine = nearest(vectors, middle)
            rank = np.argsort(np.argsort(-cosine, kind="stable"), kind="stable")
            return tags.choose([(each,) for each in cluster.tolist()], shares, rank, {})
        covered = self._covered(vectors, context)
        if self.method == "k_centre":
            return k_centre.choose(vectors, shares, covered)
        near = graph(vectors, pool.cells, self.neighbours or enough(len(vectors), shares.size))
        if len(shares.quotas) > 1 and self.across < 1:
            near = near.across(shares.stratum, self.across)
        if ranks is not None:
            near = near.weighted(ranks[pool.spoken.rows] ** self.quality_weight)
        return facility_location.choose(near, shares, covered, pool.spoken.counts)

    def _targeted(self, pool: Pool, context: Context) -> tuple[Choice, pl.Series]:
        wanted = targets.read_targets(context.root / str(self.targets), str(self.targets))
        texts = dialogue({"user": pl.Series([target.text for target in wanted], dtype=pl.String)})
        there = encoded(all_texts(texts, "all"), context.encoder, len(pool.vectors))
        tasks = [target.task for target in wanted]
        choice, owners = targets.choose(pool.vectors, there, tasks, pool.spoken.shares)
        numbers: list[int] = owners.tolist()
        return choice, pl.Series([wanted[number].place for number in numbers], dtype=pl.String)

    def _by_tags(self, rows: pl.DataFrame, shares: Shares, context: Context) -> Choice:
        """The choice among all rows by the tags of a column: copies of a text may differ in them."""
        name = str(self.tags)
        words = _words(rows, name)
        number = {word: place for place, word in enumerate(sorted({w for each in words for w in each}))}
        had: Mapping[int, int] = {}
        if context.reference is not None:
            earlier = Counter(word for each in _words(context.reference, name) for word in set(each))
            had = {number[word]: count for word, count in earlier.items() if word in number}
        numbered = [[number[word] for word in each] for each in words]
        return tags.choose(numbered, shares, np.arange(rows.height), had)

    def _covered(self, vectors: Vectors, context: Context) -> NDArray[np.float32]:
        """How near each row is to the reference rows of a `repeat`, 0 where there are none."""
        reference = context.reference
        if reference is None or not reference.height or not len(vectors):
            return np.zeros(len(vectors), dtype=np.float32)
        there = encoded(all_texts(reference["messages"], self.on), context.encoder, len(vectors))
        return np.maximum(nearest(vectors, there)[1], 0)

    def _blind_scores(self, rows: pl.DataFrame, context: Context) -> NDArray[np.float64]:
        if self.method == "longest":
            return all_text(rows["messages"]).str.len_chars().cast(pl.Float64).to_numpy()
        return -context.uniform(rows["id"])

    def _strata(self) -> tuple[str, ...]:
        """What shares are even over; `balanced` without `balance` takes all that a row can tell."""
        return self.balance or (("task", "language", "label") if self.method == "balanced" else ())

    def _tag_column(self) -> tuple[str, ...]:
        return strata_columns((self.tags,)) if self.method == "tags" and self.tags else ()


def _per_stratum(kept: NDArray[np.bool_], shares: Shares) -> NDArray[np.float64]:
    """Rows of a kept row's stratum over those kept of it."""
    rows = np.bincount(shares.stratum, minlength=len(shares.quotas))
    weight = np.divide(rows, shares.quotas, out=np.zeros(len(rows)), where=shares.quotas > 0)
    return np.where(kept, weight[shares.stratum], 0.0)


def _mask(rows: Numbers, height: int) -> NDArray[np.bool_]:
    mask = np.zeros(height, dtype=np.bool_)
    mask[rows] = True
    return mask


def _ranks(quality: pl.Series, place: str) -> NDArray[np.float64]:
    """The share of rows that are no better, above 0 and at most 1; ties share theirs."""
    return _numbers(quality, place).rank("average").to_numpy() / max(len(quality), 1)


def _numbers(quality: pl.Series, place: str) -> pl.Series:
    if not quality.dtype.is_numeric():
        raise UsageError(
            f"quality column {quality.name!r} holds {quality.dtype}, but only numbers have a rank",
            place=place,
            hint="name a column of numbers, such as a judge's or `label_errors`' score",
        )
    return quality.cast(pl.Float64)


def _words(rows: pl.DataFrame, name: str) -> list[list[str]]:
    """The tags of each row: of a list each value, of other columns the one value, none where it is null."""
    column = label_of(rows["target"]) if name == "label" else rows[name]
    if not isinstance(column.dtype, pl.List):
        column = pl.select(pl.concat_list(column.cast(pl.String)).alias("tags"))["tags"]
    values = column.cast(pl.List(pl.String)).list.drop_nulls()
    return values.fill_null([]).to_list()
