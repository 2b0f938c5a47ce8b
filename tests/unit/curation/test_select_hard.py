"""Select on hard tables: copies, one label, empty texts, an encoder that fails, quotas, no measure."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Sequence

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray
from pydantic import ValidationError

from tests.unit.curation.frames import CONTEXT, pairs
from zhiling.curation.select import Select
from zhiling.curation.selection import cells, vectors
from zhiling.encoders.hashing import HashingEncoder
from zhiling.errors import UsageError, ZhilingError
from zhiling.pipeline.apply import apply
from zhiling.pipeline.step import Context

ENCODER = HashingEncoder(buckets=256)
COVER = dataclasses.replace(CONTEXT, load_encoder=lambda: ENCODER)
SEEING = ["coverage", "quality_coverage", "k_centre", "tags", "targeted"]


class Picky:
    """An encoder that cannot take some texts."""

    identity = "picky"

    def __init__(self, *refused: str) -> None:
        self.refused = refused

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors, or an error where a refused text is among them."""
        if any(text in self.refused for text in texts):
            raise ZhilingError(f"a batch of {len(texts)} texts cannot be encoded")
        return ENCODER.encode(texts)


@pytest.fixture
def cover(tmp_path_factory: pytest.TempPathFactory) -> Context:
    folder = tmp_path_factory.mktemp("recipe")
    (folder / "wanted.jsonl").write_text('{"text": "where is it"}\n{"text": "发票"}\n', encoding="utf-8")
    return dataclasses.replace(COVER, root=folder)


def step(size: int, method: str, **settings: object) -> Select:
    needs = {"quality": "judge.score"} if method == "quality_coverage" else {}
    needs |= {"targets": "wanted.jsonl"} if method == "targeted" else {}
    return Select.model_validate({"size": size, "method": method, **needs, **settings})


def rows_of(texts: Sequence[str]) -> pl.DataFrame:
    rows = pairs(*((text, "ok") for text in texts))
    ids = [f"{random.Random(number).random():.12f}" for number in range(len(texts))]
    return rows.with_columns(pl.Series("id", ids), pl.Series("judge.score", np.arange(len(texts)) % 7 / 7))


@pytest.mark.parametrize("method", SEEING)
def test_ten_thousand_copies_weigh_as_one_text(method: str, cover: Context) -> None:
    others = [f"how do I reset lock {number}" for number in range(5)] + [
        f"怎么开发票 {number}" for number in range(5)
    ]
    rows = rows_of(["where is my parcel"] * 10_000 + others)
    answer = step(11, method).decide(rows, cover)
    kept = rows.with_columns(answer).filter(pl.col("verdict") == "keep")
    texts = [messages[0]["text"] for messages in kept["messages"]]
    assert sorted(texts) == sorted(["where is my parcel", *others])
    assert dict(zip(texts, kept["represents"], strict=True))["where is my parcel"] == 10_000
    speaker = kept.filter(pl.col("represents") == 10_000)
    best = rows[:10_000].filter(pl.col("judge.score") == pl.col("judge.score").max())
    first = best["id"].min() if method == "quality_coverage" else rows[:10_000]["id"].min()
    assert speaker["id"].item() == first


@pytest.mark.parametrize("method", SEEING)
def test_copies_fill_up_what_texts_cannot_give(method: str, cover: Context) -> None:
    rows = rows_of(["where is it"] * 6 + ["怎么开发票"])
    answer = step(5, method).decide(rows, cover)
    assert (answer["verdict"] == "keep").sum() == 5
    assert answer["represents"].sum() == 7
    assert set(answer["related"].drop_nulls()) <= set(rows.filter(answer["verdict"] == "keep")["id"]) | {
        "wanted.jsonl#1", "wanted.jsonl#2",
    }  # fmt: skip


@pytest.mark.parametrize("method", SEEING)
def test_only_empty_texts_and_one_label_are_no_obstacle(method: str, cover: Context) -> None:
    rows = rows_of([""] * 4).with_columns(target=pl.lit('{"labels":["x"]}'))
    answer = step(3, method, balance=["label"]).decide(rows, cover)
    assert (answer["verdict"] == "keep").sum() == 3
    assert answer["represents"].sum() == 4


def test_a_text_that_the_encoder_cannot_take_fails_alone() -> None:
    rows = rows_of(["where is it", "bad", "reset it", "bad", "坏", "门锁"])
    context = dataclasses.replace(COVER, load_encoder=lambda: Picky("bad", "坏"))
    answer = step(2, "coverage").decide(rows, context)
    assert answer["failure"].to_list() == [None, "unencodable", None, "unencodable", "unencodable", None]
    assert (answer.filter(pl.col("failure").is_null())["verdict"] == "keep").sum() == 2
    fine = [0, 2, 5]
    alone = step(2, "coverage").decide(rows[fine], COVER)
    assert answer[fine].select(alone.columns).equals(alone)


def test_an_encoder_that_takes_hardly_anything_is_an_error() -> None:
    texts = [f"text {number}" for number in range(20)]
    context = dataclasses.replace(COVER, load_encoder=lambda: Picky(*texts[:12]))
    with pytest.raises(ZhilingError, match="a batch of 1 texts cannot be encoded"):
        step(2, "coverage").decide(rows_of(texts), context)


