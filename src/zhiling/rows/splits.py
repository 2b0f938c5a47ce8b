"""Train, dev and test parts that do not leak into each other, and the checked facts that say so.

Rows that must not be parted form one component: rows of one group (a document, a conversation), rows with a
common ancestor, and rows whose user texts are nearly equal. Whole components are drawn into a part (see
`split_draw`), and then the finished split is checked from scratch (see `split_facts`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
import polars as pl
from pydantic import BaseModel, ConfigDict, Field, model_validator

from zhiling.errors import StepFailed, UsageError
from zhiling.rows.schema import digest
from zhiling.rows.split_draw import DEV, PARTS, TEST, TRAIN, Components, Integers, Shares, assign
from zhiling.rows.split_facts import Outcome, SplitFacts, facts
from zhiling.rows.split_texts import Texts
from zhiling.text.jaccard import linked_pairs
from zhiling.text.union_find import components

__all__ = ["PARTS", "Split", "SplitFacts", "SplitSettings", "group_keys", "split"]

Stratum = Literal["label", "language"]


class SplitSettings(BaseModel):
    """Shares of the parts, and which rows must stay together."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    train: float = Field(0.8, ge=0, le=1, description="share of all rows to learn from")
    dev: float = Field(0.1, ge=0, le=1, description="share for choosing when to stop; 0 for none")
    test: float = Field(0.1, ge=0, le=1, description="share for the proof; 0 for none")
    group_by: tuple[str, ...] = Field(
        ("origin.group",), description="columns (or fields of them) whose values are never parted"
    )
    near: float | None = Field(
        0.5,
        gt=0,
        le=1,
        description="user texts with this Jaccard similarity are never parted; null: not looked at",
    )
    stratify: Stratum | tuple[Stratum, ...] | None = Field(
        ("label", "language"),
        description="what each part holds in equal shares; the first counts most; null: nothing",
    )

    @model_validator(mode="after")
    def _whole(self) -> Self:
        total = self.train + self.dev + self.test
        if abs(total - 1) > 1e-6:
            raise ValueError(
                "train, dev and test must sum up to 1,"
                f" but {self.train:g} + {self.dev:g} + {self.test:g} = {total:g}"
            )
        return self

    @property
    def strata(self) -> tuple[Stratum, ...]:
        """The columns to stratify by, the most important first."""
        if self.stratify is None:
            return ()
        return (self.stratify,) if isinstance(self.stratify, str) else self.stratify

    def scheme(self, seed: int) -> str:
        """A name of these settings with this seed: under one name rows keep their part in later runs."""
        return digest(self.model_dump_json().encode(), str(seed).encode())[:16]


@dataclass(frozen=True)
class Split:
    """Which part each row is in.

    Attributes:
        parts: `train`, `dev` or `test` of each row, in the order of the rows.
        components: the smallest id of each row's component, in the order of the rows.
        facts: what was counted and checked afterwards.
    """

    parts: pl.Series
    components: pl.Series
    facts: SplitFacts


def split(
    rows: pl.DataFrame,
    settings: SplitSettings,
    seed: int,
    held: Iterable[str] = (),
    former: pl.DataFrame | None = None,
) -> Split:
    """A leak-safe, stratified split; the same for any order of the rows.

    Two rows are never parted if they share a group, or a root, or if their user texts are near: the sets of
    5-grams of code points (spaces included) of the normal form of both texts (`zhiling.text.normalise`)
    have a Jaccard similarity of at least `settings.near`, found by an exact join over all rows. A text of
    fewer than five code points is one gram. Texts whose normal form is empty (`???`) are near if they are
    equal; empty texts are near to nothing.

    A component's part, the first of these that applies:

    1. `test`, if a root of any of its rows once stood in a test part (`held`), whatever its size.
    2. the part that it had before under the same scheme (`former`; train before dev).
    3. `train`, if it has more rows than the smallest share of another part.
    4. what is drawn for it (see `split_draw.assign`).

    So with `former` a new row moves no row outside its own component. Without it a component's draw depends
    on its own smallest id only, and a few components are moved to keep the strata even.

    Args:
        rows: `id` (unique), `group` (string or list of strings, nullable), `text` (what the user said),
            `label` (nullable), `language`, and where rows have ancestors `roots` (list of the row's own id
            and those of the rows that it was made from).
        settings: shares and what to keep together.
        seed: of the draw.
        held: ids that once stood in a test part of this project.
        former: `id`, `split` of earlier runs with the same `settings.scheme(seed)`.

    Raises:
        StepFailed: the finished split leaks after all (then it must not be used).
    """
    if rows["id"].n_unique() != rows.height:
        raise ValueError("two rows have the same id")
    rows = _complete(rows)
    texts = Texts.of(rows["text"], settings.near) if settings.near is not None else None
    test_ids = pl.Series("id", list(held), dtype=pl.String)
    component = _connected(rows, texts)
    table = _components(rows, component, settings.strata)
    place = table["component"].search_sorted(pl.Series(component)).to_numpy().astype(np.int64)
    fixed = _fixed(rows, place, test_ids, former)
    drawn = Components.of(table.with_columns(fixed), settings.strata)
    assigned = assign(drawn, Shares(settings.train, settings.dev, settings.test), seed)
    outcome = Outcome(assigned.part[place], component, assigned.oversized[place])
    found = facts(rows, outcome, test_ids, texts)
    if not found.leak_free:
        raise StepFailed(
            f"the split leaks: {found.leaks()}", hint="this is a bug: please report it with this line"
        )
    parts = pl.Series("split", np.array(PARTS)[outcome.part], dtype=pl.String)
    return Split(parts, table["identity"].gather(place).rename("component"), found)


