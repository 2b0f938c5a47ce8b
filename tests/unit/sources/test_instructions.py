"""Instructions: formats recognised by fields, LLaMA-Factory's lists of data sets, media, bad records."""

from __future__ import annotations

import base64
import gzip
import json
from collections import Counter
from hashlib import sha256
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tests.unit.sources.reading import read, told
from zhiling.pipeline import registry
from zhiling.rows.formats.draft import Unreadable
from zhiling.rows.schema import conform
from zhiling.sources.instructions import Instructions, Sniffer


def write(path: Path, records: list[Any]) -> Path:
    path.write_text(
        "".join(json.dumps(each, ensure_ascii=False) + "\n" for each in records), encoding="utf-8"
    )
    return path


def rows_of(tmp_path: Path, *records: dict[str, Any], **settings: Any) -> tuple[pl.DataFrame, list[Any]]:
    return read(Instructions(path="*", **settings), [write(tmp_path / "rows.jsonl", list(records))], tmp_path)


def spoken(messages: pl.Series | list[dict[str, Any]]) -> list[tuple[str, str | None]]:
    return [(message["role"], message["text"]) for message in messages]


def user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


def bot(text: str) -> dict[str, str]:
    return {"role": "assistant", "content": text}


PAIR = [("user", "到了吗？"), ("assistant", "明天到。")]
SAME: dict[str, dict[str, Any]] = {
    "alpaca": {"instruction": "到了吗？", "input": "", "output": "明天到。"},
    "sharegpt": {
        "conversations": [{"from": "human", "value": "到了吗？"}, {"from": "gpt", "value": "明天到。"}]
    },
    "messages": {"messages": [user("到了吗？"), bot("明天到。")]},
    "prompt_completion": {"prompt": "到了吗？", "completion": "明天到。"},
    "kto": {"prompt": [user("到了吗？")], "completion": [bot("明天到。")], "label": True},
}


def test_every_form_of_one_conversation_gives_the_same_row(tmp_path: Path) -> None:
    rows, bad = rows_of(tmp_path, *SAME.values())
    assert bad == []
    assert [spoken(messages) for messages in rows["messages"]] == [PAIR] * len(SAME)
    assert set(rows["task"]) == {"instruction"}
    assert rows["alternatives"].null_count() == rows.height


@pytest.mark.parametrize(("name", "record"), SAME.items())
def test_records_are_recognised(name: str, record: dict[str, Any]) -> None:
    assert Sniffer().of({**record, "id": 7, "score": 0.5, "source": "x"}).name == name


@pytest.mark.parametrize(
    ("record", "name"),
    [
        ({"instruction": "a", "output": "b", "chosen": "b", "rejected": "c"}, "alpaca"),
        ({"prompt": "a", "chosen": "b", "rejected": "c"}, "preference"),
        ({"chosen": [user("a"), bot("b")], "rejected": [user("a"), bot("c")]}, "preference"),
        ({"conversations": [], "chosen": {}, "rejected": {}}, "sharegpt"),
        ({"messages": [user("a"), bot("b")], "label": False}, "kto"),
        ({"messages": [user("a"), bot("b")], "label": "late"}, "messages"),
        ({"prompt": "a", "completion": "b", "label": "late"}, "prompt_completion"),
        ({"text": "a", "url": "b"}, "text"),
        ({"instruction": "a"}, "alpaca"),
        ({"messages": [user("a")], "origin": {}, "id": "1"}, "parquet"),
    ],
)
def test_the_format_that_understands_most_fields_reads_a_record(record: dict[str, Any], name: str) -> None:
    assert Sniffer().of(record).name == name


def test_what_no_format_knows_is_told_with_what_would_help(tmp_path: Path) -> None:
    rows, bad = rows_of(tmp_path, SAME["alpaca"], {"question": "a", "answer": "b"})
    assert rows.height == 1
    assert told(bad) == [("rows.jsonl:2", "unknown_format")]
    assert "['answer', 'question']" in bad[0].message
    assert "tables" in bad[0].message
    with pytest.raises(Unreadable, match="those of no format"):
        Sniffer().of({"instruction": "a", "response": "b"})


