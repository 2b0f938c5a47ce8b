"""Augment: variants of labelled sentences, and real sentences in their place, in two languages."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zhiling.encoders.hashing import HashingEncoder
from zhiling.errors import UsageError
from zhiling.pipeline.step import Context
from zhiling.rows.schema import ROW, conform
from zhiling.synthesis.augment import Augment, _changed

SEEDS = [
    ("where is my parcel now", "parcel"),
    ("我的包裹现在在哪里", "parcel"),
    ("how do I reset my password", "password"),
    ("怎么重置我的密码", "password"),
]
LOGS = [
    "where is my parcel please",
    "my parcel where is it",
    "how can I reset my password",
    "reset my password please",
    "我的包裹到哪里了",
    "请问怎么重置密码",
    "the weather is fine today",
    "今天天气不错",
    "where is my parcel now",
]


def frame(seeds: Sequence[tuple[str, str]] = SEEDS, logs: Sequence[str] = LOGS) -> pl.DataFrame:
    labelled = [(text, "classification", json.dumps({"labels": [label]})) for text, label in seeds]
    told = [*labelled, *((text, "utterance", None) for text in logs)]
    rows = [
        {"id": f"{number:032x}", "messages": [{"role": "user", "text": text}], "task": task, "target": truth}
        for number, (text, task, truth) in enumerate(told)
    ]
    own = conform(
        pl.DataFrame(rows, schema={name: ROW[name] for name in ("id", "messages", "task", "target")})
    )
    none = pl.Series("group", [None] * len(rows), dtype=pl.String)
    return own.with_columns(none, pl.Series("source", ["s"] * len(rows), dtype=pl.String))


def made(step: Augment, rows: pl.DataFrame, seed: int = 1) -> list[tuple[str, str, list[str]]]:
    context = Context(step_id="a", seed=seed, load_encoder=HashingEncoder)
    found = step.make(rows.filter(step.applies(rows)), context).rows
    texts = [messages[0]["text"] for messages in found["messages"].to_list()]
    labels = [json.loads(truth)["labels"][0] for truth in found["target"].to_list()]
    return list(zip(texts, labels, found["parents"].to_list(), strict=True))


def test_made_sentences_are_replaced_by_real_ones_of_their_label() -> None:
    rows = frame()
    new = made(Augment(least=0.4, per_input=3), rows)
    texts = {text: label for text, label, _ in new}
    assert len(texts) == len(new), "each real sentence is used once"
    assert set(texts) <= set(LOGS) - {"where is my parcel now"}, "a seed's own text is nothing new"
    assert texts["where is my parcel please"] == "parcel"
    assert texts["how can I reset my password"] == "password"
    assert texts["我的包裹到哪里了"] == "parcel"
    assert texts["请问怎么重置密码"] == "password"
    assert not {"the weather is fine today", "今天天气不错"} & set(texts)
    ids = dict(
        zip([each[0]["text"] for each in rows["messages"].to_list()], rows["id"].to_list(), strict=True)
    )
    assert all(parents[1] == ids[text] for text, _, parents in new if text not in dict(SEEDS))


def test_a_sentence_nearer_to_another_label_is_left_alone() -> None:
    seeds = [
        ("reset the password of my card", "password"),
        ("the card is lost", "card"),
        ("lost my card", "card"),
    ]
    new = made(Augment(least=0.2, per_input=5), frame(seeds, ["my card is lost"]))
    assert {label for _, label, _ in new} <= {"card"}


def test_far_sentences_stand_for_none() -> None:
    assert made(Augment(least=0.99), frame()) == []


def test_variants_alone_need_no_logs_and_no_encoder() -> None:
    step = Augment(method="eda", per_input=4, rate=0.3)
    assert not step.uses_encoder()
    rows = frame(logs=())
    new = made(step, rows)
    assert len(new) > len(SEEDS)
    for text, label, parents in new:
        (origin,) = [
            each for each, parent in zip(SEEDS, rows["id"].to_list(), strict=True) if [parent] == parents
        ]
        assert text not in dict(SEEDS)
        assert label == origin[1]
        assert Counter(text.replace(" ", "")) <= Counter(origin[0].replace(" ", "")), "nothing is added"


def test_snapping_without_logs_says_what_is_missing() -> None:
    with pytest.raises(UsageError, match="utterance"):
        made(Augment(), frame(logs=()))


def test_order_changes_nothing_and_the_seed_does() -> None:
    step = Augment(method="eda", per_input=3)
    rows = frame()
    assert sorted(made(step, rows)) == sorted(made(step, rows.reverse()))
    assert sorted(made(step, rows)) != sorted(made(step, rows, seed=2))
    snap = Augment(least=0.4)
    assert sorted(made(snap, rows)) == sorted(made(snap, rows.reverse()))


@given(
    st.lists(st.sampled_from(["ab ", "c ", "中", "文", "d"]), min_size=1, max_size=12),
    st.booleans(),
    st.data(),
)
def test_a_variant_holds_the_words_of_its_sentence(units: list[str], swap: bool, data: st.DataObject) -> None:
    draws = np.array(data.draw(st.lists(st.floats(0, 1), min_size=len(units), max_size=len(units))))
    text = _changed(units, draws, 0.2, swap=swap)
    whole = Counter("".join(units).replace(" ", ""))
    assert Counter(text.replace(" ", "")) <= whole
    if swap:
        assert Counter(text.replace(" ", "")) == whole
