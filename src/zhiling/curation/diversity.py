"""How diverse rows are beside a reference: n-grams, vectors, clusters, a table of task, language, length.

found = diversity(rows, encoder, reference=real_rows)
print(found.rows.vendi, found.reference.vendi)
print(found.table)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
import polars as pl

from zhiling.curation.diversity_measures import (
    Vectors,
    cluster_entropy,
    distinct_n,
    novel_sum,
    vendi_score,
)
from zhiling.curation.parts import Part, part_text
from zhiling.curation.selection.cells import centres
from zhiling.pipeline.step import Encoder
from zhiling.text.normalise import normalise
from zhiling.text.tokens import token_counts

SAMPLED_ROWS = 2000
CLUSTERS = 64
DISTINCT = (1, 2, 3)
LENGTHS = {"1-15": 16, "16-63": 64, "64-255": 256, "256-1023": 1024}
"""Names of lengths in tokens, and where the next one starts; beyond: `1024+`."""
LONGEST = "1024+"
EMPTY = "0"


@dataclass(frozen=True)
class Diverse:
    """The measures of one sample.

    Attributes:
        size: rows of the sample.
        distinct: n → different n-grams over all n-grams (words; characters of Chinese).
        vendi: effective number of different rows, 1 to `size`.
        novel_sum: mean novelty of a row; with a reference, relative to its density.
        cluster_entropy: 0 (all in one cluster) to 1 (evenly over all). The clusters are the reference's where
            there is one: its own figure is high by construction, that of the rows says how far they cover it.
    """

    size: int
    distinct: Mapping[int, float]
    vendi: float
    novel_sum: float
    cluster_entropy: float


@dataclass(frozen=True)
class Diversity:
    """Rows beside a reference, both measured on samples of one size.

    Attributes:
        rows: the measures of the rows.
        reference: the same of the reference, None where none was given.
        table: all rows (not only the sample) by `task`, `language`, `length` (tokens): `rows`, `share`,
            `reference_rows`, `reference_share` (0 without a reference).
    """

    rows: Diverse
    reference: Diverse | None
    table: pl.DataFrame


def diversity(
    rows: pl.DataFrame,
    encoder: Encoder,
    *,
    reference: pl.DataFrame | None = None,
    size: int = SAMPLED_ROWS,
    on: Part = "all",
) -> Diversity:
    """The diversity of the rows; every measure is taken on as many rows of the rows as of the reference.

    Args:
        rows: `id`, `messages`, and `task` and `language` where they are known.
        encoder: makes the vectors.
        reference: real rows of the kind that is wanted, with the same columns.
        size: rows of a sample; fewer where either side has fewer.
        on: the text that is measured.
    """
    other = None if reference is None or not reference.height else reference
    size = min(size, rows.height, *(() if other is None else (other.height,)))
    texts = [part_text(sampled(each, size)["messages"], on) for each in (rows, other) if each is not None]
    found, beside = measured(texts[:1], encoder, texts[1] if len(texts) > 1 else None)
    return Diversity(found[0], beside, table(rows, reference, on))


def measured(
    samples: Sequence[pl.Series], encoder: Encoder, reference: pl.Series | None = None
) -> tuple[list[Diverse], Diverse | None]:
    """The measures of each sample of texts, and of the reference, where there is one; give equal sizes.

    The clusters are those of the reference, without one those of the first sample. A text is encoded once,
    in however many samples it is.
    """
    every = [*samples, *([] if reference is None else [reference])]
    texts = pl.concat(every).unique(maintain_order=True)
    known = encoder.encode(texts.to_list())
    place = pl.int_range(len(texts), eager=True)
    rows = [each.replace_strict(texts, place, return_dtype=pl.Int64).to_numpy() for each in every]
    vectors = [known[each.astype(np.int64)] for each in rows]  # of no rows Polars makes no numbers
    middle = centres(vectors[0 if reference is None else -1], CLUSTERS)
    against = None if reference is None else vectors[-1]
    found = [_measured(*each, middle, against) for each in zip(every, vectors, strict=True)]
    return (found, None) if reference is None else (found[:-1], found[-1])


def sampled(rows: pl.DataFrame, size: int) -> pl.DataFrame:
    """`size` rows that depend on their ids alone, in an order that does: the same on every call."""
    draws = [blake2b(row.encode(), digest_size=8, key=b"diversity").digest() for row in rows["id"].to_list()]
    return rows[pl.Series(draws, dtype=pl.Binary).arg_sort()[:size]]


def _measured(texts: pl.Series, vectors: Vectors, middle: Vectors, reference: Vectors | None) -> Diverse:
    return Diverse(
        size=len(texts),
        distinct={n: distinct_n(texts, n) for n in DISTINCT},
        vendi=vendi_score(vectors),
        novel_sum=novel_sum(vectors, reference),
        cluster_entropy=cluster_entropy(vectors, middle),
    )


def table(rows: pl.DataFrame, reference: pl.DataFrame | None = None, on: Part = "all") -> pl.DataFrame:
    """Rows by task, language and length in tokens, the most frequent first; shares sum to 1 on each side."""
    keys = ["task", "language", "length"]
    own = _shared(rows, on)
    other = _shared(rows.clear() if reference is None else reference, on)
    joined = own.join(other, on=keys, how="full", coalesce=True, suffix="_reference", nulls_equal=True)
    return (
        joined.rename({"rows_reference": "reference_rows", "share_reference": "reference_share"})
        .with_columns(pl.col("rows", "share", "reference_rows", "reference_share").fill_null(0))
        .sort("rows", "reference_rows", *keys, descending=[True, True, False, False, False])
    )


def counted(rows: pl.DataFrame, on: Part = "all") -> pl.DataFrame:
    """`task`, `language`, `length` of rows and how many `rows` each has, in no order."""
    columns = [rows[name] if name in rows.columns else _nulls(name, rows.height) for name in KEYS]
    named = pl.DataFrame([*columns, _lengths(part_text(rows["messages"], on))])
    return named.group_by("task", "language", "length").agg(rows=pl.len().cast(pl.Int64))


def _shared(rows: pl.DataFrame, on: Part) -> pl.DataFrame:
    return counted(rows, on).with_columns(share=pl.col("rows") / max(rows.height, 1))


KEYS = ("task", "language")


def _nulls(name: str, height: int) -> pl.Series:
    return pl.repeat(None, height, dtype=pl.String, eager=True).alias(name)


def _lengths(texts: pl.Series) -> pl.Series:
    tokens = token_counts(normalise(texts)).to_numpy()
    names = np.array([EMPTY, *LENGTHS, LONGEST])
    return pl.Series("length", names[np.searchsorted([1, *LENGTHS.values()], tokens, side="right")])
