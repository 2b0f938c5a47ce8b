"""Tables: field mapping, JSON Lines and CSV, and what a broken record costs."""

from __future__ import annotations

import csv
import gzip
import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from tests.unit.sources.reading import read, said, told, write_jsonl
from zhiling.sources.files.decompress import PIECE_BYTES
from zhiling.sources.record_source import BATCH_ROWS
from zhiling.sources.tables import Tables


def tables(**settings: object) -> Tables:
    return Tables(path="*", **settings)  # pyright: ignore[reportArgumentType]


def test_alpaca_columns_are_found(tmp_path: Path) -> None:
    file = write_jsonl(
        tmp_path / "a.jsonl",
        [
            {"instruction": "Translate", "input": "灯", "output": "lamp", "id": 7, "rating": 5},
            {"instruction": "Say hello", "input": "", "output": "hello", "system": "Be brief."},
        ],
    )
    rows, bad = read(tables(), [file], tmp_path)
    assert said(rows) == [
        [("user", "Translate\n灯"), ("assistant", "lamp")],
        [("system", "Be brief."), ("user", "Say hello"), ("assistant", "hello")],
    ]
    assert rows["task"].to_list() == ["instruction", "instruction"]
    assert rows["key"].to_list() == ["7", None]
    assert rows["locator"].to_list() == ["a.jsonl:1", "a.jsonl:2"]
    assert [json.loads(extra or "{}") for extra in rows["extra"]] == [
        {"id": 7, "rating": 5, "input_lines": 1},
        {},
    ]
    assert bad == []


def test_mapped_fields_group_key_label_and_language(tmp_path: Path) -> None:
    item = {"q": "Where?", "a": "Here.", "customer": 12, "nr": "x-1", "intent": "place", "lang": "en"}
    file = write_jsonl(tmp_path / "a.jsonl", [item])
    source = tables(
        fields={"user": "q", "assistant": "a", "label": "intent"}, group="customer", key="nr", task="qa"
    )
    rows, _ = read(source, [file], tmp_path)
    row = rows.to_dicts()[0]
    assert (row["group"], row["key"], row["language"], row["task"]) == ("12", "x-1", "en", "qa")
    assert json.loads(row["target"]) == {"labels": ["place"]}
    assert json.loads(row["extra"]) == {"nr": "x-1"}
    assert read(tables(language="zh"), [file], tmp_path)[0].height == 0  # `q` is no usual name


def test_a_record_without_reply_is_material_and_an_empty_reply_is_a_row(tmp_path: Path) -> None:
    file = write_jsonl(tmp_path / "a.jsonl", [{"prompt": "a"}, {"prompt": "b", "response": ""}])
    rows, _ = read(tables(), [file], tmp_path)
    assert said(rows) == [[("user", "a")], [("user", "b"), ("assistant", "")]]
    assert rows["task"].to_list() == ["utterance", "instruction"]


def test_every_broken_line_has_its_place_and_reason_and_all_others_are_kept(tmp_path: Path) -> None:
    file = write_jsonl(
        tmp_path / "a.jsonl",
        [
            {"text": "one"},
            '{"text": "tw',
            "[1, 2]",
            "",
            {"other": 1},
            {"text": ["a"]},
            {"text": None},
            "3",
            {"text": "nine", "output": 4.5},
            '{"text": "\\ud800"}',
        ],
    )
    rows, bad = read(tables(), [file], tmp_path)
    assert said(rows) == [[("user", "one")], [("user", "nine"), ("assistant", "4.5")]]
    assert told(bad) == [
        ("a.jsonl:2:13", "broken_json"),
        ("a.jsonl:3", "not_an_object"),
        ("a.jsonl:8", "not_an_object"),
        ("a.jsonl:10:11", "broken_json"),
        ("a.jsonl:5", "missing_field"),
        ("a.jsonl:6", "wrong_type"),
        ("a.jsonl:7", "missing_field"),
    ]
    assert "an array" in bad[1].message
    assert all(each.message and len(each.excerpt) <= 80 for each in bad)


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("name", ["a.jsonl", "a.csv"])
def test_an_empty_file_is_told(tmp_path: Path, content: bytes, name: str) -> None:
    (tmp_path / name).write_bytes(content)
    rows, bad = read(tables(), [tmp_path / name], tmp_path)
    assert (rows.height, told(bad)) == (0, [(f"{name}:1", "empty_file")])


