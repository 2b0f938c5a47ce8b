"""Which rows are tested on, known and hidden: whole groups, every label, no text on both sides."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zhiling.errors import UsageError
from zhiling.rows.conversation import dialogue
from zhiling.text.normalise import normalise
from zhiling.workflow.adversarial.draw import NO_LABEL, Draw, Rows, Wanted
from zhiling.workflow.adversarial.hold_out import HIDDEN, LIKE_TEST, TEST

Line = tuple[str, str | None, str | None]
KNOWN: list[Line] = [(f"where is parcel {n}", "parcel", None) for n in range(10)]
KNOWN += [(f"我的卡丢了{n}", "卡", None) for n in range(10)]
LINES: list[Line] = [("Where is PARCEL 3", None, None), ("卡不见了", None, None), ("lost parcel", None, None)]


def rows(lines: list[Line], extra: list[str | None] | None = None) -> pl.DataFrame:
    """`(text, label or none, group)` as rows of sources; ids tell the places."""
    labels = [label for _, label, _ in lines]
    return pl.DataFrame(
        {
            "id": pl.Series([f"r{place:03d}" for place in range(len(lines))], dtype=pl.String),
            "messages": dialogue({"user": pl.Series([text for text, _, _ in lines], dtype=pl.String)}),
            "task": pl.Series(
                ["utterance" if label is None else "classification" for label in labels], dtype=pl.String
            ),
            "target": pl.Series(
                [None if label is None else json.dumps({"labels": [label]}) for label in labels],
                dtype=pl.String,
            ),
            "group": pl.Series([group for _, _, group in lines], dtype=pl.String),
            "extra": pl.Series(extra or [None] * len(lines), dtype=pl.String),
        }
    )


def known(draw: Draw, frame: pl.DataFrame) -> pl.DataFrame:
    """The labelled rows that are in no part."""
    held = [row for ids in draw.held.values() for row in ids]
    return frame.filter(~pl.col("id").is_in(held) & pl.col("target").is_not_null())


def test_of_every_label_the_same_share_is_tested() -> None:
    draw = Rows(rows(KNOWN + LINES), Wanted(test=0.3)).deal(7)
    assert dict(draw.tested.group_by("label").len().iter_rows()) == {"parcel": 3, "卡": 3}
    assert draw.held[HIDDEN] == []
    assert draw.truth == {}


def test_a_line_that_says_what_a_test_row_says_is_held_out() -> None:
    for seed in range(20):
        draw = Rows(rows(KNOWN + LINES), Wanted(test=0.3)).deal(seed)
        tested = "where is parcel 3" in draw.tested["text"].to_list()
        assert draw.held[LIKE_TEST] == (["r020"] if tested else [])


def test_seeds_deal_anew_and_equal_seeds_alike() -> None:
    table = Rows(rows(KNOWN), Wanted())
    deals = [tuple(sorted(table.deal(seed).held[TEST])) for seed in range(5)]
    assert len(set(deals)) > 1
    assert deals[3] == tuple(sorted(Rows(rows(KNOWN), Wanted()).deal(3).held[TEST]))


def test_beyond_the_shots_labels_are_hidden_and_their_truth_is_kept() -> None:
    frame = rows(KNOWN + LINES)
    draw = Rows(frame, Wanted(shots=2)).deal(1)
    assert known(draw, frame).height == 4
    assert len(draw.held[HIDDEN]) == 20 - 6 - 4
    assert sorted(set(draw.truth.values())) == ["parcel", "卡"]
    assert len(draw.truth) == len(draw.held[HIDDEN])


def test_rows_of_a_file_are_tested_on_and_their_copies_leave(tmp_path: Path) -> None:
    file = tmp_path / "test.jsonl"
    said = [{"text": "WHERE is parcel 5", "label": "parcel"}, {"text": "我的卡丢了8", "label": "卡"}]
    file.write_text("\n".join(map(json.dumps, said)), encoding="utf-8")
    frame = rows(KNOWN + LINES)
    draw = Rows(frame, Wanted(test_file=file)).deal(0)
    assert draw.tested["text"].to_list() == ["WHERE is parcel 5", "我的卡丢了8"]
    assert TEST not in draw.held
    assert draw.held[LIKE_TEST] == ["r005", "r018"]


def test_truth_of_lines_comes_from_a_file_or_a_field(tmp_path: Path) -> None:
    file = tmp_path / "truth.jsonl"
    told = [{"text": "lost  parcel", "label": "parcel"}, {"text": "卡不见了", "label": None}]
    file.write_text("\n".join(map(json.dumps, told)), encoding="utf-8")
    assert Rows(rows(KNOWN + LINES), Wanted(truth=str(file))).deal(0).truth == {
        "lost parcel": "parcel",
        "卡不见了": NO_LABEL,
    }
    extra = [*[None] * 21, '{"intent": "卡"}', None]
    assert Rows(rows(KNOWN + LINES, extra), Wanted(truth="intent")).deal(0).truth == {"卡不见了": "卡"}


def test_a_text_with_two_true_labels_has_none(tmp_path: Path) -> None:
    file = tmp_path / "truth.jsonl"
    told = [{"text": "hello", "label": "a"}, {"text": "Hello", "label": "b"}]
    file.write_text("\n".join(map(json.dumps, told)), encoding="utf-8")
    assert Rows(rows(KNOWN), Wanted(truth=str(file))).deal(0).truth == {}


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([], "0 labelled rows of 0 labels"),
        (KNOWN[:10] + LINES, "10 labelled rows of 1 labels"),
        ([*KNOWN[:2], *KNOWN[10:12]], "2 of a label at most: too few"),
        ([(text, label, str(label)) for text, label, _ in KNOWN], "1 of a label at most: too few"),
    ],
)
def test_too_few_rows_are_refused_with_what_is_needed(lines: list[Line], said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        Rows(rows(lines), Wanted())
    assert caught.value.hint


def test_a_truth_that_names_nothing_is_refused() -> None:
    with pytest.raises(UsageError, match="'intention' is no file"):
        Rows(rows(KNOWN + LINES), Wanted(truth="intention"))


@pytest.mark.parametrize("record", [{"text": "hi"}, {"text": " ", "label": "a"}, {"text": "嗨", "label": 3}])
def test_a_test_file_names_the_line_that_is_wrong(record: dict[str, object], tmp_path: Path) -> None:
    file = tmp_path / "test.jsonl"
    file.write_text(json.dumps({"text": "a", "label": "b"}) + "\n" + json.dumps(record), encoding="utf-8")
    with pytest.raises(UsageError, match=r"test\.jsonl:2"):
        Rows(rows(KNOWN), Wanted(test_file=file))


def test_a_test_file_of_one_label_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "test.jsonl"
    file.write_text('{"text": "卡丢了", "label": "卡"}', encoding="utf-8")
    with pytest.raises(UsageError, match="1 rows of 1 labels"):
        Rows(rows(KNOWN), Wanted(test_file=file))


LABELLED = st.tuples(
    st.sampled_from(["card lost", "Card  LOST", "卡丢了", "parcel", "快递", "a b", "请问"]),
    st.sampled_from(["x", "y", None]),
    st.sampled_from(["g1", "g2", "g3", None]),
)


@given(st.lists(LABELLED, max_size=25), st.integers(0, 5), st.sampled_from([None, 1, 2]))
def test_no_group_and_no_text_stands_on_both_sides(more: list[Line], seed: int, shots: int | None) -> None:
    frame = rows(KNOWN + more)
    draw = Rows(frame, Wanted(test=0.4, shots=shots)).deal(seed)
    gone = [*draw.held[TEST], *draw.held[LIKE_TEST]]
    left = frame.filter(~pl.col("id").is_in(gone))
    owners = left["group"].fill_null(left["id"])
    assert not set(owners) & set(draw.tested["owner"])
    texts = left["messages"].list.first().struct.field("text")
    assert not set(normalise(texts)) & set(normalise(draw.tested["text"]))
    assert {"parcel", "卡"} <= set(draw.tested["label"])
    ids = [row for part in draw.held.values() for row in part]
    assert len(ids) == len(set(ids))
