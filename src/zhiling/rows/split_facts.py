"""What a finished split really is: counted and checked from the rows and their parts alone.

Nothing here knows components or how parts were drawn, so an error there shows up here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from zhiling.rows.split_draw import PARTS, TRAIN, Integers
from zhiling.rows.split_texts import Texts
from zhiling.text.linking import Comparison
from zhiling.text.prefix_filter import prefix_postings
from zhiling.text.shingles import row_ranges

_BLOCK_PAIRS = 1 << 20
_MOST_LABELS = 300


@dataclass(frozen=True)
class SplitFacts:
    """Counts of a split, and the checks that must be 0.

    Attributes:
        rows: rows of each part.
        groups: distinct groups of each part.
        components: sets of rows that could not be parted.
        largest_component: rows of the largest of them.
        oversized: components that went to train for their size, and their rows.
        near: the similarity that was looked for; None where texts were not compared.
        groups_in_two_parts: check: groups with rows in more than one part.
        lineages_in_two_parts: check: roots with rows in more than one part.
        near_pairs_across: check: pairs of equal or near texts in different parts; None as above.
        formerly_test: rows with a root that once stood in a test part.
        formerly_test_in_train: check: how many of them are in train.
        labels: rows of each part by label, the most frequent labels first (at most 300).
        distinct_labels: how many labels there are.
        largest_deviation: largest difference, over labels and parts, between a label's share of a part's
            labelled rows and its share of all of them (0 to 1); `deviating_label` and `deviating_part` say
            where. 0 and None without labels.
    """

    rows: dict[str, int]
    groups: dict[str, int]
    components: int
    largest_component: int
    oversized: dict[str, int]
    near: float | None
    groups_in_two_parts: int
    lineages_in_two_parts: int
    near_pairs_across: int | None
    formerly_test: int
    formerly_test_in_train: int
    labels: dict[str, dict[str, int]]
    distinct_labels: int
    largest_deviation: float
    deviating_label: str | None
    deviating_part: str | None

    def as_dict(self) -> dict[str, Any]:
        """The facts as plain values, for the manifest."""
        return asdict(self)

    @property
    def leak_free(self) -> bool:
        """True if every check is 0."""
        return not any(self._checks().values())

    def leaks(self) -> str:
        """The checks that are not 0, in words."""
        return ", ".join(f"{name} = {count}" for name, count in self._checks().items() if count)

    def _checks(self) -> dict[str, int]:
        return {
            "groups_in_two_parts": self.groups_in_two_parts,
            "lineages_in_two_parts": self.lineages_in_two_parts,
            "near_pairs_across": self.near_pairs_across or 0,
            "formerly_test_in_train": self.formerly_test_in_train,
        }


@dataclass(frozen=True)
class Outcome:
    """A finished split, as arrays with one value per row."""

    part: Integers
    component: Integers
    oversized: NDArray[np.bool_]


def facts(rows: pl.DataFrame, outcome: Outcome, held: pl.Series, texts: Texts | None) -> SplitFacts:
    """Counts and checks of a split.

    Args:
        rows: `id`, `label` (strings), `group`, `roots` (lists, the own id among the roots).
        outcome: the split.
        held: ids that once stood in a test part.
        texts: the rows' user texts; None where they are not compared.
    """
    names = pl.Series("part", np.array(PARTS)[outcome.part], dtype=pl.String)
    rows = rows.with_columns(names)
    groups = _members(rows, "group")
    lineages = _members(rows, "roots")
    formerly = _formerly_test(rows, held)
    sizes = np.bincount(outcome.component)
    return SplitFacts(
        rows=_per_part(rows),
        groups=_per_part(groups),
        components=int(np.count_nonzero(sizes)),
        largest_component=int(sizes.max(initial=0)),
        oversized={
            "components": len(np.unique(outcome.component[outcome.oversized])),
            "rows": int(np.count_nonzero(outcome.oversized)),
        },
        near=None if texts is None else texts.near,
        groups_in_two_parts=_in_two_parts(groups),
        lineages_in_two_parts=_in_two_parts(lineages),
        near_pairs_across=None if texts is None else near_pairs_across(texts, outcome.part),
        formerly_test=formerly.height,
        formerly_test_in_train=formerly.filter(pl.col("part") == PARTS[TRAIN]).height,
        **_label_facts(rows),
    )


def near_pairs_across(texts: Texts, part: Integers) -> int:
    """How many pairs of texts in different parts are equal or near: exact, 0 for a split that does not leak.

    Texts of one part are never compared with each other: this costs a fraction of the join that links rows.

    Args:
        texts: the texts of the rows.
        part: the part of every row.
    """
    places = np.unique(texts.number * len(PARTS) + part[texts.rows])
    number, part = np.divmod(places, len(PARTS))
    grams = texts.grams.take(number)
    postings = prefix_postings(grams, np.flatnonzero(grams.sizes > 0), texts.near)
    postings = postings.take(np.lexsort((part[postings.row], postings.group)))
    lower = _run_starts(postings.group)
    upper = _run_starts(postings.group * len(PARTS) + part[postings.row])
    comparison = Comparison(grams, texts.near)
    limits = comparison.limits(postings)
    # Texts without shingles (`???`) can be equal, but not near.
    pairs = [_keys(*_equal(number, grams.sizes == 0))]
    for probe, partner in _blocks(postings.row, lower, upper):
        fits = limits.allow(probe, partner)
        keys = _keys(postings.row[partner[fits]], postings.row[probe[fits]])
        found = comparison.verified(keys >> 32, keys & 0xFFFFFFFF)
        pairs.append(_keys(found.left, found.right))
    return len(np.unique(np.concatenate(pairs)))


def _equal(number: Integers, bare: NDArray[np.bool_]) -> tuple[Integers, Integers]:
    """Neighbouring places with the same text, among those that have no shingles."""
    left = np.flatnonzero((number[1:] == number[:-1]) & bare[1:])
    return left, left + 1


def _keys(left: Integers, right: Integers) -> Integers:
    """Each pair once, as one number: the smaller row in the high half."""
    return np.unique((np.minimum(left, right) << 32) | np.maximum(left, right))


def _run_starts(values: Integers) -> Integers:
    """For each place the first place of its run of equal values."""
    begins = np.flatnonzero(np.diff(values, prepend=values[:1] - 1))
    return np.repeat(begins, np.diff(begins, append=len(values)))


def _blocks(row: Integers, lower: Integers, upper: Integers) -> Iterator[tuple[Integers, Integers]]:
    """Each place k with all places lower[k]..upper[k] - 1, ordered by row, in blocks of bounded size."""
    probes = np.flatnonzero(upper > lower)
    probes = probes[np.argsort(row[probes], kind="stable")]
    counts = (upper - lower)[probes]
    for first, last in row_ranges(np.concatenate([[0], np.cumsum(counts)]), _BLOCK_PAIRS):
        chosen, number = probes[first:last], counts[first:last]
        before = np.cumsum(number) - number
        yield np.repeat(chosen, number), np.arange(number.sum()) + np.repeat(lower[chosen] - before, number)


def _members(rows: pl.DataFrame, column: str) -> pl.DataFrame:
    """Distinct `part`, `key` of a column of lists."""
    listed = rows.select("part", pl.col(column).alias("key"))
    return listed.explode("key", empty_as_null=False, keep_nulls=False).unique()


def _in_two_parts(members: pl.DataFrame) -> int:
    return members.group_by("key").len().filter(pl.col("len") > 1).height


def _per_part(frame: pl.DataFrame) -> dict[str, int]:
    counts = dict(frame.group_by("part").len().iter_rows())
    return {part: counts.get(part, 0) for part in PARTS}


def _formerly_test(rows: pl.DataFrame, held: pl.Series) -> pl.DataFrame:
    """`id`, `part` of the rows with a root among the ids."""
    known = held.rename("root").to_frame().unique()
    listed = rows.select("id", "part", pl.col("roots").alias("root")).explode("root", empty_as_null=False)
    return listed.join(known, on="root", how="semi").select("id", "part").unique()


def _label_facts(rows: pl.DataFrame) -> dict[str, Any]:
    """The fields of `SplitFacts` about labels."""
    labelled = rows.filter(pl.col("label").is_not_null())
    totals = labelled.group_by("label").len("all")
    counts = (
        totals.join(pl.DataFrame({"part": PARTS}), how="cross")
        .join(labelled.group_by("label", "part").len("rows"), on=["label", "part"], how="left")
        .with_columns(pl.col("rows").fill_null(0))
    )
    shares = counts.with_columns(pl.col("rows").sum().over("part").alias("size")).filter(pl.col("size") > 0)
    away = (pl.col("rows") / pl.col("size") - pl.col("all") / pl.col("rows").sum()).abs()
    worst = (
        shares.with_columns(away.alias("away"))
        .sort("away", "label", "part", descending=[True, False, False])
        .head(1)
    )
    shown = totals.sort("all", "label", descending=[True, False]).head(_MOST_LABELS)["label"].to_list()
    table: dict[str, dict[str, int]] = {label: {} for label in shown}
    for label, part, number in (
        counts.filter(pl.col("label").is_in(shown)).select("label", "part", "rows").iter_rows()
    ):
        table[label][part] = number
    return {
        "labels": table,
        "distinct_labels": totals.height,
        "largest_deviation": float(worst["away"][0]) if worst.height else 0.0,
        "deviating_label": worst["label"][0] if worst.height else None,
        "deviating_part": worst["part"][0] if worst.height else None,
    }
