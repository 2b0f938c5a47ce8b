"""What a proposed row says of itself in `extra`: its generator, its round, and whether it is a probe."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import orjson
import polars as pl

Probe = Literal["hidden", "planted"]
"""A real row that was held back, or the same with a label that is wrong."""

_KEY = "adversarial"


def marked(extra: str | None, generator: str, number: int, probe: Probe | None = None) -> str:
    """The `extra` of a proposed row: what its generator told, and the mark."""
    told: dict[str, Any] = orjson.loads(extra) if extra else {}
    mark = {"generator": generator, "round": number} | ({"probe": probe} if probe else {})
    return orjson.dumps(told | {_KEY: mark}).decode()


def mark(name: Literal["generator", "round", "probe"]) -> pl.Expr:
    """A part of the mark (string); null where the row has none: it was not proposed."""
    return pl.col("extra").cast(pl.String).str.json_path_match(f"$.{_KEY}.{name}").alias(name)


def tally(rows: pl.DataFrame) -> Mapping[tuple[str, int], int]:
    """How many of the rows each generator wrote in each round; probes are not counted."""
    marks = rows.select(mark("generator"), mark("round").cast(pl.Int64), mark("probe"))
    counted = marks.filter(pl.col("probe").is_null()).drop_nulls("generator")
    return {
        (generator, number): count
        for generator, number, count in counted.group_by("generator", "round").len().iter_rows()
    }
