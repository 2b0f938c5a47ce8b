"""Intents: clusters without labels, names by terms, the list that a person edits, in English and Chinese."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import permutations
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from tests.unit.curation.frames import pairs
from zhiling.encoders.hashing import HashingEncoder
from zhiling.errors import UsageError
from zhiling.pipeline.step import Context
from zhiling.synthesis.intent_graph import clustered, unit_rows
from zhiling.synthesis.intent_list import Entry, read_list, write_list
from zhiling.synthesis.intent_terms import cluster_terms
from zhiling.synthesis.intents import Intents

pytest.importorskip("sklearn")

WISHES = {
    "parcel": ("parcel", "delivery", "courier", "tracking", "shipped", "arrive"),
    "refund": ("refund", "money", "account", "bank", "returned", "amount"),
    "包裹": ("包裹", "快递", "物流", "发货", "签收", "派送"),
    "退款": ("退款", "到账", "银行卡", "金额", "退回", "账户"),
}
ROWS = [(wish, " ".join(words)) for wish, told in WISHES.items() for words in permutations(told, 3)][::4]
CONTEXT = Context(step_id="i", load_encoder=HashingEncoder)
FRAME = pairs(*((text, None) for _, text in ROWS))


def told(folder: Path, rows: pl.DataFrame = FRAME, **fields: Any) -> pl.DataFrame:
    step, context = Intents(**fields), replace(CONTEXT, root=folder)
    state = folder / f"state{len(list(folder.iterdir()))}"
    state.mkdir()
    step.fit(rows, context, state)
    return step.measure(rows, replace(context, state=state))


def purity(found: list[str | None]) -> float:
    """Share of rows whose wish is the most frequent one of their intent."""
    truth = np.array([wish for wish, _ in ROWS])
    names = np.array([name or "" for name in found])
    best = [np.unique(truth[names == name], return_counts=True)[1].max() for name in set(names)]
    return sum(best) / len(truth)


def test_wishes_come_apart_and_are_named_by_their_terms(tmp_path: Path) -> None:
    answer = told(tmp_path, clusters=4)
    assert answer["intent"].n_unique() == 4
    assert purity(answer["intent"].to_list()) > 0.95
    names = " ".join(answer["intent"].unique())
    assert all(wish in names for wish in WISHES)
    assert answer["score"].is_between(0.5, 1).all()


def test_the_number_of_intents_is_estimated(tmp_path: Path) -> None:
    answer = told(tmp_path)
    assert 3 <= answer["intent"].n_unique() <= 16
    assert purity(answer["intent"].to_list()) > 0.95


def edit(folder: Path, change: Callable[[list[dict[str, Any]]], Any]) -> Path:
    """The list of the first run, changed."""
    told(folder, clusters=4)
    yaml = YAML(typ="safe", pure=True)
    file = folder / "mine.yaml"
    entries = yaml.load(next(folder.glob("state*/intents.yaml")).read_text(encoding="utf-8"))
    change(entries)
    with file.open("w", encoding="utf-8") as stream:
        yaml.dump(entries, stream)
    return file


def test_a_person_renames_merges_splits_and_drops(tmp_path: Path) -> None:
    found = told(tmp_path, clusters=4)
    of = {wish: name for (wish, _), name in zip(ROWS, found["intent"], strict=True)}

    def change(entries: list[dict[str, Any]]) -> None:
        by_name = {entry["intent"]: entry for entry in entries}
        by_name[of["parcel"]].update(action="rename", name="delivery 物流")
        by_name[of["包裹"]].update(action="merge", into="delivery 物流")
        by_name[of["refund"]].update(action="split", parts=2)
        by_name[of["退款"]].update(action="drop")

    edit(tmp_path, change)
    names = told(tmp_path, clusters=4, list_file="mine.yaml")["intent"].to_list()
    by_wish: dict[str, set[str | None]] = {}
    for (wish, _), name in zip(ROWS, names, strict=True):
        by_wish.setdefault(wish, set()).add(name)
    assert by_wish["parcel"] == by_wish["包裹"] == {"delivery 物流"}
    assert by_wish["退款"] == {None}
    assert len(by_wish["refund"]) == 2
    assert all(name and name.startswith(f"{of['refund']}: ") for name in by_wish["refund"])


def test_an_unchanged_list_changes_nothing_and_is_found_again_with_new_rows(tmp_path: Path) -> None:
    first = told(tmp_path, clusters=4)
    edit(tmp_path, lambda entries: None)
    assert told(tmp_path, clusters=4, list_file="mine.yaml").equals(first)
    new = pairs(("where is the parcel drone", None), ("包裹无人机在哪里", None), ids=["n0", "n1"])
    more = pl.concat([FRAME, new])
    again = told(tmp_path, more, clusters=4, list_file="mine.yaml")
    assert again["intent"].to_list()[: len(ROWS)] == first["intent"].to_list()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda entries: entries[0].update(action="rename"), "`name` goes with action"),
        (lambda entries: entries[0].update(action="vanish"), "action Input should be 'keep'"),
        (lambda entries: entries[0].update(action="merge", into="nowhere"), "no entry that stays whole"),
        (
            lambda entries: entries[0].update(action="rename", name=entries[1]["intent"]),
            "stands for one",
        ),
        (lambda entries: entries[0].update(texts=entries[1]["texts"]), "lie in one cluster now"),
        (lambda entries: entries[0].pop("texts"), "texts Field required"),
    ],
)
def test_a_list_that_makes_no_sense_is_refused(change: Any, message: str, tmp_path: Path) -> None:
    edit(tmp_path, change)
    with pytest.raises(UsageError, match=message):
        told(tmp_path, clusters=4, list_file="mine.yaml")


def test_a_file_that_is_no_list_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    for content, message in (("a: 1", "got dict"), ("a: [", "no YAML"), ("", "got NoneType")):
        file.write_text(content, encoding="utf-8")
        with pytest.raises(UsageError, match=message):
            read_list(file)
    with pytest.raises(UsageError, match="no such list"):
        read_list(tmp_path / "missing.yaml")


def test_empty_texts_have_no_intent(tmp_path: Path) -> None:
    rows = pl.concat([FRAME, pairs(("", None), ("  ", None), ids=["e0", "e1"])])
    answer = told(tmp_path, rows, clusters=4)
    assert answer["intent"].to_list()[-2:] == [None, None]
    assert answer["score"].to_list()[-2:] == [0, 0]
    assert told(tmp_path, rows[-2:])["intent"].to_list() == [None, None]


LINES = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=8)
ENTRIES = st.builds(Entry, intent=LINES, texts=st.lists(LINES, min_size=1, max_size=3))


@given(st.lists(ENTRIES, max_size=5, unique_by=lambda entry: entry.intent))
@settings(max_examples=30)
def test_a_list_is_read_as_it_was_written(entries: list[Entry]) -> None:
    with TemporaryDirectory() as folder:
        file = Path(folder) / "intents.yaml"
        write_list(entries, file)
        assert read_list(file) == entries


@given(st.integers(0, 30), st.integers(1, 4), st.integers(0, 9))
@settings(max_examples=40, deadline=None)
def test_every_row_is_in_one_cluster_and_larger_ones_come_first(rows: int, kinds: int, seed: int) -> None:
    draws = np.random.default_rng(seed)
    vectors = unit_rows(draws.normal(size=(kinds, 5))[draws.integers(0, kinds, rows)])
    labels = clustered(vectors, seed)
    sizes = np.bincount(labels) if rows else np.array([])
    assert len(labels) == rows
    assert (sizes > 0).all()
    assert (np.diff(sizes) <= 0).all()


def test_terms_tell_a_cluster_from_the_others() -> None:
    english = ["reset the lock now", "please reset my lock", "pay the bill", "the bill is wrong"]
    terms = cluster_terms([*english, "重置门锁", "门锁要重置", "开发票"], [0, 0, 1, 1, 2, 2, 3])
    assert {"reset", "lock"} <= set(" ".join(terms[0]).split())
    assert "bill" in terms[1]
    assert {"重置", "门锁"} & set(terms[2])
    assert terms[3] == ["开发票"]
    assert cluster_terms(["on March 7th", "3月7日"], [0, 1]) == {0: [], 1: []}