def test_alpaca_with_input_system_history_and_unknown_fields(tmp_path: Path) -> None:
    record = {
        "instruction": "Sum up.", "input": "Line one.\nLine two.", "output": "Two lines.",
        "system": "Be brief.", "history": [["q", "a"]], "rating": 4, "id": "x7",
    }  # fmt: skip
    rows, bad = rows_of(tmp_path, record)
    assert bad == []
    assert spoken(rows["messages"][0]) == [
        ("system", "Be brief."), ("user", "q"), ("assistant", "a"),
        ("user", "Sum up.\nLine one.\nLine two."), ("assistant", "Two lines."),
    ]  # fmt: skip
    assert json.loads(rows["extra"][0]) == {"rating": 4, "id": "x7", "input_lines": 2}
    assert rows["key"].to_list() == ["x7"]


def test_an_answer_in_question_and_material(tmp_path: Path) -> None:
    rows, bad = rows_of(
        tmp_path,
        {"instruction": "a"},
        {"instruction": "a", "output": ""},
        {"text": "a"},
        {"messages": [user("a")]},
    )
    assert bad == []
    assert rows["task"].to_list() == ["utterance", "instruction", "passage", "utterance"]
    assert spoken(rows["messages"][1]) == [("user", "a"), ("assistant", "")]
    assert spoken(rows["messages"][2]) == [("document", "a")]


def test_ranked_preferred_and_judged_answers(tmp_path: Path) -> None:
    rows, bad = rows_of(
        tmp_path,
        {"instruction": "a", "output": ["best", "good", "poor"]},
        {"instruction": "a", "output": "own", "chosen": "yes", "rejected": "no"},
        {"conversations": [{"from": "human", "value": "a"}], "chosen": {"from": "gpt", "value": "yes"},
         "rejected": {"from": "gpt", "value": "no"}},
        {"prompt": "a", "chosen": "yes", "rejected": "no"},
        {"chosen": [user("a"), bot("yes")], "rejected": [user("a"), bot("no")]},
        {"instruction": "a", "output": "no", "kto_tag": False},
        {"messages": [user("a"), bot("no")], "label": False},
    )  # fmt: skip
    assert bad == []
    answers = [
        [(each["kind"], each["rank"], *spoken(each["messages"])[0]) for each in listed]
        for listed in rows["alternatives"]
    ]
    rejected = ("rejected", None, "assistant", "no")
    assert answers == [
        [("ranked", 2, "assistant", "good"), ("ranked", 3, "assistant", "poor")],
        [("chosen", None, "assistant", "yes"), rejected],
        *[[rejected]] * 5,
    ]
    replies = [dict(spoken(messages)).get("assistant") for messages in rows["messages"]]
    assert replies == ["best", "own", "yes", "yes", "yes", None, None]
    assert set(rows["task"]) == {"instruction"}