def group_keys(rows: pl.DataFrame, group_by: Sequence[str]) -> pl.Series:
    """`group` of each row for `split`: a list with one text per entry of `group_by` that is not null.

    An entry is a column, or a field of a struct column (`origin.group`).

    Raises:
        UsageError: an entry that is neither.
    """
    keys = [_column(rows, name).cast(pl.String).alias(str(number)) for number, name in enumerate(group_by)]
    if not keys:
        return pl.Series("group", [[] for _ in range(rows.height)], dtype=pl.List(pl.String))
    marked = [pl.lit(f"{name}\0") + key for name, key in zip(group_by, keys, strict=True)]
    return rows.select(pl.concat_list(marked).list.drop_nulls().alias("group")).to_series()


def _column(rows: pl.DataFrame, name: str) -> pl.Expr:
    if name in rows.columns:
        return pl.col(name)
    head, _, field = name.partition(".")
    dtype = rows.schema.get(head)
    if isinstance(dtype, pl.Struct) and field in {each.name for each in dtype.fields}:
        return pl.col(head).struct.field(field)
    known = ", ".join(rows.columns)
    raise UsageError(
        f"split.group_by: no column {name!r}", hint=f"known: {known}, and fields such as 'origin.group'"
    )


def _complete(rows: pl.DataFrame) -> pl.DataFrame:
    """`id, text, label, language` (strings), `group, roots` (lists; the own id is among the roots)."""
    lists = pl.List(pl.String)
    group = pl.col("group") if isinstance(rows.schema["group"], pl.List) else pl.concat_list("group")
    older = pl.col("roots").cast(lists).fill_null([]) if "roots" in rows.columns else pl.lit([], dtype=lists)
    return rows.select(
        *(pl.col(name).cast(pl.String) for name in ("id", "text", "label", "language")),
        group.cast(lists).list.drop_nulls().alias("group"),
        pl.concat_list("id", older).list.drop_nulls().alias("roots"),
    )


def _keys(rows: pl.DataFrame) -> pl.DataFrame:
    """`row` and `key`: rows with a common key belong together."""
    numbered = rows.with_row_index("row")
    return pl.concat(
        numbered.select("row", pl.col(name).alias("key"))
        .explode("key", empty_as_null=False, keep_nulls=False)
        .with_columns(pl.lit(f"{name}\0") + pl.col("key"))
        for name in ("group", "roots")
    )


def _connected(rows: pl.DataFrame, texts: Texts | None) -> Integers:
    """The smallest row number of each row's component."""
    first = pl.col("row").min().over("key").alias("first")
    links = _keys(rows).with_columns(first).filter(pl.col("row") != pl.col("first"))
    left, right = (links[name].to_numpy().astype(np.int64) for name in ("first", "row"))
    if texts is not None:
        pairs = linked_pairs(texts.grams, texts.near)
        left = np.concatenate([left, texts.first[texts.number], texts.first[pairs.left]])
        right = np.concatenate([right, texts.rows, texts.first[pairs.right]])
    return components(rows.height, left, right)


def _components(rows: pl.DataFrame, component: Integers, strata: Sequence[str]) -> pl.DataFrame:
    """One line a component: `component` (ascending), `identity`, `size`, the stratum of most of its rows."""
    cells = ["component", *strata]
    counted = (
        rows.with_columns(pl.Series("component", component))
        .group_by(cells)
        .agg(pl.len().alias("size"), pl.col("id").min().alias("identity"))
    )
    ordered = counted.sort(["component", "size", *strata], descending=[False, True, *[False] * len(strata)])
    return ordered.group_by("component", maintain_order=True).agg(
        pl.col("identity").min(), pl.col("size").sum(), *(pl.col(name).first() for name in strata)
    )


def _fixed(rows: pl.DataFrame, place: Integers, held: pl.Series, former: pl.DataFrame | None) -> pl.Series:
    """`fixed` of each component: the number of the part that it must or should keep, -1 for none.

    Args:
        rows: with `id` and `roots`.
        place: the number of each row's component.
        held: ids that once stood in a test part.
        former: earlier parts (`id`, `split`).
    """
    listed = rows.select(pl.Series("place", place), pl.col("roots").alias("id")).explode(
        "id", empty_as_null=False
    )
    fixed = np.full(int(place.max(initial=-1)) + 1, -1, dtype=np.int64)
    known = (
        []
        if former is None
        else [former.filter(pl.col("split") == part).select("id") for part in ("dev", "train")]
    )
    for number, ids in zip((DEV, TRAIN, TEST)[-len(known) - 1 :], [*known, held.to_frame()], strict=True):
        fixed[listed.join(ids.unique(), on="id", how="semi")["place"].to_numpy()] = number
    return pl.Series("fixed", fixed)
