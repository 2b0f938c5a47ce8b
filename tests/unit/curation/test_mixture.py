"""Mixture: shares by weight or by rows, what cannot be given, repeats, and the tree."""

from __future__ import annotations

import math
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from zhiling.curation.mixing import Weighting, allotted
from zhiling.curation.mixture import TREE, Mixture
from zhiling.errors import UsageError
from zhiling.pipeline.step import Context

CONTEXT = Context("mix", seed=5)
PARTS = {("手册", "qa"): 60, ("手册", "ner"): 20, ("logs", "qa"): 10, ("logs", None): 10}


def rows_of(parts: dict[tuple[str, str | None], int] = PARTS) -> pl.DataFrame:
    keys = [key for key, count in parts.items() for _ in range(count)]
    return pl.DataFrame(
        {
            "id": [f"{number:03}" for number in range(len(keys))],
            "source": [source for source, _ in keys],
            "task": [task for _, task in keys],
        },
        schema={"id": pl.String, "source": pl.String, "task": pl.String},
    )


def drawn(step: Mixture, rows: pl.DataFrame | None = None) -> dict[tuple[str, str | None], int]:
    rows = rows_of() if rows is None else rows
    answer = step.decide(rows, CONTEXT)
    assert ((answer["times"] == 0) == (answer["verdict"] == "reject")).all()
    found = rows.with_columns(answer["times"]).group_by("source", "task").agg(pl.col("times").sum())
    return {(source, task): times for source, task, times in found.iter_rows()}


def test_without_weights_parts_keep_their_proportion() -> None:
    assert drawn(Mixture(size=50)) == {key: count // 2 for key, count in PARTS.items()}


def test_a_high_temperature_makes_shares_even() -> None:
    found = drawn(Mixture(size=40, temperature=1000))
    assert set(found.values()) == {10}
    middle = drawn(Mixture(size=30, temperature=2))
    assert middle["logs", "qa"] == 5  # √20 / (√80 + √20) = 1/3 of 30, halved


def test_a_cap_bounds_what_a_part_counts_as() -> None:
    found = drawn(Mixture(size=40, cap=20))
    assert found["logs", "qa"] + found["logs", None] == 20
    assert found["手册", "qa"] == found["手册", "ner"] == 10


def test_weights_of_sources_and_tasks_hold() -> None:
    step = Mixture(size=20, weights={"手册": 3, "logs": 1}, tasks={"qa": 4, "*": 1})
    assert drawn(step) == {("手册", "qa"): 12, ("手册", "ner"): 3, ("logs", "qa"): 4, ("logs", None): 1}


def test_what_a_part_cannot_give_is_shared_by_the_others() -> None:
    found = drawn(Mixture(size=60, weights={"logs": 9, "*": 1}))
    assert sum(count for (source, _), count in found.items() if source == "logs") == 20
    assert sum(found.values()) == 60
    assert sum(drawn(Mixture(size=999)).values()) == 100


def test_rows_are_repeated_evenly_up_to_the_epochs() -> None:
    step = Mixture(size=90, weights={"logs": 1, "手册": 0}, epochs=2.5)
    rows = rows_of()
    times = rows.with_columns(step.decide(rows, CONTEXT)["times"]).filter(pl.col("source") == "logs")["times"]
    assert times.sum() == 50
    assert set(times) == {2, 3}


def test_a_task_of_weight_zero_gives_nothing() -> None:
    found = drawn(Mixture(size=100, tasks={"qa": 1, "*": 0}))
    assert found == {("手册", "qa"): 60, ("手册", "ner"): 0, ("logs", "qa"): 10, ("logs", None): 0}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"weights": {"log": 1, "*": 1}}, "a weight for source 'log', which has no row here"),
        ({"weights": {"logs": 1}}, "no weight for source '手册', which has rows"),
        ({"tasks": {"qa": 1, "ner": 1}}, "no weight for task '', which has rows"),
    ],
)
def test_names_that_do_not_fit_are_told(settings: dict[str, dict[str, float]], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Mixture(size=5, **settings).decide(rows_of(), CONTEXT)


@pytest.mark.parametrize("weights", [{"a": -1}, {"a": math.nan}, {"a": math.inf}, {"a": 0, "b": 0}])
def test_weights_that_mean_nothing_are_refused(weights: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        Mixture(size=5, weights=weights)


def test_the_tree_tells_shares_and_counts(tmp_path: Path) -> None:
    Mixture(size=50).fit(rows_of(), CONTEXT, tmp_path)
    assert (tmp_path / TREE).read_text(encoding="utf-8").splitlines() == [
        "mixture  100.0% → 50 of 100 rows, 0.50 epochs",
        "├─ logs  20.0% → 10 of 20 rows, 0.50 epochs",
        "│  ├─ (none)  50.0% → 5 of 10 rows, 0.50 epochs",
        "│  └─ qa  50.0% → 5 of 10 rows, 0.50 epochs",
        "└─ 手册  80.0% → 40 of 80 rows, 0.50 epochs",
        "   ├─ ner  25.0% → 10 of 20 rows, 0.50 epochs",
        "   └─ qa  75.0% → 30 of 60 rows, 0.50 epochs",
    ]


def test_a_larger_mixture_holds_the_smaller_one_and_order_is_blind() -> None:
    rows = rows_of()
    small, large = (Mixture(size=size).decide(rows, CONTEXT)["times"] for size in (30, 50))
    assert (large >= small).all()
    assert Mixture(size=30).decide(rows.reverse(), CONTEXT)["times"].equals(small.reverse())
    assert Mixture(size=3).decide(rows.clear(), CONTEXT).height == 0


NAMES = st.sampled_from("abcdef")


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(NAMES, st.tuples(st.floats(0, 50), st.integers(0, 40))), st.integers(0, 120))
def test_allotments_are_exact_within_room_and_fair(parts: dict[str, tuple[float, int]], size: int) -> None:
    rates = {name: rate for name, (rate, _) in parts.items()}
    room = {name: rows for name, (_, rows) in parts.items()}
    found = allotted(rates, room, size)
    assert sum(found.values()) == min(size, sum(rows for rate, rows in parts.values() if rate > 0))
    assert all(0 <= found[name] <= room[name] for name in parts)
    for one in parts:
        for other in parts:
            if rates[one] >= rates[other] and found[one] < room[one]:
                assert found[one] + 1 >= found[other]


def test_the_anchor_of_the_docstring() -> None:
    rates = {"a": 1.0, "b": 1.0, "c": 2.0}
    assert allotted(rates, {"a": 1, "b": 9, "c": 9}, 8) == {"a": 1, "b": 2, "c": 5}
    assert Weighting({}, 2.0, 16).rates({"a": 4, "b": 100}) == {"a": 2, "b": 4}