@pytest.mark.parametrize(
    ("record", "cls"),
    [
        ({"instruction": "a", "chosen": "b", "rejected": "b"}, "equal_answers"),
        ({"prompt": "a", "chosen": [bot("b")], "rejected": [bot("b")]}, "equal_answers"),
        ({"instruction": "a", "output": ["b", "b"]}, "equal_answers"),
        ({"instruction": "a", "output": "b", "history": [["q"]]}, "wrong_type"),
        ({"instruction": "a", "output": {"text": "b"}}, "wrong_type"),
        ({"instruction": "a", "output": "b", "chosen": "c"}, "missing_field"),
        ({"messages": []}, "no_messages"),
        ({"messages": ["a"]}, "wrong_type"),
        ({"messages": [{"role": "wizard", "content": "a"}]}, "unknown_role"),
        ({"messages": [{"content": "a"}]}, "unknown_role"),
        ({"messages": [{"role": "user", "content": [{"type": "smell"}]}]}, "unknown_part"),
        ({"messages": [{"role": "user", "content": [{"type": ["text"]}]}]}, "wrong_type"),
        ({"messages": [{"role": "user", "content": 3.5, "tool_calls": "x"}]}, "wrong_type"),
        ({"messages": [user("a")], "tools": "no json"}, "broken_json_text"),
        ({"messages": [user("a")], "label": True}, "no_reply"),
        ({"messages": [user("<image>a")], "images": ["a.png", "b.png"]}, "media_mismatch"),
        ({"messages": [user("a")], "images": ["a.png"]}, "media_mismatch"),
        ({"messages": [user("<image>a")], "images": ["none.png"]}, "missing_media"),
        ({"messages": [user("<image>a")], "images": ["../../etc/hosts"]}, "outside_folder"),
        ({"conversations": [{"from": "function_call", "value": "find()"}]}, "broken_tool_call"),
        ({"conversations": [{"from": "function_call", "value": "[1]"}]}, "broken_tool_call"),
        ({"conversations": [{"from": "human", "value": "a"}], "kto_tag": True}, "no_reply"),
        ({"text": ""}, "missing_field"),
    ],
)
def test_broken_records_are_told_and_the_others_stay(
    tmp_path: Path, record: dict[str, Any], cls: str
) -> None:
    rows, bad = rows_of(tmp_path, SAME["alpaca"], record, SAME["messages"])
    assert told(bad) == [("rows.jsonl:2", cls)]
    assert bad[0].message
    assert rows["locator"].to_list() == ["rows.jsonl:1", "rows.jsonl:3"]


def test_what_structure_allows_is_read_as_it_stands(tmp_path: Path) -> None:
    turns = [("human", "a"), ("human", "b"), ("observation", "{}"), ("gpt", "c"), ("gpt", "d")]
    rows, bad = rows_of(tmp_path, {"conversations": [{"from": who, "value": text} for who, text in turns]})
    assert bad == []
    roles = ["user", "user", "tool", "assistant", "assistant"]
    assert [role for role, _ in spoken(rows["messages"][0])] == roles


def test_tool_calls_of_all_spellings_are_the_same(tmp_path: Path) -> None:
    bare = '{"name": "查", "arguments": {"城市": "北京"}}'
    full = {"type": "function", "function": {"name": "查", "arguments": '{"城市": "北京"}'}}
    rows, bad = rows_of(
        tmp_path,
        {"conversations": [{"from": "human", "value": "a"}, {"from": "function_call", "value": bare}]},
        {"messages": [user("a"), {"role": "assistant", "tool_calls": [full]}]},
        {"messages": [user("a"), {"role": "assistant", "content": [{"type": "tool_call", "value": bare}]}]},
    )
    assert bad == []
    made = [messages[1] for messages in rows["messages"]]
    assert [(each["role"], each["text"], json.loads(each["tool_calls"])) for each in made] == [
        ("assistant", None, [full])
    ] * 3


def test_parts_reasoning_weights_and_further_fields_of_messages(tmp_path: Path) -> None:
    content = [
        {"type": "reasoning", "value": "想"},
        {"type": "text", "value": "a"},
        {"type": "text", "value": "b"},
    ]
    rows, bad = rows_of(
        tmp_path,
        {"messages": [user("q"), {"role": "assistant", "content": content, "loss_weight": 0.5}]},
        {"messages": [user("q"), {**bot("ab"), "reasoning_content": "想", "weight": 0.5, "refusal": "no"}]},
    )
    assert bad == []
    replies = [messages[1] for messages in rows["messages"]]
    assert [(each["text"], each["reasoning"], each["weight"]) for each in replies] == [("ab", "想", 0.5)] * 2
    assert json.loads(rows["extra"][0]) == {"message_fields": {"1": {"cuts": [1], "parts": True}}}
    assert json.loads(rows["extra"][1]) == {"message_fields": {"1": {"fields": {"refusal": "no"}}}}


def picture() -> bytes:
    """A PNG of one pixel."""
    packed = (
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
    )
    return base64.b64decode(packed)


