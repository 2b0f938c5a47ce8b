"""Rows of models.7 in three parts by a fixed rule: entities, topics, opinions, inference, answers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import polars as pl

from benchmarks.models.parts import Parts, bucket
from benchmarks.sources.sets import DATA, sources
from zhiling.workflow.proof.examples import as_rows, examples_of, of_task


def entities() -> Parts:
    """CLUENER, whose test part is not published: sentences by a hash of their text."""
    return hashed(read("cluener2020", 0, "ner"), "text", test=(0, 1), dev=(2,))


def topics() -> Parts:
    """tnews of FewCLUE, in the published parts."""
    return published("tnews", 0)


def opinions() -> Parts:
    """eprstmt of FewCLUE, in the published parts without rows that a later part repeats."""
    return published("eprstmt", 1)


def inference() -> Parts:
    """ocnli of FewCLUE by premise: of the published 160 rows neither we nor a peer learn anything."""
    return hashed(read("fewclue", 2, "classification"), "group", test=(0, 1, 2), dev=(3,))


def answers() -> Parts:
    """Questions of CMRC 2018's trial part by passage."""
    return hashed(read("cmrc2018", 0, "extractive_qa"), "group", test=(0, 1, 2), dev=(3,))


SETS: dict[str, Callable[[], Parts]] = {
    "entities": entities,
    "topics": topics,
    "opinions": opinions,
    "inference": inference,
    "answers": answers,
}


def read(name: str, number: int, task: str) -> pl.DataFrame:
    """The labelled rows of a source of a set's recipe, with its place in the file as `locator`."""
    source = sources(name)[number]
    files = sorted(Path(path) for path in source.paths())
    batches = [batch.rows for batch in source.read(files, DATA)]
    return pl.concat([of_task(as_rows(batch), task) for batch in batches])


def hashed(rows: pl.DataFrame, key: str, *, test: tuple[int, ...], dev: tuple[int, ...]) -> Parts:
    """Rows by the bucket of their key: those of one key stay together."""
    buckets = [bucket(each) for each in rows[key].to_list()]
    part = ["test" if place in test else "dev" if place in dev else "train" for place in buckets]
    return _parts(rows.with_columns(pl.Series("part", part)))


def published(name: str, number: int) -> Parts:
    """Rows in the parts that their file names."""
    lines = pl.read_ndjson(DATA / "fewclue" / f"{name}.jsonl.gz")
    names = {"train_few_all": "train", "dev_few_all": "dev", "test_public": "test"}
    rows = read("fewclue", number, "classification")
    rows = rows.with_columns(lines["split"].replace_strict(names).alias("part"))
    for part, later in (("dev", ("test",)), ("train", ("dev", "test"))):
        known = rows.filter(pl.col("part").is_in(later))["text"]
        rows = rows.filter((pl.col("part") != part) | ~pl.col("text").is_in(known.implode()))
    return _parts(rows)


def _parts(rows: pl.DataFrame) -> Parts:
    return Parts(*(examples_of(rows.filter(pl.col("part") == part)) for part in Parts._fields))
