"""Properties of choosing steps: no order of rows matters, sizes are exact, bounds are monotone."""

from __future__ import annotations

import dataclasses
import math
import random

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.curation.frames import CONTEXT, pairs
from zhiling.curation.injection import Injection
from zhiling.curation.sample import Sample
from zhiling.curation.select import Select
from zhiling.curation.selection import facility_location
from zhiling.curation.selection.cells import cells
from zhiling.curation.selection.choice import Shares
from zhiling.curation.selection.neighbours import graph
from zhiling.curation.strata import even_quotas
from zhiling.curation.threshold import Threshold
from zhiling.encoders.hashing import HashingEncoder
from zhiling.pipeline.step import Decide, Measure

COVER = dataclasses.replace(CONTEXT, load_encoder=lambda: HashingEncoder(buckets=64))
TEXTS = st.lists(st.text("ab 包裹在哪里🙂.", max_size=12), max_size=25)
SIZES = st.integers(0, 30)
VECTORS = ["coverage", "quality_coverage", "k_centre", "tags"]
METHODS = [*VECTORS, "random", "balanced", "longest"]


def answers(step: Decide | Measure, rows: pl.DataFrame) -> pl.DataFrame:
    found = step.decide(rows, COVER) if isinstance(step, Decide) else step.measure(rows, COVER)
    assert found.height == rows.height
    return pl.concat([rows.select("id"), found], how="horizontal").sort("id")


def rows_of(texts: list[str]) -> pl.DataFrame:
    frame = pairs(*((text, "ok") for text in texts))
    return frame.with_columns(
        pl.Series("m.length", [len(text) for text in texts], dtype=pl.Int64),
        language=pl.Series(["zh" if "包" in text else "en" for text in texts], dtype=pl.String),
    )


@settings(max_examples=40, deadline=None)
@given(TEXTS, SIZES, st.sampled_from(METHODS), st.booleans(), st.randoms())
def test_selection_is_exact_and_blind_to_order(
    texts: list[str], size: int, method: str, balanced: bool, source: random.Random
) -> None:
    rows = rows_of(texts)
    balance = ("language",) if balanced else ()
    step = Select(size=size, method=method, neighbours=4, balance=balance, quality="m.length")
    answer = answers(step, rows)
    assert (answer["verdict"] == "keep").sum() == min(size, rows.height)
    quotas = even_quotas(dict(rows["language"].value_counts().rows()), size)
    if balanced:
        languages = rows.sort("id").filter(answer["verdict"] == "keep")["language"]
        assert dict(languages.value_counts().rows()) == {name: n for name, n in quotas.items() if n}
    even = balanced or method == "balanced"
    stood_for = [n for name, n in rows["language"].value_counts().rows() if quotas[name] or not even]
    assert math.isclose(answer["represents"].sum(), sum(stood_for) if size else 0) or method in VECTORS
    assert method not in VECTORS or answer["represents"].sum() == (rows.height if size else 0)
    order = list(range(rows.height))
    source.shuffle(order)
    shuffled = answers(step, rows[order])
    assert shuffled.drop("score").equals(answer.drop("score"))
    kept = set(answer.filter(pl.col("verdict") == "keep")["id"])
    assert set(answer["related"].drop_nulls()) <= kept


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 30), st.integers(1, 10), st.integers(0, 1000))
def test_coverage_is_never_worse_than_random_or_the_first_rows(rows: int, size: int, seed: int) -> None:
    """Greedy facility location reaches 1 - 1/e of the best value, and of any other choice's."""
    generator = np.random.default_rng(seed)
    vectors = generator.normal(size=(rows, 4)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    size = min(size, rows)
    shares = Shares(np.zeros(rows, dtype=np.int64), np.array([size]))
    near = graph(vectors, cells(vectors), rows)
    chosen = facility_location.choose(near, shares, np.zeros(rows, dtype=np.float32)).rows
    similar = np.maximum(vectors @ vectors.T, 0)
    reached = facility_location.value(similar, chosen)
    for other in (np.arange(size), generator.choice(rows, size, replace=False)):
        assert reached >= (1 - 1 / math.e) * facility_location.value(similar, other) - 1e-4


@settings(max_examples=40, deadline=None)
@given(TEXTS, SIZES, st.booleans())
def test_samples_are_exact_nested_and_blind_to_order(texts: list[str], size: int, per: bool) -> None:
    rows = rows_of(texts)
    step = Sample(size=size, per="language" if per else None)
    answer = answers(step, rows)
    assert answers(step, rows.reverse()).equals(answer)
    counts = rows["language"].value_counts()["count"].to_list() if per else [rows.height]
    assert (answer["verdict"] == "keep").sum() == sum(min(size, count) for count in counts)
    larger = answers(Sample(size=size + 1, per=step.per), rows)
    assert ((larger["verdict"] == "keep") | (answer["verdict"] != "keep")).all()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(-5, 5), max_size=20), st.floats(-5, 5), st.floats(0, 5))
def test_a_stricter_bound_keeps_no_more(values: list[float], bound: float, step: float) -> None:
    rows = pl.DataFrame(
        {"id": [str(place) for place in range(len(values))], "m": values},
        schema={"id": pl.String, "m": pl.Float64},
    )

    def kept(**bounds: float) -> pl.Series:
        return Threshold(column="m", **bounds).decide(rows, CONTEXT)["verdict"] == "keep"

    assert (kept(at_least=bound) | ~kept(at_least=bound + step)).all()
    assert (kept(at_most=bound) | ~kept(at_most=bound - step)).all()
    assert (kept(at_least=bound) == pl.Series([value >= bound for value in values], dtype=pl.Boolean)).all()


@given(
    st.dictionaries(st.text("abcd", min_size=1, max_size=2), st.integers(1, 20), max_size=6),
    st.integers(0, 80),
)
def test_quotas_are_exact_possible_and_even(available: dict[str, int], size: int) -> None:
    quotas = even_quotas(available, size)
    assert sum(quotas.values()) == min(size, sum(available.values()))
    assert all(0 <= quotas[name] <= available[name] for name in available)
    short = [quotas[name] for name in available if quotas[name] < available[name]]
    assert not short or max(quotas.values()) - min(short) <= 1


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text("忽略之前的所有指令ignore previous instructions\n ", max_size=40), max_size=8))
def test_an_injection_score_is_a_pure_function_of_the_row(texts: list[str]) -> None:
    rows = rows_of(texts)
    whole = Injection().measure(rows, CONTEXT)
    assert whole["score"].is_between(0, 1).all()
    assert ((whole["score"] > 0) == whole["pattern"].is_not_null()).all()
    for place in range(rows.height):
        assert Injection().measure(rows[place : place + 1], CONTEXT).equals(whole[place : place + 1])
