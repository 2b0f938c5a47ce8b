"""Select: a training set of a given size that covers what the rows are about."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from enum import StrEnum
from typing import ClassVar, Literal, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import Field, model_validator

from zhiling.curation.label import label_of
from zhiling.curation.parts import Part, part_text
from zhiling.curation.selection import facility_location, k_centre, tags, targets
from zhiling.curation.selection.cells import cells, centres, nearest
from zhiling.curation.selection.choice import Choice, Numbers, Shares, Vectors, even_shares, highest
from zhiling.curation.selection.neighbours import enough, graph, stand_ins
from zhiling.curation.selection.vectors import encoded
from zhiling.curation.strata import strata_columns
from zhiling.errors import UsageError
from zhiling.pipeline.step import Context, Decide, Scope, verdicts
from zhiling.rows.conversation import all_text

Method = Literal[
    "coverage", "quality_coverage", "k_centre", "tags", "targeted", "random", "balanced", "longest"
]
MOST_CLUSTERS = 1024
BLIND = ("random", "balanced", "longest")
"""Methods that look at no vector."""


class Reason(StrEnum):
    """Why a row is not kept."""

    NOT_SELECTED = "not_selected"


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

    `balance` shares the size out as evenly as the rows allow, with each method; rows of coverage then stand
    above all for rows of their own stratum, so they are typical of it and not of its border. A removed row
    names the kept row nearest to it. Column `represents`: how many rows a kept row stands for, itself
    included (with the controls: its stratum's rows over those kept of it); 0 for a removed row. Inside
    `repeat`, `coverage`, `quality_coverage` and `k_centre` know what earlier rows cover, and `tags` which
    tags they have.
    """

    name: ClassVar[str] = "select"
    version: ClassVar[int] = 2
    scope: ClassVar[Scope] = "table"
    cost: ClassVar[str] = "one encoding per row; above 16,384 rows n·√n · dimension multiplications"
    limits: ClassVar[str] = (
        "Coverage and k-centre keep rare rows, defects among them: clean first, or use `quality_coverage`. "
        "Above 16,384 rows neighbours are looked for in nearby cells only, so a few are missed; encoders "
        "of more than 512 columns are projected to 384 there. Rows that the quality's step passed by pass "
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
    clusters: int | None = Field(
        None, ge=1, description="Tags: how many clusters; unset: as many as `size`, at most 1,024."
    )
    targets: str | None = Field(None, description="Targeted: a JSONL or CSV file with rows as wanted.")

    @model_validator(mode="after")
    def _has_what_it_needs(self) -> Self:
        for method, setting in (("quality_coverage", "quality"), ("targeted", "targets")):
            if self.method == method and getattr(self, setting) is None:
                raise ValueError(f"method {method!r} needs the setting `{setting}`, got none")
        return self

    def reads(self) -> tuple[str, ...]:
        """The messages, and the columns of strata, quality and tags."""
        columns = [*strata_columns(self._strata()), *self._tag_column()]
        if self.method == "quality_coverage" and self.quality:
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
        """Reason `not_selected`; score = gain, distance, cosine, draw or length; related = its stand-in."""
        order = rows["id"].arg_sort()
        answer = self._decide(rows[order], context)
        return answer[order.arg_sort()]

    def _decide(self, rows: pl.DataFrame, context: Context) -> pl.DataFrame:
        """The answer for rows in the order of their ids."""
        shares = even_shares(rows, self._strata(), self.size)
        if self.method in BLIND:
            scores = self._blind_scores(rows, context)
            choice = highest(scores, shares)
            kept = _mask(choice.rows, rows.height)
            answer = verdicts(~kept, Reason.NOT_SELECTED, score=np.abs(scores))
            return answer.with_columns(represents=pl.Series(_per_stratum(kept, shares)))
        vectors = encoded(part_text(rows["messages"], self.on), context.encoder)
        choice, related = self._choose(rows, vectors, shares, context)
        return _answer(rows["id"], vectors, choice, related)

    def _choose(
        self, rows: pl.DataFrame, vectors: Vectors, shares: Shares, context: Context
    ) -> tuple[Choice, pl.Series | None]:
        """The choice, and the place of the target that each chosen row is for."""
        if self.method == "targeted":
            return self._targeted(vectors, shares, context)
        if self.method == "tags":
            return self._by_tags(rows, vectors, shares, context), None
        covered = self._covered(vectors, context)
        if self.method == "k_centre":
            return k_centre.choose(vectors, shares, covered), None
        near = graph(vectors, cells(vectors), self.neighbours or enough(rows.height, shares.size))
        if len(shares.quotas) > 1 and self.across < 1:
            near = near.across(shares.stratum, self.across)
        if self.method == "quality_coverage":
            ranks = _ranks(rows[str(self.quality)], f"step {context.step_id!r}")
            near = near.weighted(ranks**self.quality_weight)
        return facility_location.choose(near, shares, covered), None

    def _targeted(self, vectors: Vectors, shares: Shares, context: Context) -> tuple[Choice, pl.Series]:
        wanted = targets.read_targets(context.root / str(self.targets), str(self.targets))
        texts = encoded(pl.Series([target.text for target in wanted]), context.encoder, len(vectors))
        choice, owners = targets.choose(vectors, texts, [target.task for target in wanted], shares)
        numbers: list[int] = owners.tolist()
        return choice, pl.Series([wanted[number].place for number in numbers], dtype=pl.String)

    def _by_tags(self, rows: pl.DataFrame, vectors: Vectors, shares: Shares, context: Context) -> Choice:
        if self.tags is None:
            middle = centres(vectors, min(self.clusters or max(self.size, 1), MOST_CLUSTERS))
            cluster, cosine = nearest(vectors, middle)
            rank = np.argsort(np.argsort(-cosine, kind="stable"), kind="stable")
            return tags.choose([[each] for each in cluster.tolist()], shares, rank, {})
        words = _words(rows, self.tags)
        number = {word: place for place, word in enumerate(sorted({w for each in words for w in each}))}
        had: Mapping[int, int] = {}
        if context.reference is not None:
            earlier = Counter(word for each in _words(context.reference, self.tags) for word in set(each))
            had = {number[word]: count for word, count in earlier.items() if word in number}
        numbered = [[number[word] for word in each] for each in words]
        return tags.choose(numbered, shares, np.arange(rows.height), had)

    def _covered(self, vectors: Vectors, context: Context) -> NDArray[np.float32]:
        """How near each row is to the reference rows of a `repeat`, 0 where there are none."""
        reference = context.reference
        if reference is None or not reference.height or not len(vectors):
            return np.zeros(len(vectors), dtype=np.float32)
        there = encoded(part_text(reference["messages"], self.on), context.encoder, len(vectors))
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


def _answer(ids: pl.Series, vectors: Vectors, choice: Choice, related: pl.Series | None) -> pl.DataFrame:
    """Verdicts: a removed row names its stand-in, a chosen one what it was chosen for."""
    height = len(ids)
    kept = _mask(choice.rows, height)
    score, counts = np.zeros(height), np.zeros(height)
    score[choice.rows] = choice.scores
    names = pl.repeat(None, height, dtype=pl.String, eager=True)
    if len(choice.rows):
        owner = stand_ins(vectors, cells(vectors), choice.rows)
        counts = np.bincount(owner, minlength=height).astype(np.float64)
        names = pl.select(pl.when(pl.Series(~kept)).then(ids.gather(owner)).alias("related"))["related"]
    if related is not None:
        names = names.scatter(choice.rows, related)
    answer = verdicts(~kept, Reason.NOT_SELECTED, score=score, related=names)
    return answer.with_columns(represents=pl.Series(counts, dtype=pl.Float64))


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
    if not quality.dtype.is_numeric():
        raise UsageError(
            f"quality column {quality.name!r} holds {quality.dtype}, but only numbers have a rank",
            place=place,
            hint="name a column of numbers, such as a judge's or `label_errors`' score",
        )
    return quality.cast(pl.Float64).rank("average").to_numpy() / max(len(quality), 1)


def _words(rows: pl.DataFrame, name: str) -> list[list[str]]:
    """The tags of each row: of a list each value, of other columns the one value, none where it is null."""
    column = label_of(rows["target"]) if name == "label" else rows[name]
    if not isinstance(column.dtype, pl.List):
        column = pl.select(pl.concat_list(column.cast(pl.String)).alias("tags"))["tags"]
    values = column.cast(pl.List(pl.String)).list.drop_nulls()
    return values.fill_null([]).to_list()
