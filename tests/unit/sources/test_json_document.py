"""JSON files that are one document: arrays, objects around one, one object; each element with its line."""

from __future__ import annotations

import gzip
import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from tests.unit.sources.reading import read, said, told
from zhiling.sources.files.lines import MAX_LINE_BYTES
from zhiling.sources.records.json_document import elements, is_document
from zhiling.sources.records.jsonl import json_records
from zhiling.sources.tables import Tables

ITEMS = [
    {"text": "How? {[,", "output": 'say "so"\n'},
    {"text": "退款，多久？", "output": "三天]}"},
    {"text": "\\", "output": '\\"'},
]


def rows(path: Path, **settings: Any) -> tuple[list[tuple[str, str]], list[str], list[tuple[str, str]]]:
    """User and assistant of each row, locators, and bad items."""
    frame, bad = read(Tables(path="*", **settings), [path], path.parent)
    texts = [(turns[0][1], turns[1][1] if len(turns) > 1 else "") for turns in said(frame)]
    return texts, frame["locator"].to_list(), told(bad)


WANTED = [(item["text"], item["output"]) for item in ITEMS]


@pytest.mark.parametrize("indent", [None, 0, 2, "\t"])
@pytest.mark.parametrize("around", [None, "data", "数据"])
@pytest.mark.parametrize("ascii_only", [False, True])
def test_arrays_in_every_layout(tmp_path: Path, indent: Any, around: str | None, ascii_only: bool) -> None:
    document = ITEMS if around is None else {"version": {"data": [1]}, around: ITEMS, "more": [{"text": "x"}]}
    path = tmp_path / "a.json"
    path.write_text(json.dumps(document, indent=indent, ensure_ascii=ascii_only), encoding="utf-8")
    texts, places, bad = rows(path)
    assert (texts, bad) == (WANTED, [])
    lines = path.read_text(encoding="utf-8").splitlines()
    for item, place in zip(ITEMS, places, strict=True):
        line = lines[int(place.split(":")[1]) - 1]
        assert line.lstrip().startswith("{") or json.dumps(item["text"], ensure_ascii=ascii_only) in line


def test_the_line_where_each_element_begins(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b'[\r\n\r\n  {"text": "1",\r\n   "n": 1},\r\n{"text": "2"}, {"text":\r\n"3"}\r\n]\r\n')
    assert rows(path)[1] == ["a.json:3", "a.json:5", "a.json:5"]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "gb18030"])
@pytest.mark.parametrize("packed", [False, True])
def test_encodings_of_arrays(tmp_path: Path, encoding: str, packed: bool) -> None:
    items = [{"text": f"退款什么时候到账{number}俼慭", "output": "三天之内"} for number in range(40)]
    content = json.dumps(items, ensure_ascii=False, indent=1).encode(encoding)
    path = tmp_path / ("a.json.gz" if packed else "a.json")
    path.write_bytes(gzip.compress(content) if packed else content)
    assert rows(path)[0] == [(item["text"], item["output"]) for item in items]


def test_lines_and_single_objects_in_json_files(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('{"text": "1"}\n{"text": "2"\n{"text": "3"}\n', encoding="utf-8")
    assert rows(path)[1:] == (["a.json:1", "a.json:3"], [("a.json:2:13", "broken_json")])
    path.write_text('{"text": "one", "turns": [{"a": 1}, {"a": 2}]}', encoding="utf-8")
    assert rows(path)[0] == [("one", "")]
    path.write_text('\n{\n "text": "one",\n "n": [1, 2]\n}\n', encoding="utf-8")
    assert rows(path) == ([("one", "")], ["a.json:2"], [])
    path.write_text('{\n"text": "1"}\n{"text": "2"}{"text": "3"\n}', encoding="utf-8")
    assert rows(path)[1] == ["a.json:1", "a.json:3", "a.json:3"]
    for empty in ("[]", " [ ]\n", '{"data": []}', "", " \n"):
        path.write_text(empty, encoding="utf-8")
        assert rows(path)[2] == [("a.json:1", "empty_file")]


def test_a_broken_element_costs_itself(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(
        b'[{"text": "1"},\n{"text": "2" 3},\n{"text": "3},\n{"text": "4"},\n[5], 6,\n{"text": "\xff"},\n'
        b'{"text": "8", "text": "9"},\n{"text": "10"}\n]\nrest'
    )
    texts, places, bad = rows(path)
    assert [text for text, _ in texts] == ["1", "4", "10"]
    assert places == ["a.json:1", "a.json:4", "a.json:8"]
    assert sorted(bad) == [
        ("a.json:10", "broken_json"),
        ("a.json:2", "broken_json"),
        ("a.json:3", "broken_json"),
        ("a.json:5", "not_an_object"),
        ("a.json:5", "not_an_object"),
        ("a.json:6", "undecodable"),
        ("a.json:7", "duplicate_key"),
    ]


@pytest.mark.parametrize("document", ['[{"text": "1"}', '[{"text": "1"}, {"te', '{"data": [{"text": "1"},'])
def test_a_document_that_is_cut_off_is_told(tmp_path: Path, document: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(document, encoding="utf-8")
    texts, _, bad = rows(path)
    assert texts == [("1", "")]
    assert set(bad) == {("a.json:1", "broken_json")}


def test_a_truncated_gzip_keeps_the_elements_before_the_cut(tmp_path: Path) -> None:
    path = tmp_path / "a.json.gz"
    path.write_bytes(
        gzip.compress(json.dumps([{"text": str(n * n)} for n in range(30_000)]).encode())[:-40_000]
    )
    texts, _, bad = rows(path)
    assert len(texts) > 1000
    assert bad[0][1] == "truncated_gzip"


def test_an_element_beyond_the_limit_is_told_and_never_held() -> None:
    size = MAX_LINE_BYTES + 12_000_000

    def pieces() -> Any:
        yield b'[{"text": "1"}, {"text": "\\'
        for _ in range(size // 500_000):
            yield b'",]}' + b"x" * 499_994 + b"\\\\\\"  # cut within an escape
        yield b'"", "n": [1, {}]},\n{"text": "3"}]'

    tracemalloc.start()
    read = list(json_records(elements(pieces(), "a"), "a"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [item for part in read for item in part.items] == [{"text": "1"}, {"text": "3"}]
    assert [line for part in read for line in part.lines] == [1, 2]
    assert [(bad.place, bad.cls) for part in read for bad in part.bad] == [("a:1", "line_too_long")]
    assert peak < 12 * MAX_LINE_BYTES


def test_what_is_a_document() -> None:
    assert is_document(b' [{"a": 1}]')
    assert is_document(b'{\n "a": 1}')
    assert is_document(b'{"data": [\n{"a": 1},')
    assert is_document(b'{"a": 1}\n')
    assert not is_document(b'{"a": 1}\n{"a": 2}')
    assert not is_document(b'{"text": "cut\n{"a": 2}')
    assert not is_document(b"")
