"""Valid: each broken structure has its reason, and odd but usable rows stay."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from tests.unit.curation.frames import CONTEXT, empty, pairs, reasons, rows, turns
from zhiling.curation.valid import Valid, read_labels
from zhiling.errors import MissingInput, UsageError
from zhiling.pipeline.step import Context
from zhiling.rows.conversation import nest

GOOD = [("system", "s"), ("user", "你好"), ("assistant", "您好")]


@pytest.mark.parametrize(
    ("conversation", "reason"),
    [
        (GOOD, None),
        ([("assistant", "Hi!"), *GOOD[1:]], None),
        ([("user", "a"), ("assistant", "b"), ("tool", "1"), ("tool", "2"), ("assistant", "c")], None),
        ([("user", "👍")], None),
        ([("robot", "x"), *GOOD], "unknown_role"),
        ([(None, "x"), *GOOD], "unknown_role"),
        ([("system", "s"), *GOOD], "two_system_turns"),
        ([("user", " "), ("assistant", "b")], "empty_question"),
        ([("assistant", "b")], "empty_question"),
        ([], "empty_question"),
        ([("user", "a"), ("assistant", None)], "empty_reply"),
        ([("user", "a"), ("user", "b"), ("assistant", "c")], "roles_not_alternating"),
        ([("user", "a"), ("assistant", "b"), ("assistant", "c")], "roles_not_alternating"),
    ],
)
def test_structure(conversation: list[tuple[str, str | None]], reason: str | None) -> None:
    assert reasons(Valid().decide(turns(conversation, GOOD), CONTEXT)) == [reason, None]


def test_named_fields_of_one_example_are_one_turn() -> None:
    """A passage, a question and its options (ADR 0005); a second text without a name is a second turn."""
    said = [
        ("document", "他在北京。", "context"),
        ("user", "他在哪里？", "question"),
        ("user", "北京", "choice"),
        ("user", "上海", "choice"),
        ("user", "a", "first"),
        ("user", "b", None),
        ("user", "a", "first"),
        ("user", "", "second"),
    ]
    flat = pl.DataFrame(said, schema=["role", "text", "name"], orient="row")
    frame = rows(nest(flat, [4, 2, 2]))
    assert reasons(Valid().decide(frame, CONTEXT)) == [None, "roles_not_alternating", "empty_question"]


def test_a_greeting_can_be_refused_and_alternation_ignored() -> None:
    frame = turns([("assistant", "Hi"), ("user", "a")], [("user", "a"), ("user", "b")])
    assert reasons(Valid(opening_reply=False).decide(frame, CONTEXT)) == ["roles_not_alternating"] * 2
    assert reasons(Valid(alternate=False).decide(frame, CONTEXT)) == [None, None]


def test_labels_outside_the_declared_set_are_rejected(tmp_path: Path) -> None:
    (tmp_path / "labels.yaml").write_text("# ours\n退款: {en: refund}\nrefund: {}\n", encoding="utf-8")
    targets = [
        '{"labels": ["refund"]}',
        '{"labels": ["refnd"]}',
        '{"labels": ["退款"]}',
        None,
        '{"labels": []}',
    ]
    targets.append('{"spans": [{"start": 0, "end": 1, "label": "who"}]}')
    frame = pairs(*[(f"q{number}", "a") for number in range(6)])
    frame = frame.with_columns(pl.Series("target", targets, dtype=pl.String))
    step = Valid(labels_file="labels.yaml")
    answer = step.decide(frame, Context(step_id="x", root=tmp_path))
    assert reasons(answer) == [None, "unknown_label", None, None, None, "unknown_label"]
    assert step.files() == ("labels.yaml",)
    assert reasons(Valid(labels=("refund",)).decide(frame[:3], CONTEXT))[2] == "unknown_label"


def test_a_file_of_labels_that_is_missing_or_something_else(tmp_path: Path) -> None:
    with pytest.raises(MissingInput, match=r"none\.yaml"):
        read_labels(tmp_path / "none.yaml")
    (tmp_path / "text.yaml").write_text("just words", encoding="utf-8")
    with pytest.raises(UsageError, match="holds no labels"):
        read_labels(tmp_path / "text.yaml")
    (tmp_path / "list.json").write_text('["a", "乙"]', encoding="utf-8")
    assert read_labels(tmp_path / "list.json") == {"a", "乙"}


def test_the_score_counts_what_is_broken() -> None:
    answer = Valid().decide(
        turns([("system", "a"), ("system", "b"), ("user", ""), ("assistant", "")], GOOD), CONTEXT
    )
    assert answer["score"].to_list() == [3.0, 0.0]
    assert Valid().decide(empty(), CONTEXT).height == 0
