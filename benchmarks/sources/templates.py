"""sources.3: labelled rows of every set in ../shared/data, put into every wording of their task, read back.

python benchmarks/sources/templates.py [--set NAME] [--rows N]

A pair (row, wording) counts as exact where the reply reads back as the truth that it tells, places included,
in the example's messages and in the row's, and the example's texts come back too. A row that no wording can
tell counts as one pair that is not.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import polars as pl
from pydantic import BaseModel

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parents[1])]

from record import record, row  # noqa: E402

from benchmarks.sources.sets import DATA, SETS, batches  # noqa: E402
from zhiling.rows import target  # noqa: E402
from zhiling.rows.templates import Library, Listing, Names, Setting, Unfit, Wording, reading, render  # noqa: E402
from zhiling.rows.templates.shapes import SHAPES  # noqa: E402
from zhiling.synthesis.labelled_sets import Labelled, Rows, SetKey  # noqa: E402

SHOWN = 5  # failures that are printed of a set


@dataclass
class Count:
    """What became of one set."""

    name: str
    rows: int = 0
    told: int = 0
    pairs: int = 0
    exact: int = 0
    unfit: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    seconds: float = 0.0


def rows_of(name: str, limit: int | None) -> Iterator[Labelled | Unfit]:
    """The set's rows that have a truth or, where their task has none, a reply."""
    seen = 0
    for batch in batches(name):
        rows = batch.rows
        wordless = [task for task, shapes in target.SHAPES.items() if not shapes]
        wanted = pl.col("task").is_in(list(target.SHAPES)) & (
            pl.col("target").is_not_null() | pl.col("task").is_in(wordless)
        )
        rows = rows.filter(wanted).head(rows.height if limit is None else max(0, limit - seen))
        seen += rows.height
        ids = pl.int_range(rows.height, eager=True).cast(pl.String)
        group = pl.lit(None, dtype=pl.String).alias("group")
        yield from Rows(rows.with_columns(ids.alias("id"), group, pl.lit(name).alias("source")))


def exact(example: Labelled, wording: Wording, setting: Setting, library: Library) -> bool:
    """Whether all comes back."""
    made = render(example.example, wording, setting)
    texts = [text for _, text in made.messages]
    truth = orjson.loads(made.target)
    read = reading(texts, truth, library)
    if read is None:
        return False
    turns = list(example.example.turns)
    if len(turns) > len(read.turns):  # the example's own reply is the row's
        turns = turns[:-1]
    found = read.parse(texts[-1])
    if list(read.turns) != turns:
        return False
    if wording.shape == "reply":
        return found == example.example.turns[-1].text
    if not isinstance(found, BaseModel) or found != wording.kind.told(example.example.truth):
        return False
    if not wording.kind.placed(example.example.truth):
        return True
    told = wording.kind.told(type(found).model_validate(truth))
    return read.parse_row(texts[-1]) == told.model_copy(update={"template": None})


def measure(name: str, limit: int | None = None) -> Count:
    """All rows of a set in all wordings."""
    started = time.monotonic()
    library, count = Library(), Count(name)
    rows: list[Labelled] = []
    for each in rows_of(name, limit):
        count.rows += 1
        if isinstance(each, Unfit):
            count.unfit[each.cls] += 1
        else:
            rows.append(each)
    settings = _settings(rows)
    for each in rows:
        pairs = count.pairs
        for wording in library.of_task(each.example.task):
            if wording.shape != each.example.shape or not wording.covers(each.fields):
                continue
            try:
                right = exact(each, wording, settings[each.key], library)
            except Unfit as error:
                count.unfit[error.cls] += 1
                continue
            count.pairs += 1
            count.exact += right
            if not right and len(count.wrong) < SHOWN:
                count.wrong.append(f"{wording.name} row {each.id}")
        count.told += count.pairs > pairs
    count.seconds = time.monotonic() - started
    return count


def _settings(rows: list[Labelled]) -> dict[SetKey, Setting]:
    """All labels of each set, each defined by itself, so that wordings with definitions take part."""
    labels: dict[SetKey, set[str]] = {}
    for each in rows:
        labels.setdefault(each.key, set()).update(SHAPES[each.example.shape].names(each.example.truth))
    return {
        key: Setting(Listing(tuple(sorted(names)), Names({}, {name: name for name in names})), empty=True)
        for key, names in labels.items()
    }


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--set", choices=list(SETS), help="this set alone; nothing is recorded")
    parser.add_argument("--rows", type=int, help="so many rows of a set; nothing is recorded")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    if not DATA.is_dir():
        raise SystemExit("../shared/data is not here")
    names = [options.set] if options.set else list(SETS)
    counts: list[Count] = []
    with ProcessPoolExecutor(options.workers) as pool:
        for each in pool.map(measure, names, [options.rows] * len(names)):
            counts.append(each)
            unfit = ", ".join(f"{cls} {number}" for cls, number in each.unfit.items()) or "-"
            print(
                f"{each.name:20} {each.told:>6} of {each.rows:>6} rows,"
                f" {each.exact:>7} of {each.pairs:>7} pairs exact,"
                f" unfit: {unfit}, {each.seconds:.0f} s {'; '.join(each.wrong)}",
                flush=True,
            )
    if not options.set and not options.rows:
        print(f"-> {record('sources', [line([each for each in counts if each.rows])])}")


def line(counts: list[Count]) -> dict[str, Any]:
    """The row of the results."""
    untold = sum(each.rows - each.told for each in counts)
    pairs = sum(each.pairs for each in counts) + untold
    right = sum(each.exact for each in counts)
    unfit: Counter[str] = sum((each.unfit for each in counts), Counter())
    left = ", ".join(f"{cls} {number:,}" for cls, number in unfit.items()) or "none"
    return row(
        "sources.3", "labelled rows in every wording of their task, read back exactly", right / pairs,
        1.0, "higher", n=pairs, unit="share",
        beside={each.name: round(each.exact / max(1, each.pairs), 6) for each in counts},
        data=f"{sum(each.rows for each in counts):,} rows of {len(counts)} sets in ../shared/data",
        note=f"n counts pairs (row, wording); rows that no wording tells: {untold}; pairs left out: {left}; a"
        " reply tells the best answer, entities without tokens and tags, facts and slots without more",
    )  # fmt: skip


if __name__ == "__main__":
    main()