def media_of(rows: pl.DataFrame) -> list[tuple[Any, ...]]:
    return [
        tuple(each.values()) for messages in rows["messages"] for m in messages for each in m["media"] or ()
    ]


def test_media_are_hashed_where_they_stand_and_never_fetched(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(picture())
    inline = "data:image/png;base64," + base64.b64encode(picture()).decode()
    parts = [
        {"type": "text", "text": "看"},
        {"type": "image_url", "image_url": {"url": inline, "detail": "low"}},
        {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
    ]
    rows, bad = rows_of(
        tmp_path,
        {"messages": [user("<image>左<image>"), bot("右")], "images": ["a.png", "a.png"]},
        {"messages": [{"role": "user", "content": parts}, bot("b")]},
    )
    assert bad == []
    digest = sha256(picture()).hexdigest()
    assert media_of(rows) == [
        ("image", "a.png", digest, 0), ("image", "a.png", digest, 1),
        ("image", inline, digest, 1), ("image", "https://example.com/a.png", None, 1),
    ]  # fmt: skip
    assert [messages[0]["text"] for messages in rows["messages"]] == ["左", "看"]


def test_missing_media_may_be_kept_and_the_folder_named(tmp_path: Path) -> None:
    (tmp_path / "media").mkdir()
    (tmp_path / "media" / "a.wav").write_bytes(b"sound")
    record = {"messages": [user("<audio>"), bot("b")], "audios": ["a.wav"]}
    assert told(rows_of(tmp_path, record)[1]) == [("rows.jsonl:1", "missing_media")]
    assert media_of(rows_of(tmp_path, record, missing_media="keep")[0]) == [("audio", "a.wav", None, 0)]
    found = media_of(rows_of(tmp_path, record, media="media")[0])
    assert found == [("audio", "media/a.wav", sha256(b"sound").hexdigest(), 0)]


def test_media_belong_to_the_files_of_the_source(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(picture())
    file = write(
        tmp_path / "rows.jsonl",
        [SAME["alpaca"], {"messages": [user("<image>"), bot("b")], "images": ["a.png"]}, {"messages": 3}],
    )
    assert list(Instructions(path="*").further_files([file], tmp_path)) == [tmp_path / "a.png"]


def test_plain_text_has_a_row_a_line(tmp_path: Path) -> None:
    path = tmp_path / "wiki.txt.gz"
    path.write_bytes(gzip.compress("第一行\n\n  second, line\n".encode()))
    rows, bad = read(Instructions(path="*"), [path], tmp_path)
    assert bad == []
    assert [spoken(messages) for messages in rows["messages"]] == [
        [("document", "第一行")], [("document", "  second, line")]
    ]  # fmt: skip
    assert rows["locator"].to_list() == ["wiki.txt.gz:1", "wiki.txt.gz:3"]


def test_fields_of_other_names_are_renamed_and_a_format_can_be_named(tmp_path: Path) -> None:
    record = {"question": "a", "reply": "b", "instruction": "of the annotator"}
    fields = {"instruction": "question", "output": "reply"}
    rows, bad = rows_of(tmp_path, record, format="alpaca", fields=fields, group="question")
    assert bad == []
    assert spoken(rows["messages"][0]) == [("user", "a"), ("assistant", "b")]
    assert json.loads(rows["extra"][0]) == {"instruction_2": "of the annotator"}
    assert rows["group"].to_list() == ["a"]


def test_a_field_with_a_name_of_ours_is_told_as_another(tmp_path: Path) -> None:
    rows, _ = rows_of(tmp_path, {**SAME["alpaca"], "input_lines": "theirs", "message_fields": 1})
    assert json.loads(rows["extra"][0]) == {"input_lines_2": "theirs", "message_fields_2": 1}


INDEX: dict[str, Any] = {
    "plain": {"file_name": "plain.json"},
    "named": {
        "file_name": "named.jsonl",
        "columns": {"prompt": "q", "query": "c", "response": "a", "system": "s"},
    },
    "chat": {
        "file_name": "chat.jsonl",
        "formatting": "sharegpt",
        "columns": {"messages": "dialog", "kto_tag": "good"},
        "tags": {"role_tag": "who", "content_tag": "what", "user_tag": "客户", "assistant_tag": "客服"},
    },
    "pairs": {
        "file_name": "pairs.jsonl",
        "ranking": True,
        "formatting": "sharegpt",
        "columns": {"messages": "conversations", "chosen": "better", "rejected": "worse"},
    },
    "corpus": {"file_name": "corpus.txt", "columns": {"prompt": "text"}},
    "hub": {"hf_hub_url": "someone/something", "formatting": "sharegpt"},
    "gone": {"file_name": "gone.jsonl"},
    "outside": {"file_name": "../plain.json"},
    "odd": {"file_name": "plain.json", "formatting": "xml"},
}


def index(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    write(folder / "plain.jsonl", [SAME["alpaca"]])
    write(folder / "named.jsonl", [{"q": "a", "c": "b", "a": "c", "s": "d", "more": 1}])
    turns = [{"who": "客户", "what": "在吗"}, {"who": "客服", "what": "在"}]
    write(folder / "chat.jsonl", [{"dialog": turns, "good": False}])
    answers = {name: {"from": "gpt", "value": name} for name in ("better", "worse")}
    write(folder / "pairs.jsonl", [{"conversations": [{"from": "human", "value": "a"}], **answers}])
    (folder / "corpus.txt").write_text("only text\n", encoding="utf-8")
    path = folder / "dataset_info.json"
    path.write_text(json.dumps(INDEX, indent=1), encoding="utf-8")
    return path


def test_an_index_of_data_sets_is_read_file_by_file(tmp_path: Path) -> None:
    rows, bad = read(Instructions(path="data/dataset_info.json"), [index(tmp_path)], tmp_path)
    assert [
        (locator, spoken(said)) for locator, said in zip(rows["locator"], rows["messages"], strict=True)
    ] == [
        ("data/plain.jsonl:1", PAIR),
        ("data/named.jsonl:1", [("system", "d"), ("user", "a\nb"), ("assistant", "c")]),
        ("data/chat.jsonl:1", [("user", "在吗")]),
        ("data/pairs.jsonl:1", [("user", "a"), ("assistant", "better")]),
        ("data/corpus.txt:1", [("document", "only text")]),
    ]
    assert rows["alternatives"][2][0]["kind"] == "rejected"
    assert json.loads(rows["extra"][1]) == {"more": 1, "input_lines": 1}
    assert told(bad) == [
        ("data/dataset_info.json#hub", "not_local"),
        ("data/dataset_info.json#gone", "missing_file"),
        ("data/dataset_info.json#outside", "outside_folder"),
        ("data/dataset_info.json#odd", "broken_entry"),
    ]


def test_data_sets_are_chosen_by_name_and_their_files_enter_the_fingerprint(tmp_path: Path) -> None:
    file, source = index(tmp_path), Instructions(path="*", dataset=("corpus", "nothing"))
    rows, bad = read(source, [file], tmp_path)
    assert rows["task"].to_list() == ["passage"]
    assert told(bad) == [("data/dataset_info.json#nothing", "unknown_dataset")]
    assert list(source.further_files([file], tmp_path)) == [file.with_name("corpus.txt")]


@pytest.mark.parametrize(
    "content",
    ["[1]", '{"a": ', '{"a": 3}', '{"a": {"file_name": 3}}', '{"a": {"file_name": "b", "tags": 3}}'],
)
def test_a_broken_index_is_told(tmp_path: Path, content: str) -> None:
    path = tmp_path / "dataset_info.json"
    path.write_text(content, encoding="utf-8")
    rows, bad = read(Instructions(path="*"), [path], tmp_path)
    assert rows.height == 0
    assert [each.cls in ("broken_json", "broken_entry") for each in bad] == [True]


FORMS: dict[str, list[dict[str, Any]]] = {
    "alpaca": [{"form": form} for form in ("sft", "preference", "kto")],
    "sharegpt": [
        {"form": form, "keys": keys, "speakers": speakers, "system": system}
        for form in ("sft", "preference", "kto")
        for keys, speakers in (("from", "human"), ("role", "user"), ("role", "human"))
        for system in ("turn", "field")
    ],
    "messages": [{"content": "placeholders"}],
    "prompt_completion": [{"form": "text"}],
    "preference": [{"form": "text"}],
    "kto": [{"form": "text"}, {"form": "messages"}],
}


@pytest.mark.parametrize(
    ("name", "settings"), [(name, each) for name, listed in FORMS.items() for each in listed]
)
def test_an_entry_for_an_export_reads_it_back(tmp_path: Path, name: str, settings: dict[str, Any]) -> None:
    form = registry.load("format", name)(**settings)
    pair = {"instruction": "在吗", "chosen": "在", "rejected": "不在"}
    told_apart = {"preference": [pair], "kto": [{"instruction": "在吗", "output": "不在", "kto_tag": False}]}
    kind = "preference" if name == "preference" else "kto" if name == "kto" else settings.get("form", "sft")
    called = {"instruction": "在吗", "output": "在", "tools": '[{"name": "find"}]'}
    rows, _ = rows_of(
        tmp_path, *told_apart.get(kind, [called if name != "prompt_completion" else SAME["alpaca"]])
    )
    given = conform(rows.drop("locator", "key", "group", "licence"))
    written = form.write(given, tmp_path / "out.jsonl")
    assert dict(written.losses) == {}
    entry = form.dataset_info("out.jsonl", written.fields)
    (tmp_path / "dataset_info.json").write_text(json.dumps({"out": entry}), encoding="utf-8")
    found, bad = read(Instructions(path="*"), [tmp_path / "dataset_info.json"], tmp_path)
    assert bad == []
    columns = ["messages", "alternatives"]
    assert found.select(columns).equals(rows.select(columns))
    assert found["tools"].str.replace_all(" ", "").equals(rows["tools"].str.replace_all(" ", ""))


def test_what_stands_inside_messages_needs_another_format(tmp_path: Path) -> None:
    call = {"type": "function", "function": {"name": "find", "arguments": "{}"}}
    rows, _ = rows_of(tmp_path, {"messages": [user("a"), {"role": "assistant", "tool_calls": [call]}]})
    given = conform(rows.drop("locator", "key", "group", "licence"))
    for name, has_entry in (("messages", False), ("sharegpt", True)):
        form = registry.load("format", name)()
        fields = form.write(given, tmp_path / "out.jsonl").fields
        assert (form.dataset_info("out.jsonl", fields) is not None) == has_entry


def test_forms_that_llama_factory_cannot_read_have_no_entry() -> None:
    for name, settings in [
        ("alpaca", {"form": "ranked"}), ("messages", {"content": "values"}), ("preference", {"form": "v1"}),
        ("kto", {}), ("prompt_completion", {}), ("parquet", {}), ("squad", {}), ("conll", {}),
    ]:  # fmt: skip
        assert registry.load("format", name)(**settings).dataset_info("a") is None


def test_parquet_files_of_rows_come_back_whole(tmp_path: Path) -> None:
    rows, _ = rows_of(tmp_path, *SAME.values(), {"instruction": "a", "output": ["b", "c"], "id": "7"})
    given = conform(rows.drop("locator", "key", "group", "licence"))
    form = registry.load("format", "parquet")()
    form.write(given, tmp_path / "rows.parquet")
    records = pl.read_parquet(tmp_path / "rows.parquet").to_dicts()
    losses = Counter[str]()
    assert form.encode(given, losses)
    assert not losses
    drafts = [Sniffer("parquet").of(record).decode(record) for record in records]
    assert [draft.messages[-1].text for draft in drafts] == [
        messages[-1]["text"] for messages in rows["messages"]
    ]
    assert drafts[-1].alternatives[0].kind == "ranked"
    assert drafts[-1].extra == {"id": "7"}
