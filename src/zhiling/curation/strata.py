"""Rows in strata (language, task, label or any column), and how many of each a fair share is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from zhiling.curation.label import label_of

NONE = ""
"""The stratum of rows without a value."""


def strata_columns(names: Sequence[str]) -> tuple[str, ...]:
    """The columns to read for these strata: `label` lies in `target`, all others are columns themselves."""
    return tuple("target" if name == "label" else name for name in names)


def strata(rows: pl.DataFrame, names: Sequence[str]) -> pl.Series:
    """One key per row; rows with equal values in all of `names` share it. No names: one stratum."""
    if not names:
        return pl.repeat(NONE, rows.height, dtype=pl.String, eager=True)
    columns = [label_of(rows["target"]) if name == "label" else rows[name] for name in names]
    return pl.DataFrame(
        [column.cast(pl.String).fill_null(NONE).alias(str(place)) for place, column in enumerate(columns)]
    ).select(pl.concat_str(pl.all(), separator="\0"))["0"]


def even_quotas(available: Mapping[str, int], size: int) -> dict[str, int]:
    """How many rows of each stratum to take: as even as possible, `size` in sum (all rows if fewer).

    What a small stratum cannot give is shared by the others; units that do not divide evenly go to the
    larger strata first, ties by name. Anchor: {a: 1, b: 9, c: 9} and 10 give {a: 1, b: 5, c: 4}.
    """
    quotas = dict.fromkeys(available, 0)
    left = min(size, sum(available.values()))
    while left:
        open_strata = [name for name in available if quotas[name] < available[name]]
        open_strata.sort(key=lambda name: (-available[name], name))
        share = left // len(open_strata)
        for name in open_strata if share else open_strata[:left]:
            taken = min(max(share, 1), available[name] - quotas[name])
            quotas[name] += taken
            left -= taken
    return quotas