def test_a_row_without_a_quality_fails_as_unmeasured() -> None:
    rows = rows_of(["where is it", "reset it", "门锁"]).with_columns(
        pl.Series("judge.score", [0.5, float("nan"), None]), pl.lit(value=True).alias("seen:judge")
    )
    rows = rows.with_columns(pl.int_range(3, dtype=pl.UInt32).alias("n"), key=pl.lit(0, dtype=pl.UInt64))
    outcome = apply(step(2, "quality_coverage"), rows, COVER)
    found = outcome.ledger.sort("n").select("verdict", "reason").rows()
    assert found == [("keep", None), ("failed", "unmeasured"), ("failed", "unmeasured")]


def test_rows_of_low_quality_stand_aside_but_the_best_of_a_label_does_not() -> None:
    texts = ["where is it", "where is that", "reset it", "reset the lock", "门锁", "发票"]
    rows = rows_of(texts).with_columns(
        pl.Series("labels.score", [0.9, -0.2, -0.5, -0.1, 0.4, -0.9]),
        target=pl.Series([f'{{"labels":["{label}"]}}' for label in "aabbcd"]),
    )
    select = Select(size=4, balance=("label",), quality="labels.score", least_quality=0, spared=1)
    assert "labels.score" in select.reads()
    answer = select.decide(rows, COVER)
    low = [None, "low_quality", "low_quality", None, None, None]
    assert answer["reason"].to_list() == low
    assert answer["score"].to_list()[1:3] == [-0.2, -0.5]
    assert answer["represents"].sum() == 4
    short = select.model_copy(update={"size": 9}).decide(rows, COVER)
    assert short["reason"].to_list() == low
    two = select.model_copy(update={"spared": 2}).decide(rows, COVER)
    assert (two["verdict"] == "keep").sum() == 4
    assert set(two["reason"].drop_nulls()) == {"not_selected"}
    order = [3, 5, 1, 0, 2, 4]
    assert select.decide(rows[order], COVER).equals(answer[order])


@pytest.mark.parametrize("given", [{}, {"quality": "q.score", "method": "random"}])
def test_a_least_quality_needs_a_quality_and_vectors(given: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match="`least_quality` needs `quality`"):
        Select.model_validate({"size": 1, "least_quality": 0.5, **given})


def shares_of(rows: pl.DataFrame, *names: str, size: int, **settings: object) -> dict[tuple[str, ...], int]:
    answer = step(size, "coverage", balance=names, **settings).decide(rows, COVER)
    kept = rows.filter(answer["verdict"] == "keep").group_by(names).len().rows()
    return {tuple(values): count for *values, count in kept}


SHARED = rows_of([f"text {number}" for number in range(20)]).with_columns(
    language=pl.Series(["zh"] * 2 + ["en"] * 18), task=pl.Series(["a", "b"] * 10)
)


def test_quotas_larger_than_a_pool_go_to_the_others_and_all_rows_are_the_limit() -> None:
    assert shares_of(SHARED, "language", size=3) == {("zh",): 1, ("en",): 2}
    assert shares_of(SHARED, "language", size=12) == {("zh",): 2, ("en",): 10}
    assert shares_of(SHARED, "language", size=50) == {("zh",): 2, ("en",): 18}
    assert sorted(shares_of(SHARED, "language", "task", size=7).values()) == [1, 1, 2, 3]


def test_weights_share_the_size_out_exactly() -> None:
    thirds = {"zh": 1, "en": 2}
    assert shares_of(SHARED, "language", size=5, shares=thirds) == {("zh",): 2, ("en",): 3}
    assert shares_of(SHARED, "language", size=20, shares=thirds) == {("zh",): 2, ("en",): 18}
    assert shares_of(SHARED, "language", size=5, shares={"zh": 0, "*": 1}) == {("en",): 5}
    both = shares_of(SHARED, "language", "task", size=9, shares={"en/a": 2, "en/b": 1, "*": 0})
    assert both == {("en", "a"): 6, ("en", "b"): 3}


@pytest.mark.parametrize(
    ("shares", "message"),
    [({"zn": 1, "*": 1}, "a weight for 'zn', which has no row here"), ({"zh": 1}, "no weight for 'en'")],
)
def test_weights_that_fit_no_row_are_told(shares: dict[str, float], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        shares_of(SHARED, "language", size=5, shares=shares)


@pytest.mark.parametrize("shares", [{"zh": -1}, {"zh": float("nan")}, {"zh": 0}])
def test_weights_that_mean_nothing_are_refused(shares: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        Select(size=1, balance=("language",), shares=shares)
    with pytest.raises(ValidationError, match="`shares` needs `balance`"):
        Select(size=1, shares={"zh": 1})


@pytest.mark.parametrize("method", SEEING)
def test_a_large_table_is_chosen_from_alike_in_any_order(
    method: str, cover: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond the exact size: cells, half precision, projection, crowded cells."""
    for module in (cells, vectors):
        monkeypatch.setattr(module, "EXACT_ROWS", 200)
    monkeypatch.setattr(cells, "MOST_AMONG", 64)
    monkeypatch.setattr(vectors, "WIDEST", 100)
    verbs = ("open", "reset", "sell", "clean", "打开", "重置")
    rows = rows_of([f"how do I {verb} the lock {number}" for verb in verbs for number in range(50)])
    answer = step(12, method).decide(rows, cover)
    assert (answer["verdict"] == "keep").sum() == 12
    assert answer["represents"].sum() == 300
    order = np.random.default_rng(1).permutation(300)
    assert step(12, method).decide(rows[order], cover).equals(answer[order])
    if method == "coverage":
        kept = [messages[0]["text"] for messages in rows.filter(answer["verdict"] == "keep")["messages"]]
        assert {text.split()[3] for text in kept} == set(verbs)
