"""Chats, pictures and feedback read anything: no input crashes, no line is lost, long chats stay bounded."""

from __future__ import annotations

import json
import tracemalloc
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.property.test_sources import ANYTHING, read_bytes
from tests.unit.sources.reading import read, said, write_jsonl
from zhiling.pipeline.step import Bad, Source
from zhiling.sources import conversations as module
from zhiling.sources.conversations import Conversations
from zhiling.sources.feedback import Feedback
from zhiling.sources.images import Images

READERS: list[tuple[Source, str]] = [
    (Conversations(path="*"), "a.txt"),
    (Conversations(path="*", others="first"), "a.log"),
    (Conversations(path="*", others="first"), "a.json"),
    (Feedback(path="*"), "a.jsonl"),
    (Images(path="*"), "a.jsonl"),
    (Images(path="*"), "a.png"),
]


@pytest.mark.parametrize(("source", "name"), READERS, ids=lambda value: getattr(value, "name", value))
@settings(max_examples=60, deadline=None)
@given(content=ANYTHING)
def test_no_bytes_crash_a_source(source: Source, name: str, content: bytes) -> None:
    rows, bad = read_bytes(source, name, content)
    assert rows.height or bad
    assert rows["locator"].str.starts_with(name).all()
    assert all(each.place.startswith(name) and each.cls and each.message for each in bad)


WORDS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=8)
SPEAKERS = st.sampled_from(["customer", "客服", "agent", "system", "action", "Bob"])
TURN = st.one_of(
    st.tuples(SPEAKERS, WORDS),
    st.fixed_dictionaries({"speaker": SPEAKERS, "text": WORDS}),
    st.fixed_dictionaries({"from": SPEAKERS, "value": st.none() | WORDS}, optional={"time": st.integers()}),
    st.builds("{}: {}".format, SPEAKERS, WORDS),
    st.builds("[10:0{}] <{}> {}".format, st.integers(0, 9), SPEAKERS, WORDS),
    st.just("=== joined"),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | WORDS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=6,
)
LINK = st.lists(st.integers(-1, 5), min_size=1, max_size=3)
RECORD = st.fixed_dictionaries(
    {"turns": st.one_of(st.lists(TURN, max_size=6), st.lists(st.one_of(TURN, JSON), max_size=3), JSON)},
    optional={"id": st.sampled_from(["x", "y", 1]), "links": st.one_of(st.lists(LINK, max_size=4), JSON)},
)


def lines_of(rows: pl.DataFrame, bad: list[Bad]) -> set[int]:
    places = [*rows["locator"].to_list(), *(each.place for each in bad)]
    return {int(place.split(":")[1].split("#")[0]) for place in places}


@settings(max_examples=80, deadline=None)
@given(
    records=st.lists(RECORD, min_size=1, max_size=4),
    others=st.sampled_from(["refuse", "first", "agent", "notice"]),
)
def test_every_conversation_is_rows_or_bad_items(records: list[dict[str, Any]], others: Any) -> None:
    with TemporaryDirectory() as folder:
        file = write_jsonl(Path(folder) / "a.jsonl", records)
        rows, bad = read(Conversations(path="*", others=others), [file], Path(folder))
    assert lines_of(rows, bad) == set(range(1, len(records) + 1))
    assert rows["messages"].list.len().min() != 0
    neighbours = [pair for turns in said(rows) for pair in pairwise(role for role, _ in turns)]
    assert all(one != other or one == "system" for one, other in neighbours)


SAID = st.tuples(st.sampled_from(["customer", "agent", "action"]), WORDS.filter(str.strip))


@settings(max_examples=60, deadline=None)
@given(turns=st.lists(SAID, max_size=9))
def test_every_word_of_a_chat_is_in_a_row(turns: list[tuple[str, str]]) -> None:
    with TemporaryDirectory() as folder:
        file = write_jsonl(Path(folder) / "a.jsonl", [{"id": "x", "turns": turns}])
        rows, bad = read(Conversations(path="*"), [file], Path(folder))
    if all(who != "customer" for who, _ in turns):
        assert len(bad) == 1
        return
    extras = [json.loads(extra or "{}") for extra in rows["extra"]]
    texts = [text for row in said(rows) for _, text in row]
    texts += [text for extra in extras for text in extra.get("before", ())]
    noted = [text for extra in extras for text in extra.get("notices", ())]
    assert {line for text in texts for line in text.split("\n")} == {t for who, t in turns if who != "action"}
    assert noted == [text for who, text in turns if who == "action"]
    assert bad == []


def test_a_long_chat_comes_in_bounded_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each row repeats what came before: 12,000 rows of 200 turns are 2.4 million messages, never at once."""
    monkeypatch.setattr(module, "BATCH_MESSAGES", 40_000)
    file = tmp_path / "a.txt"
    file.write_text("".join(f"客户: 问题 {n}\n客服: answer {n}\n" for n in range(12_000)), encoding="utf-8")
    source = Conversations(path="*", context=199)
    tracemalloc.start()
    try:
        sizes = [int(batch.rows["messages"].list.len().sum()) for batch in source.read([file], tmp_path)]
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert sum(sizes) > 2_000_000
    assert max(sizes) <= 2 * 40_000 + 200
    assert peak < 120_000_000, "Python's part: the messages of the file, and one batch"