def test_csv_with_quotes_line_breaks_and_wrong_column_counts(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_bytes(
        b'question,answer\r\n"a, ""b""",1\r\n"line one\r\nline two",2\r\n'
        b'too,many,cells\r\nalone\r\n\r\nlast,5" pipe\r\n'
    )
    rows, bad = read(tables(), [file], tmp_path)
    assert said(rows) == [
        [("user", 'a, "b"'), ("assistant", "1")],
        [("user", "line one\nline two"), ("assistant", "2")],
        [("user", "last"), ("assistant", '5" pipe')],
    ]
    assert rows["locator"].to_list() == ["a.csv:2", "a.csv:3", "a.csv:8"]
    assert told(bad) == [("a.csv:5", "column_count"), ("a.csv:6", "column_count")]
    assert "3 cells where the header has 2: question, answer" in bad[0].message


def test_a_quote_that_is_never_closed_costs_one_record(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text('text,output\none,1\n"two,2\nthree,3\nfour,"4"\n', encoding="utf-8")
    rows, bad = read(tables(), [file], tmp_path)
    assert [turns[0][1] for turns in said(rows)] == ["one", "three", "four"]
    assert told(bad) == [("a.csv:3", "broken_csv")]
    file.write_text('text,output\n"one,1\n' + "more,1\n" * 40_000, encoding="utf-8")
    rows, bad = read(tables(), [file], tmp_path)
    assert (rows.height, told(bad)) == (40_000, [("a.csv:2", "broken_csv")])


def test_a_record_does_not_reach_across_a_line_that_cannot_be_read(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_bytes(b'text,output\none,1\n"two\n\xff\xfe\nthree",3\nfour,4\n')
    rows, bad = read(tables(), [file], tmp_path)
    assert [turns[0][1] for turns in said(rows)] == ["one", 'three"', "four"]
    assert told(bad) == [("a.csv:3", "broken_csv"), ("a.csv:4", "undecodable")]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_the_delimiter_is_recognised(tmp_path: Path, delimiter: str) -> None:
    file = tmp_path / "a.csv"
    file.write_text(
        f'id{delimiter}text{delimiter}output\n1{delimiter}"a,b;c"{delimiter}x\n', encoding="gb18030"
    )
    rows, bad = read(tables(), [file], tmp_path)
    assert (said(rows), bad) == ([[("user", "a,b;c"), ("assistant", "x")]], [])


def test_equal_column_names_are_told_apart(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("text,note,note\na,b,c\n", encoding="utf-8")
    rows, _ = read(tables(), [file], tmp_path)
    assert json.loads(rows["extra"][0]) == {"note": "b", "note_2": "c"}


def test_batches_are_even_and_cover_all_rows_of_all_files(tmp_path: Path) -> None:
    files = [
        write_jsonl(tmp_path / f"{n}.jsonl", [{"text": f"{n}-{i}"} for i in range(9_000)]) for n in range(6)
    ]
    heights = [batch.rows.height for batch in tables().read(files, tmp_path)]
    assert sum(heights) == 54_000
    assert all(height >= BATCH_ROWS for height in heights[:-1])


def test_a_language_that_is_no_tag_stays_in_extra(tmp_path: Path) -> None:
    file = write_jsonl(
        tmp_path / "a.jsonl", [{"text": "a", "language": "English"}, {"text": "b", "language": ["en"]}]
    )
    rows, bad = read(tables(), [file], tmp_path)
    assert (rows["language"].to_list(), bad) == ([None, None], [])
    assert json.loads(rows["extra"][0]) == {"language": "English"}


def test_places_are_relative_to_the_root(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "project").mkdir()
    file = write_jsonl(tmp_path / "data" / "a.jsonl", [{"text": "a"}])
    assert read(tables(), [file], tmp_path)[0]["locator"].to_list() == ["data/a.jsonl:1"]
    assert read(tables(), [file], tmp_path / "project")[0]["locator"].to_list() == ["../data/a.jsonl:1"]


def test_wrong_settings_are_refused() -> None:
    for settings in (
        {"language": "English"},
        {"fields": {"asker": "q"}},
        {"encoding": "latin-1"},
        {"colour": 1},
    ):
        with pytest.raises(ValidationError):
            tables(**settings)


def test_a_joined_text_can_be_split_again(tmp_path: Path) -> None:
    items = [
        {"instruction": "Say", "input": "a\nb\n", "output": "x"},
        {"instruction": "第一行\n第二行", "input": "灯", "output": "x"},
        {"instruction": "Say", "input": "", "output": "x"},
        {"instruction": "Say", "output": "x", "input_lines": "mine"},
        {"instruction": "", "input": "only", "output": "x"},
    ]
    rows, _ = read(tables(), [write_jsonl(tmp_path / "a.jsonl", items)], tmp_path)
    extra = [json.loads(each or "{}") for each in rows["extra"]]
    assert extra == [
        {"input_lines": 3},
        {"input_lines": 1},
        {},
        {"input_lines_2": "mine"},
        {"input_lines": 1},
    ]
    for item, turns, more in zip(items, said(rows), extra, strict=True):
        lines = turns[0][1].split("\n")
        count = more.get("input_lines", 0)
        assert "\n".join(lines[: len(lines) - count]) == item["instruction"]
        assert "\n".join(lines[len(lines) - count :]) == item.get("input", "")
    three = tables(fields={"user": ["a", "b", "c"]})
    rows, _ = read(three, [write_jsonl(tmp_path / "b.jsonl", [{"a": "1", "b": "2", "c": "3"}])], tmp_path)
    assert (said(rows), rows["extra"].to_list()) == ([[("user", "1\n2\n3")]], [None])


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "gb18030"])
@pytest.mark.parametrize("name", ["a.tsv", "a.tsv.gz"])
def test_tab_separated_values_in_every_encoding(tmp_path: Path, encoding: str, name: str) -> None:
    lines = ["问题, 原文\t回答", *(f'退款多久到账{n}？\t"三天,\n""工作日"""' for n in range(30))]
    content = "\r\n".join(lines).encode(encoding)
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    source = tables(fields={"user": "问题, 原文", "assistant": "回答"})
    rows, bad = read(source, [tmp_path / name], tmp_path)
    assert bad == []
    assert said(rows) == [
        [("user", f"退款多久到账{n}？"), ("assistant", '三天,\n"工作日"')] for n in range(30)
    ]
    assert rows["locator"].to_list() == [f"{name}:{2 + 2 * n}" for n in range(30)]


def test_large_files_give_what_small_ones_give(tmp_path: Path) -> None:
    """Blocks, pieces and batches meet within records, escapes and quotes; nothing is lost there."""
    texts = [f'{n} "退款"\n' + "ab,;" * (n % 700) for n in range(9_000)]
    file = tmp_path / "a.csv"
    with file.open("w", encoding="utf-8", newline="") as cells:
        csv.writer(cells).writerows([("id", "text"), *enumerate(texts)])
    json_file = write_jsonl(tmp_path / "a.jsonl", [{"id": n, "text": text} for n, text in enumerate(texts)])
    array = tmp_path / "a.json"
    array.write_text(json.dumps([{"id": n, "text": text} for n, text in enumerate(texts)]), encoding="utf-8")
    for path in (file, json_file, array):
        assert path.stat().st_size > 2 * PIECE_BYTES
        rows, bad = read(tables(), [path], tmp_path)
        assert bad == []
        assert [turns[0][1] for turns in said(rows)] == texts
        assert rows["key"].to_list() == [str(n) for n in range(9_000)]


def test_a_list_of_lines_is_a_text_where_the_recipe_names_the_column(tmp_path: Path) -> None:
    lines = [{"code": ["for x in y:", "    打印(x)"], "note": "why?"}, {"code": ["a", 1], "note": "b"}]
    file = write_jsonl(tmp_path / "a.jsonl", lines)
    rows, bad = read(tables(fields={"user": ("note", "code")}), [file], tmp_path)
    assert said(rows) == [[("user", "why?\nfor x in y:\n    打印(x)")]]
    assert told(bad) == [("a.jsonl:2", "wrong_type")]
