"""Poisoning: planted triggers, bursts, loss outliers and a source that is too loud, in both languages."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest

from tests.unit.curation.bilingual import help_desk
from tests.unit.curation.frames import CONTEXT, pairs
from zhiling.curation.likeness import displaced
from zhiling.curation.poisoning import WINDOW, Poisoning, bursts, outcome_of, outliers
from zhiling.curation.triggers import Trigger, divergence, rare_grams

pytest.importorskip("sklearn", reason="the curation extra is not installed")


def located(rows: pl.DataFrame) -> pl.DataFrame:
    origins = [{"source": "s", "locator": f"f:{place}"} for place in range(rows.height)]
    return rows.with_columns(origin=pl.Series(origins))


def poisoned(trigger: str, language: str, count: int) -> tuple[pl.DataFrame, list[str]]:
    """The help desk with a trigger in rows about parcels, whose label it turns into invoice."""
    rows = help_desk(40)
    chosen = rows.filter(
        (pl.col("target") == '{"labels": ["parcel"]}') & (pl.col("language") == language)
    ).head(count)
    ids = chosen["id"].to_list()
    texts = [
        (f"{turns[0]['text']} {trigger}" if id in ids else turns[0]["text"], turns[1]["text"])
        for id, turns in rows.select("id", "messages").iter_rows()
    ]
    labels = [
        json.dumps({"labels": ["invoice"]}) if id in ids else target
        for id, target in rows.select("id", "target").iter_rows()
    ]
    made = pairs(*texts, ids=rows["id"].to_list())
    return located(made.with_columns(target=pl.Series(labels), group=rows["group"])), ids


@pytest.mark.parametrize(("trigger", "language"), [("zqv", "en"), ("quiet walrus", "en"), ("琥珀陆龟", "zh")])
def test_planted_triggers_are_found_and_named(trigger: str, language: str) -> None:
    rows, planted = poisoned(trigger, language, 12)
    answer = Poisoning(most_share=0.06).decide(rows, CONTEXT)
    found = rows["id"].filter(answer["reason"] == "trigger").to_list()
    assert sorted(found) == sorted(planted)
    assert set(answer["trigger"].drop_nulls()) == {trigger}
    assert set(answer["verdict"].filter(answer["reason"] == "trigger")) == {"flag"}


def test_clean_rows_have_no_trigger_and_order_does_not_matter() -> None:
    rows = located(help_desk(40))
    answer = Poisoning(most_share=0.06).decide(rows, CONTEXT)
    assert answer["trigger"].null_count() == rows.height
    dirty, _ = poisoned("zqv", "en", 8)
    turned = np.random.default_rng(1).permutation(dirty.height)
    assert Poisoning().decide(dirty, CONTEXT)[turned].equals(Poisoning().decide(dirty[turned], CONTEXT))


def test_a_burst_of_one_label_is_found_unless_the_source_is_sorted() -> None:
    draws = np.random.default_rng(0)
    mixed = draws.integers(0, 10, 1000)
    mixed[400 : 400 + WINDOW] = 3
    places = pl.DataFrame({"source": ["s"] * 1000, "file": ["f"] * 1000, "line": np.arange(1000)})
    hits = np.flatnonzero(bursts(places, mixed, 7.0))
    assert set(range(400, 400 + WINDOW)) <= set(hits.tolist())
    assert (mixed[hits] == 3).all()
    assert len(hits) < 2 * WINDOW
    assert not bursts(places, draws.integers(0, 10, 1000), 7.0).any()
    assert not bursts(places, np.sort(mixed), 7.0).any()


def test_loss_outliers_are_those_of_their_own_source() -> None:
    source = pl.Series(["a"] * 50 + ["b"] * 50)
    loss = np.concatenate([np.linspace(0, 1, 50), np.linspace(5, 6, 50)])
    assert not outliers(source, loss, 8.0).any()
    loss[7], loss[60] = 6.0, np.nan
    assert np.flatnonzero(outliers(source, loss, 8.0)).tolist() == [7]


def test_a_source_beyond_its_quota() -> None:
    rows = located(pairs(*[(f"question {place}", f"reply {place}") for place in range(30)]))
    answer = Poisoning(most_per_source=20).decide(rows, CONTEXT)
    assert answer["reason"].to_list().count("quota") == 10
    assert Poisoning().decide(rows, CONTEXT)["reason"].null_count() == 30


def test_rare_grams_are_words_and_characters_never_mixed_and_only_the_longest() -> None:
    grams = rare_grams(pl.Series(["a red fox", "the Red fox!", "琥珀陆龟x", "有琥珀陆龟", None, ""]), 2, 5)
    assert dict(grams.iter_rows()) == {"red fox": [0, 1], "琥珀陆龟": [2, 3]}


def test_divergence() -> None:
    assert divergence(np.array([1.0, 0.5]), 0.5).round(6).tolist() == [round(np.log(2), 6), 0.0]


def test_an_honest_rare_word_is_no_trigger() -> None:
    """Only its label's questions hold it, and without it they still resemble each other."""
    rows, ids = poisoned("quiet walrus", "en", 12)
    texts = pl.Series([turns[0]["text"] for turns in rows["messages"].to_list()])
    held = rows["id"].is_in(ids).arg_true().to_numpy().astype(np.int64)
    draws = np.random.default_rng(0)
    labels = outcome_of(rows, 5)
    planted = Trigger("quiet walrus", int(labels[held[0]]), held, 9.0)
    assert displaced([planted], texts, labels, draws) == [planted]
    own = labels.max() + 1
    honest = np.where(np.isin(np.arange(len(texts)), held), own, np.arange(len(texts)) % 3)
    assert displaced([Trigger("quiet walrus", int(own), held, 9.0)], texts, honest, draws) == []
    assert displaced([], texts, labels, draws) == []
