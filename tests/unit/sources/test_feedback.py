"""Feedback: events into rows; the newest that was not taken back counts; no text without consent."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.sources.reading import read, said, told, write_jsonl
from zhiling.pipeline import registry
from zhiling.pipeline.number import number_source
from zhiling.pipeline.plan import SourceLine
from zhiling.sources.events.feedback_event import FeedbackEvent, Shown, Withdrawal, read_event
from zhiling.sources.feedback import Feedback
from zhiling.sources.problem import Problem

USER = "ab" * 16


def event(number: int, *, minute: int | None = None, **more: Any) -> dict[str, Any]:
    minute = number if minute is None else minute
    return {
        "id": f"e{number}",
        "time": f"2026-01-01T10:{minute:02}:00+08:00",
        "conversation": "c1",
        "answer_id": f"a{number}",
        "messages": [{"role": "user", "text": "到了吗？"}],
        "answer": "不知道。",
        "consent": True,
        **more,
    }


def rejected(row: list[dict[str, Any]] | None) -> list[tuple[str, str]]:
    return [(each["kind"], each["messages"][0]["text"]) for each in row or []]


def test_verdicts_become_rows_to_learn_from(tmp_path: Path) -> None:
    events = [
        event(1, verdict="up", user=USER, model="m1", run="r1"),
        event(2, verdict="down", better="明天到。", reason="rude", edited="明天。"),
        event(3, edited="Tomorrow.", answer="Tomorow.", language="en"),
        event(4, verdict="down", answered_by="template"),
        event(5, verdict="up", better="不知道。", stars=5),
    ]
    rows, bad = read(Feedback(path="*", language="zh"), [write_jsonl(tmp_path / "a.jsonl", events)], tmp_path)
    asked = ("user", "到了吗？")
    assert said(rows) == [
        [asked, ("assistant", "不知道。")],
        [asked, ("assistant", "明天到。")],
        [asked, ("assistant", "Tomorrow.")],
        [asked],
        [asked, ("assistant", "不知道。")],
    ]
    assert [rejected(row) for row in rows["alternatives"].to_list()] == [
        [], [("rejected", "不知道。")], [("rejected", "Tomorow.")], [("rejected", "不知道。")], [],
    ]  # fmt: skip
    assert rows["task"].unique().to_list() == ["dialogue"]
    assert rows["group"].to_list() == [USER, "c1", "c1", "c1", "c1"]
    assert rows["key"].to_list() == ["e1", "e2", "e3", "e4", "e5"]
    assert rows["language"].to_list() == ["zh", "zh", "en", "zh", "zh"]
    extra = [json.loads(each) for each in rows["extra"]]
    made = {"answered_by": "model", "model": "m1", "run": "r1"}
    assert extra[0] == {"time": "2026-01-01T10:01:00+08:00", "verdict": "up", **made}
    assert (extra[1]["reason"], extra[1]["edited"], "edited" in extra[2]) == ("rude", "明天。", False)
    assert (extra[3]["answered_by"], extra[4]["stars"]) == ("template", 5)
    assert bad == []


def exported(rows: pl.DataFrame, name: str) -> list[dict[str, Any]]:
    record = number_source(SourceLine("s", Feedback(path="*"), ()), rows, 0, Counter())
    content = registry.load("format", name)().encode(record, Counter())
    return [json.loads(line) for line in content.splitlines()]


def test_feedback_becomes_lines_of_kto_and_preference(tmp_path: Path) -> None:
    events = [event(1, verdict="up"), event(2, verdict="down"), event(3, verdict="down", better="明天到。")]
    rows, _ = read(Feedback(path="*"), [write_jsonl(tmp_path / "a.jsonl", events)], tmp_path)
    labels = [(line["completion"][0]["content"], line["label"]) for line in exported(rows, "kto")]
    assert labels == [("不知道。", True), ("不知道。", False), ("明天到。", True), ("不知道。", False)]
    pair = exported(rows[2:], "preference")[0]
    assert (pair["chosen"][-1]["content"], pair["rejected"][-1]["content"]) == ("明天到。", "不知道。")


def test_the_newest_event_about_an_answer_counts(tmp_path: Path) -> None:
    first = [
        event(1, verdict="up", answer_id="a", minute=5),
        event(2, verdict="down", answer_id="a", minute=9),
    ]
    second = [
        event(3, verdict="up", answer_id="a", minute=7),
        event(4, verdict="up", answer_id="b", minute=1),
        event(5, verdict="down", answer_id="b", minute=1),
        event(4, verdict="down", answer_id="z"),
    ]
    files = [write_jsonl(tmp_path / "1.jsonl", first), write_jsonl(tmp_path / "2.jsonl", second)]
    rows, bad = read(Feedback(path="*"), files, tmp_path)
    assert rows["key"].to_list() == ["e2", "e5"], "by time, at equal times the later line"
    assert told(bad) == [
        ("1.jsonl:1", "superseded"), ("2.jsonl:1", "superseded"), ("2.jsonl:2", "superseded"),
        ("2.jsonl:4", "duplicate_event"),
    ]  # fmt: skip


def test_what_was_taken_back_is_not_used(tmp_path: Path) -> None:
    withdraw = {"time": "2026-01-01T10:30:00+08:00"}
    events = [
        {"id": "w1", "withdrawn": "e2", **withdraw},
        event(1, verdict="up", answer_id="a"),
        event(2, verdict="down", answer_id="a"),
        event(3, verdict="up", user=USER),
        event(4, verdict="up", user=USER, minute=40),
        {"id": "w2", "withdrawn_user": USER, **withdraw},
    ]
    rows, bad = read(Feedback(path="*"), [write_jsonl(tmp_path / "a.jsonl", events)], tmp_path)
    assert rows["key"].to_list() == ["e1", "e4"], "the event before counts again; what came later stays"
    assert [cls for _, cls in told(bad)] == ["withdrawal", "withdrawn", "withdrawn", "withdrawal"]


def test_without_consent_nothing_is_used_and_nothing_is_shown(tmp_path: Path) -> None:
    secret = "my number is 555-0100"
    events = [
        event(1, verdict="up", answer_id="a"),
        event(2, verdict="down", answer_id="a", consent=False, reason=secret, answer=secret),
        event(3, verdict="up", consent="yes", answer=secret, user=secret),
        event(4, verdict=secret, messages=[{"role": secret, "text": secret}]),
        json.dumps(event(5, answer=secret))[:-20],
    ]
    rows, bad = read(Feedback(path="*"), [write_jsonl(tmp_path / "a.jsonl", events)], tmp_path)
    assert rows.height == 0, "who says no about an answer says it about earlier events too"
    assert sorted(cls for _, cls in told(bad)) == [
        "broken_json", "invalid_event", "invalid_event", "no_consent", "superseded",
    ]  # fmt: skip
    assert all(secret not in each.message + each.excerpt and not each.excerpt for each in bad)


@pytest.mark.parametrize(
    ("change", "told_of"),
    [
        ({"verdict": None}, "one of `verdict`, `edited`, `better` is needed"),
        ({"consent": None}, "consent"),
        ({"consent": 1}, "consent"),
        ({"time": "2026-01-01T10:00:00"}, "time"),
        ({"user": "ann@example.org"}, "user"),
        ({"answer": ""}, "answer"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "assistant", "text": "r"}]}, "the last of `messages`"),
        ({"messages": [{"role": "user"}]}, "messages.0.text"),
        ({"version": 2}, "version 2"),
    ],
)
def test_events_that_cannot_be_used_are_told(change: dict[str, Any], told_of: str) -> None:
    found = read_event({**event(1, verdict="up"), **change})
    assert isinstance(found, Problem)
    assert told_of in found.message


def test_a_withdrawal_names_one_thing() -> None:
    base = {"id": "w", "time": "2026-01-01T10:00:00Z"}
    assert isinstance(read_event({**base, "withdrawn": "e1"}), Withdrawal)
    assert isinstance(read_event({**base, "withdrawn": "e1", "withdrawn_user": USER}), Problem)
    assert isinstance(read_event({**base, "withdrawn": None}), Problem)


def test_equal_answers_are_refused(tmp_path: Path) -> None:
    file = write_jsonl(tmp_path / "a.jsonl", [event(1, verdict="down", better="不知道。")])
    rows, bad = read(Feedback(path="*"), [file], tmp_path)
    assert (rows.height, told(bad)) == (0, [("a.jsonl:1", "equal_answers")])


def test_what_a_service_writes_is_read_back() -> None:
    written = FeedbackEvent(
        id="e1", time=datetime(2026, 1, 1, tzinfo=UTC), conversation="c", answer_id="a", consent=True,
        messages=(Shown(role="system", text="简短"), Shown(role="user", text="a\nb")),
        answer="r", verdict="up",
    )  # fmt: skip
    line = written.line()
    assert line.count(b"\n") == 1
    assert b"null" not in line
    assert read_event(json.loads(line)) == written


def test_the_page_describes_every_field() -> None:
    page = (Path(__file__).parents[3] / "docs" / "reference" / "feedback.md").read_text(encoding="utf-8")
    for model in (FeedbackEvent, Withdrawal):
        for name, field in model.model_fields.items():
            assert f"| `{name}` |" in page, name
            assert (field.description or "") in page, name
    classes = ("superseded", "withdrawn", "withdrawal", "no_consent", "invalid_event", "unknown_version")
    assert all(
        f"`{name}`" in page for name in (*classes, "duplicate_event", "equal_answers", "written_meanwhile")
    )


def test_lines_that_come_while_the_file_is_read_wait_for_the_next_run(tmp_path: Path) -> None:
    file = write_jsonl(tmp_path / "a.jsonl", [event(1, verdict="up")])
    batches = registry.load("source", "feedback")(path="*").read([file], tmp_path)
    with pytest.MonkeyPatch.context() as patch:
        import zhiling.sources.feedback as module

        history = module.History.unused

        def append(self: Any) -> Any:
            with file.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(event(2, verdict="down", answer_id="a1")) + "\n")
            return history(self)

        patch.setattr(module.History, "unused", append)
        found = list(batches)
    assert [batch.rows["key"].to_list() for batch in found] == [["e1"]]
    assert told(found[0].bad) == [("a.jsonl:2", "written_meanwhile")]


NAMES = st.sampled_from(["a", "b", "c"])
EVENTS = st.fixed_dictionaries(
    {
        "id": st.sampled_from([f"e{number}" for number in range(6)]),
        "time": st.integers(0, 9).map(lambda minute: f"2026-01-01T00:0{minute}:00Z"),
        "conversation": NAMES,
        "answer_id": NAMES,
        "messages": st.just([{"role": "user", "text": "q"}]),
        "answer": st.just("r"),
        "consent": st.booleans(),
    },
    optional={
        "verdict": st.sampled_from(["up", "down", None]),
        "better": st.sampled_from(["r", "s"]),
        "user": st.just(USER),
        "extra field": st.integers(),
    },
)
WITHDRAWALS = st.fixed_dictionaries(
    {"id": NAMES, "time": st.just("2026-01-01T00:05:00Z")},
    optional={"withdrawn": st.sampled_from(["e1", "e2", None]), "withdrawn_user": st.just(USER)},
)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.one_of(EVENTS, WITHDRAWALS, st.just({"x": 1})), max_size=12), st.integers(0, 12))
def test_every_line_is_a_row_or_a_bad_item_and_files_do_not_matter(
    events: list[dict[str, Any]], cut: int
) -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        whole = write_jsonl(folder / "whole.jsonl", events)
        rows, bad = read(Feedback(path="*"), [whole], folder)
        assert rows.height + len(bad) == max(len(events), whole.read_text() == "\n")
        assert rows["key"].n_unique() == rows.height <= 3, "at most one row an answer"
        parts = [write_jsonl(folder / "1.jsonl", events[:cut]), write_jsonl(folder / "2.jsonl", events[cut:])]
        split, _ = read(Feedback(path="*"), parts, folder)
        assert split.drop("locator").equals(rows.drop("locator"))
