"""The store: addressed by what was really sent, all or nothing, shared by runs, honest about damage."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zhiling.errors import DamagedFile, RunBusy
from zhiling.llm.store import Batch, ResponseStore, Sent, Settled, Slot, Spending, store_key

KEY = store_key("role", "chat/completions", b"{}")
SLOT = Slot(KEY, 0, 0)


@given(
    st.lists(st.tuples(st.text(), st.sampled_from(["completions", "embeddings"]), st.binary()), unique=True)
)
def test_different_requests_have_different_keys(requests: list[tuple[str, str, bytes]]) -> None:
    # A hash of 16 bytes: the identity is itself a hash of fixed length, so parts cannot run into each other.
    requests = [(f"{hash(name):032x}", path, body) for name, path, body in requests]
    assert len({store_key(*request) for request in requests}) == len(set(requests))


def test_a_reply_is_found_by_its_slot_in_any_later_opening(tmp_path: Path) -> None:
    with ResponseStore(tmp_path / "z.sqlite") as store:
        assert store.find([KEY]) == {}
        store.commit(Batch(replies=[(SLOT, b"one"), (Slot(KEY, 1, 0), b"two"), (Slot(KEY, 0, 1), b"again")]))
    with ResponseStore(tmp_path / "z.sqlite") as store:
        assert store.find([KEY, b"other"]) == {
            SLOT: b"one", Slot(KEY, 1, 0): b"two", Slot(KEY, 0, 1): b"again",
        }  # fmt: skip


def test_the_first_stored_reply_stays(tmp_path: Path) -> None:
    with ResponseStore(tmp_path / "z.sqlite") as store:
        store.commit(Batch(replies=[(SLOT, b"one")]))
        store.commit(Batch(replies=[(SLOT, b"another")]))
        assert store.find([KEY]) == {SLOT: b"one"}


def test_many_keys_are_found_at_once(tmp_path: Path) -> None:
    slots = [Slot(store_key("r", "p", str(number).encode()), 0, 0) for number in range(1501)]
    with ResponseStore(tmp_path / "z.sqlite") as store:
        store.commit(Batch(replies=[(slot, str(place).encode()) for place, slot in enumerate(slots)]))
        found = store.find(slot.key for slot in slots)
    assert [found[slot] for slot in slots] == [str(place).encode() for place in range(1501)]


def test_what_was_sent_counts_at_its_most_until_it_is_settled(tmp_path: Path) -> None:
    with ResponseStore(tmp_path / "z.sqlite") as store:
        assert store.spending("r") == Spending()
        store.commit(Batch(sent=[Sent("r", 1, 0, "t", 500, 3, 4), Sent("r", 1, 1, "t", 700, 5, 6)]))
        store.commit(Batch(sent=[Sent("other", 1, 0, "t", 9, 9, 9)]))
        assert store.spending("r") == Spending(2, 1200, 8, 10, 2)
        store.commit(Batch(settled=[Settled("done", 20, 1, 1, 0.5, "r", 1, 0)]))
        spent = store.spending("r")
    assert spent == Spending(2, 720, 6, 7, 1)
    assert spent.tokens == 13


def test_a_batch_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    sent = Sent("r", 1, 0, "t", 1, 1, 1)
    with ResponseStore(tmp_path / "z.sqlite") as store:
        with pytest.raises(sqlite3.IntegrityError):
            store.commit(Batch(sent=[sent, sent], replies=[(SLOT, b"one")]))
        assert store.find([KEY]) == {}
        assert store.spending("r") == Spending()


def test_a_store_that_another_process_keeps_locked_is_an_error_in_words(tmp_path: Path) -> None:
    with ResponseStore(tmp_path / "z.sqlite", wait_s=0.05) as store:
        store.commit(Batch(replies=[(SLOT, b"one")]))
        other = sqlite3.connect(tmp_path / "z.sqlite", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(RunBusy, match="another process"):
            store.commit(Batch(replies=[(Slot(KEY, 1, 0), b"two")]))
        assert store.find([KEY]) == {SLOT: b"one"}  # readers do not wait
        other.close()
        store.commit(Batch(replies=[(Slot(KEY, 1, 0), b"two")]))
        assert len(store.find([KEY])) == 2


def test_a_damaged_store_is_told(tmp_path: Path) -> None:
    (tmp_path / "z.sqlite").write_bytes(b"not a database" * 100)
    with ResponseStore(tmp_path / "z.sqlite") as store, pytest.raises(DamagedFile):
        store.commit(Batch(replies=[(SLOT, b"one")]))
