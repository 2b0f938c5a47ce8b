"""Formats: what stands in the files, what is counted as lost, and files that appear whole or not at all."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from zhiling.pipeline.registry import load, table
from zhiling.rows.formats.alpaca import Alpaca
from zhiling.rows.formats.csv import Csv
from zhiling.rows.formats.format import Format
from zhiling.rows.formats.messages import Messages
from zhiling.rows.formats.text import Text
from zhiling.rows.schema import ROW

AWKWARD = 'a "quote"\\ \n\t\r\u2028\u0001 😀 中文 </s> {"x": 1}'


def message(role: str, text: str | None, **more: Any) -> dict[str, Any]:
    return {"role": role, "text": text, **more}


def frame(rows: Sequence[dict[str, Any]]) -> pl.DataFrame:
    """Rows of the record; what is left out is null."""
    defaults = {"id": "0", "origin": {"source": "logs", "locator": "a.jsonl:1"}}
    full = [{**dict.fromkeys(ROW), **defaults, **row} for row in rows]
    return pl.DataFrame(full, schema=ROW)


def written(form: Format, rows: Sequence[dict[str, Any]], tmp_path: Path) -> tuple[list[Any], dict[str, int]]:
    """The lines as JSON, and the losses."""
    path = tmp_path / "out.jsonl"
    result = form.write(frame(rows), path)
    assert result.rows == len(rows)
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n")[:-1]], dict(
        result.losses
    )


PLAIN = {"id": "r1", "messages": [message("user", AWKWARD), message("assistant", "yes")]}
LABELLED = {"messages": [message("user", "card?")], "target": '{"labels":["card","delay"]}'}
CHAT = {
    "messages": [
        message("system", "Be kind."),
        message("user", "q1"),
        message("assistant", "r1"),
        message("user", "q2"),
        message("assistant", ""),
    ]
}


def test_messages_keep_every_character_and_the_order(tmp_path: Path) -> None:
    lines, losses = written(Messages(), [PLAIN, CHAT, LABELLED], tmp_path)
    assert lines[0] == {
        "messages": [{"role": "user", "content": AWKWARD}, {"role": "assistant", "content": "yes"}]
    }
    assert [(m["role"], m["content"]) for m in lines[1]["messages"]] == [
        ("system", "Be kind."),
        ("user", "q1"),
        ("assistant", "r1"),
        ("user", "q2"),
        ("assistant", ""),
    ]
    assert lines[2]["messages"][1] == {"role": "assistant", "content": "card, delay"}
    assert losses == {}


def test_messages_with_tools_calls_names_and_weights(tmp_path: Path) -> None:
    calls = [{"id": "c1", "type": "function", "function": {"name": "find", "arguments": "{}"}}]
    row = {
        "tools": '[\n {"type": "function"}\n]',
        "messages": [
            message("user", "q", name="Ann"),
            message("assistant", None, tool_calls=json.dumps(calls), weight=0.0),
            message("tool", "found", tool_call_id="c1"),
            message("assistant", "done", reasoning="because"),
        ],
    }
    lines, losses = written(Messages(with_id=True), [{**row, "id": "x"}, PLAIN], tmp_path)
    assert lines[0] == {
        "id": "x",
        "messages": [
            {"role": "user", "content": "q", "name": "Ann"},
            {"role": "assistant", "content": None, "weight": 0.0, "tool_calls": calls},
            {"role": "tool", "content": "found", "tool_call_id": "c1"},
            {"role": "assistant", "content": "done", "reasoning": "because"},
        ],
        "tools": [{"type": "function"}],
    }
    assert lines[1]["id"] == "r1"
    assert "tools" not in lines[1]
    assert losses == {}


def test_what_no_format_holds_is_counted(tmp_path: Path) -> None:
    answer = {"messages": [message("assistant", "b")], "kind": "rejected", "rank": None, "score": None}
    image = {"kind": "image", "path": "a.png", "sha256": "0", "at": 0}
    rows = [
        {**PLAIN, "alternatives": [answer]},
        {"messages": [message("user", "look", media=[image, image]), message("assistant", "a lamp")]},
        {**PLAIN, "target": '{"labels":["x"]}'},
        {"messages": [message("user", "Anna")], "target": '{"spans":[]}'},
    ]
    expected = {"alternatives": 1, "media": 1, "target": 2}
    assert written(Messages(), rows, tmp_path)[1] == {"alternatives": 1, "target": 2}
    assert written(Text(), rows, tmp_path)[1] == {**expected, "roles": 4}
    assert written(Alpaca(), rows, tmp_path)[1] == {"alternatives": 1, "target": 2, "no_reply": 1}
    assert Csv().write(frame(rows), tmp_path / "a.csv").losses == {**expected, "target": 1}


def test_alpaca_puts_earlier_turns_into_history(tmp_path: Path) -> None:
    lines, losses = written(Alpaca(with_id=True), [PLAIN, CHAT, LABELLED], tmp_path)
    assert lines[0] == {
        "id": "r1",
        "instruction": AWKWARD,
        "input": "",
        "output": "yes",
        "system": "",
        "history": [],
    }
    assert (lines[1]["system"], lines[1]["history"]) == ("Be kind.", [["q1", "r1"]])
    assert (lines[1]["instruction"], lines[1]["output"]) == ("q2", "")
    assert lines[2]["output"] == "card, delay"
    assert losses == {}


@pytest.mark.parametrize(
    ("roles", "history", "pair", "losses"),
    [
        ("user user assistant", [], ("0\n1", "2"), {"turn_boundaries": 1}),
        ("user assistant assistant", [], ("0", "1\n2"), {"turn_boundaries": 1}),
        ("assistant user assistant", [["", "0"]], ("1", "2"), {"leading_reply": 1}),
        ("user assistant system user assistant", [["0", "1"]], ("3", "4"), {"system_in_middle": 1}),
        ("user assistant user", [["0", "1"]], ("2", ""), {"no_reply": 1}),
        ("user assistant tool assistant", [], ("0", "1\n3"), {"role_tool": 1, "turn_boundaries": 1}),
        ("system system user assistant", [], ("2", "3"), {"system_boundaries": 1}),
    ],
)
def test_alpaca_counts_what_it_bends(
    tmp_path: Path, roles: str, history: list[list[str]], pair: tuple[str, str], losses: dict[str, int]
) -> None:
    row = {"messages": [message(role, str(index)) for index, role in enumerate(roles.split())]}
    lines, counted = written(Alpaca(), [row], tmp_path)
    assert (lines[0]["history"], (lines[0]["instruction"], lines[0]["output"])) == (history, pair)
    assert counted == losses


def test_csv_has_text_reply_label_and_place(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    result = Csv().write(frame([PLAIN, CHAT, {**LABELLED, "language": "en"}]), path)
    with path.open(encoding="utf-8", newline="") as file:
        records = list(csv.DictReader(file))
    assert [list(record.values()) for record in records] == [
        ["r1", AWKWARD, "yes", "", "", "logs", "a.jsonl:1"],
        ["0", "q2", "", "", "", "logs", "a.jsonl:1"],
        ["0", "card?", "", "card, delay", "en", "logs", "a.jsonl:1"],
    ]
    assert result.losses == {"system": 1, "earlier_turns": 1}


ALTERNATIVE = {"rank": None, "score": None}
NO = {**ALTERNATIVE, "messages": [message("assistant", "no")], "kind": "rejected"}
YES = {**ALTERNATIVE, "messages": [message("assistant", "yes")], "kind": "chosen"}
PAIR = {"messages": [message("user", "q"), message("assistant", "yes")], "alternatives": [NO]}
BOTH = {"messages": [message("user", "q"), message("assistant", "own")], "alternatives": [YES, NO]}
NEVER = {"messages": [message("user", "q")], "alternatives": [NO]}


@pytest.mark.parametrize(
    ("name", "settings", "expected"),
    [
        ("alpaca", {"form": "preference"}, {"chosen": "yes", "rejected": "no", "output": ""}),
        ("sharegpt", {"form": "preference"}, {"chosen": {"from": "gpt", "value": "yes"}}),
        ("preference", {}, {"prompt": [{"role": "user", "content": "q"}]}),
        ("preference", {"form": "text"}, {"prompt": "q", "chosen": "yes", "rejected": "no"}),
        ("preference", {"form": "implicit_text"}, {"chosen": "yes", "rejected": "no"}),
        (
            "preference",
            {"form": "implicit"},
            {"rejected": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "no"}]},
        ),
        (
            "preference",
            {"form": "v1", "content": "values"},
            {
                "chosen_messages": [
                    {"role": "user", "content": [{"type": "text", "value": "q"}]},
                    {"role": "assistant", "content": [{"type": "text", "value": "yes"}]},
                ]
            },
        ),
    ],
)
def test_a_pair_of_answers_in_every_form(
    tmp_path: Path, name: str, settings: dict[str, Any], expected: dict[str, Any]
) -> None:
    lines, losses = written(load("format", name)(**settings), [PAIR], tmp_path)
    assert {field: lines[0][field] for field in expected} == expected
    assert losses == ({"prompt": 1} if settings.get("form") == "implicit_text" else {})


def test_an_output_beside_a_pair_needs_alpaca(tmp_path: Path) -> None:
    lines, losses = written(load("format", "alpaca")(form="preference"), [BOTH], tmp_path)
    assert [lines[0][field] for field in ("output", "chosen", "rejected")] == ["own", "yes", "no"]
    assert losses == {}
    lines, losses = written(load("format", "preference")(form="text"), [BOTH], tmp_path)
    assert (lines[0]["chosen"], losses) == ("own", {"alternatives": 1})


def test_rows_without_a_second_answer_never_get_one(tmp_path: Path) -> None:
    for name in ("alpaca", "sharegpt", "preference"):
        lines, losses = written(
            load("format", name)(form="preference" if name != "preference" else "text"), [PLAIN], tmp_path
        )
        assert lines[0]["rejected"] is None
        assert losses == {"no_rejected": 1}


def test_several_rejected_answers_are_several_lines(tmp_path: Path) -> None:
    ranked = [{**NO, "kind": "ranked", "rank": 2}, {**YES, "kind": "ranked", "rank": 3}]
    row = {"messages": [message("user", "q"), message("assistant", "best")], "alternatives": ranked}
    path = tmp_path / "out"
    result = load("format", "preference")(form="text").write(frame([row]), path)
    lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    assert [(line["chosen"], line["rejected"]) for line in lines] == [("best", "no"), ("best", "yes")]
    assert dict(result.losses) == {"grouping": 1, "rank": 1}
    lines, losses = written(load("format", "alpaca")(form="ranked"), [row], tmp_path)
    assert (lines[0]["output"], losses) == (["best", "no", "yes"], {})


@pytest.mark.parametrize(
    ("name", "settings", "answer"),
    [
        ("alpaca", {"form": "kto"}, {"output": "no", "kto_tag": False}),
        ("sharegpt", {"form": "kto", "tag": "kto_tag"}, {"kto_tag": False}),
        ("kto", {"form": "text"}, {"prompt": "q", "completion": "no", "label": False}),
        ("kto", {}, {"completion": [{"role": "assistant", "content": "no"}], "label": False}),
        (
            "kto",
            {"form": "messages"},
            {"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "no"}]},
        ),
    ],
)
def test_an_answer_that_nobody_wants(
    tmp_path: Path, name: str, settings: dict[str, Any], answer: dict[str, Any]
) -> None:
    lines, losses = written(load("format", name)(**settings), [NEVER], tmp_path)
    assert {field: lines[0][field] for field in answer} == answer
    assert losses == {}


CALLED = {
    "tools": '[{"name": "find"}]',
    "messages": [
        message("system", "Be kind."),
        message("user", "q"),
        message(
            "assistant",
            None,
            tool_calls='[{"id":"c1","type":"function","function":{"name":"查","arguments":"{\\"城\\": 1}"}}]',
        ),
        message("tool", "found", tool_call_id="c1"),
        message("assistant", "done", weight=0.5),
    ],
}


def test_sharegpt_writes_calls_as_turns(tmp_path: Path) -> None:
    lines, losses = written(load("format", "sharegpt")(system="field"), [CALLED], tmp_path)
    assert lines[0] == {
        "conversations": [
            {"from": "human", "value": "q"},
            {"from": "function_call", "value": '{"name": "查", "arguments": {"城": 1}}'},
            {"from": "observation", "value": "found"},
            {"from": "gpt", "value": "done", "weight": 0.5},
        ],
        "system": "Be kind.",
        "tools": '[{"name": "find"}]',
    }
    assert losses == {"tool_call_id": 1}


def test_media_as_parts_or_placeholders(tmp_path: Path) -> None:
    media = [
        {"kind": "image", "path": "a.png", "sha256": None, "at": 0},
        {"kind": "audio", "path": "data:audio/wav;base64,AAAA", "sha256": None, "at": 2},
    ]
    row = {"messages": [message("user", "看这个", media=media), message("assistant", "好")]}
    form = load("format", "messages")
    lines, losses = written(form(), [row], tmp_path)
    assert lines[0]["messages"][0]["content"] == [
        {"type": "image_url", "image_url": {"url": "a.png"}},
        {"type": "text", "text": "看这"},
        {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
        {"type": "text", "text": "个"},
    ]
    assert losses == {}
    path = tmp_path / "marked"
    result = form(content="placeholders").write(frame([row]), path)
    line = json.loads(path.read_text("utf-8"))
    assert line["messages"][0]["content"] == "<image>看这<audio>个"
    assert (line["images"], line["audios"]) == (["a.png"], ["data:audio/wav;base64,AAAA"])
    assert result.fields == {"images", "audios"}
    row["messages"][1]["text"] = "a literal <image>"
    assert written(form(content="placeholders"), [row], tmp_path)[1] == {"literal_placeholder": 1}


def test_extra_is_written_as_fields_unless_it_is_not_wanted(tmp_path: Path) -> None:
    row = {**PLAIN, "extra": '{"rating": 4, "source": "web", "id": "own", "messages": 1, "input_lines": 1}'}
    form = load("format", "messages")
    lines, losses = written(form(), [row, {**PLAIN, "extra": '{"rating":5}'}], tmp_path)
    assert [{k: v for k, v in line.items() if k != "messages"} for line in lines] == [
        {"rating": 4, "source": "web", "id": "own"},
        {"rating": 5},
    ]
    assert losses == {"extra.messages": 1, "input_border": 1}
    lines, losses = written(form(extra=("source",), with_id=True), [row], tmp_path)
    assert (lines[0]["id"], lines[0]["source"], len(lines[0])) == ("r1", "web", 3)
    lines, losses = written(form(extra=False), [row], tmp_path)
    assert list(lines[0]) == ["messages"]
    assert losses == {"input_border": 1}
    lines, losses = written(Alpaca(with_id=True), [row], tmp_path)
    assert losses == {"extra.id": 1}
    assert lines[0]["input"] == AWKWARD.split("\n")[-1]


SENTENCE = {
    "messages": [message("user", "Anna lives in New York.")],
    "target": '{"spans":[{"start":0,"end":4,"label":"PER"},{"start":14,"end":22,"label":"LOC"}]}',
}
CHINESE = {
    "messages": [message("user", "安娜住在北京")],
    "target": '{"spans":[{"start":4,"end":6,"label":"LOC"}],'
    '"tokens":[[0,2],[2,4],[4,6]],"tags":["O","O","B-LOC"]}',
    "origin": {"group": "d1"},
    "extra": '{"column_2":["NR","VV","NR"],"column_3":["a","b","c"]}',
}


def test_conll_from_spans_and_from_tokens_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "out"
    result = load("format", "conll")().write(frame([SENTENCE, CHINESE, CHINESE]), path)
    assert path.read_text("utf-8") == (
        "Anna B-PER\nlives O\nin O\nNew B-LOC\nYork I-LOC\n. O\n\n"
        "-DOCSTART- O\n\n安娜 O\n住在 O\n北京 B-LOC\n\n安娜 O\n住在 O\n北京 B-LOC\n\n"
    )
    assert dict(result.losses) == {"columns": 2, "spacing": 1}  # the full stop stood close
    load("format", "conll")(form="four", separator="\t").write(frame([SENTENCE, CHINESE]), path)
    lines = path.read_text("utf-8").splitlines()
    assert lines[0] == "Anna\t-\t-\tB-PER"
    assert lines[7:10] == ["-DOCSTART-\t-X-\t-X-\tO", "", "安娜\tNR\ta\tO"]


def test_conll_counts_what_it_cannot_tag(tmp_path: Path) -> None:
    places = [(0, 6, "A"), (2, 4, "B"), (1, 1, "C")]
    nested = json.dumps({"spans": [dict(zip(("start", "end", "label"), p, strict=True)) for p in places]})
    rows = [PLAIN, {**LABELLED, "messages": [message("user", "")]}, {**CHINESE, "target": nested}]
    result = load("format", "conll")().write(frame(rows), tmp_path / "out")
    assert dict(result.losses) == {
        "no_tags": 2, "further_messages": 1, "spacing": 1, "empty_text": 1, "target": 1,
        "overlapping_spans": 1, "spans": 1, "columns": 1,
    }  # fmt: skip


def question(asked: str, target: str, context: str = "Anna lives in 北京.", **extra: Any) -> dict[str, Any]:
    said = [message("document", context, name="context"), message("user", asked, name="question")]
    return {"messages": said, "target": target, "extra": json.dumps(extra)}


QUESTIONS = [
    question(
        "Where?",
        '{"answers":[{"text":"北京","place":{"start":14,"end":16}}]}',
        title="T",
        id="7",
        level="easy",
    ),
    question("When?", '{"answers":[]}', title="T"),
    question("谁？", '{"answers":[{"text":"Anna"}]}', "Anna again.", title="U"),
]


def test_squad_nests_questions_below_their_passage(tmp_path: Path) -> None:
    path, form = tmp_path / "out.json", load("format", "squad")()
    result = form.write(frame(QUESTIONS), path)
    whole = json.loads(path.read_text("utf-8"))
    assert whole["version"] == "2.0"
    assert [(each["title"], len(each["paragraphs"])) for each in whole["data"]] == [("T", 1), ("U", 1)]
    first, second = whole["data"][0]["paragraphs"][0]["qas"]
    assert first == {
        "id": "7",
        "question": "Where?",
        "answers": [{"text": "北京", "answer_start": 14}],
        "is_impossible": False,
        "level": "easy",
    }
    assert (second["answers"], second["is_impossible"], second["id"]) == ([], True, "0")
    assert dict(result.losses) == {"answer_place": 1}
    with form.open(tmp_path / "parts.json") as writer:
        for part in frame(QUESTIONS).iter_slices(1):
            writer.write(part)
    assert (tmp_path / "parts.json").read_bytes() == path.read_bytes()


def test_squad_flat_and_what_is_no_question(tmp_path: Path) -> None:
    form = load("format", "squad")
    lines, losses = written(form(form="flat"), [QUESTIONS[0], PLAIN], tmp_path)
    assert lines[0]["answers"] == {"text": ["北京"], "answer_start": [14]}
    assert lines[1]["answers"] == {"text": [], "answer_start": []}
    assert losses == {"no_context": 1, "further_messages": 1, "no_answers": 1}
    assert dict(form(edition="1.1").write(frame(QUESTIONS[1:2]), tmp_path / "a").losses) == {"impossible": 1}


def test_parquet_holds_everything_in_groups_of_one_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zhiling.rows.formats.parquet.GROUP_ROWS", 4)
    rows = frame([PLAIN, CALLED, PAIR, {**CHINESE, "target": None}] * 5)
    form = load("format", "parquet")()
    assert dict(form.write(rows, tmp_path / "whole").losses) == {}
    with form.open(tmp_path / "parts") as writer:
        for part in rows.iter_slices(3):
            writer.write(part)
    assert (tmp_path / "parts").read_bytes() == (tmp_path / "whole").read_bytes()
    assert pl.read_parquet(tmp_path / "whole").equals(rows.drop("n", "content"))
    assert pl.scan_parquet(tmp_path / "whole").select(pl.len()).collect().item() == 20


@pytest.mark.parametrize("name", sorted(table("format")))
def test_frames_one_by_one_give_the_bytes_of_one_frame(tmp_path: Path, name: str) -> None:
    form = load("format", name)()
    rows = frame([PLAIN, CHAT, LABELLED] * 5)
    whole = form.write(rows, tmp_path / "whole")
    with form.open(tmp_path / "parts.gz") as writer:
        for part in rows.iter_slices(4):
            writer.write(part)
        writer.write(rows.head(0))
    assert writer.written == whole
    with gzip.open(tmp_path / "parts.gz") as file:
        assert file.read() == (tmp_path / "whole").read_bytes()
    assert (tmp_path / "parts.gz").read_bytes()[4:8] == bytes(4)  # no time in it: equal rows, equal bytes


@pytest.mark.parametrize("name", sorted(table("format")))
def test_no_rows_give_a_file_and_steps_columns_are_ignored(tmp_path: Path, name: str) -> None:
    form = load("format", name)()
    assert form.write(frame([]), tmp_path / "empty").rows == 0
    assert (tmp_path / "empty").read_bytes() == form.header() + form.encoder().finish()
    measured = frame([PLAIN]).with_columns(pl.lit(1.0).alias("pair.score"))
    assert form.write(measured, tmp_path / "measured").rows == 1


def fail_while_writing(path: Path) -> None:
    with Messages().open(path) as writer:
        writer.write(frame([PLAIN]))
        raise KeyError


def test_a_file_that_is_not_completed_never_appears(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    path.write_text("old\n", encoding="utf-8")
    with pytest.raises(KeyError):
        fail_while_writing(path)
    assert path.read_text(encoding="utf-8") == "old\n"
    assert [each.name for each in tmp_path.iterdir()] == ["out.jsonl"]
