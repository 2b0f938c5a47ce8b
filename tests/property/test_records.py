"""The fast ways to read records give the very same records as the careful ones, or step aside."""

from __future__ import annotations

import csv
import io
import json
from typing import Any
from unittest.mock import patch

import orjson
import polars as pl
from hypothesis import example, given, settings
from hypothesis import strategies as st

from zhiling.pipeline.step import Bad
from zhiling.sources.files.lines import Block, decoded_blocks
from zhiling.sources.records.columns import Columns
from zhiling.sources.records.csv_records import csv_records
from zhiling.sources.records.json_document import elements
from zhiling.sources.records.json_text import parsed
from zhiling.sources.records.jsonl import careful_records, json_records
from zhiling.sources.records.records import FrameItems, Records, gathered
from zhiling.sources.records.regular_csv import regular_table
from zhiling.sources.records.regular_json import regular_frame

NASTY = [
    '"',
    "\\",
    '\\"',
    "\n",
    "\r\n",
    ",",
    ":",
    '":',
    "{",
    "}",
    "[",
    "]",
    "\t",
    "\x01",
    " ",
    "null",
    "a",
    "é",
    "退款",
    "😀",
    "\u2028",
]
TEXT = st.one_of(
    st.lists(st.sampled_from(NASTY), max_size=6).map("".join),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30),
)
SCALAR = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**20), 10**20),
    st.floats(allow_nan=True),
    st.sampled_from([1, 1.0]),
)
VALUE = st.one_of(TEXT, SCALAR, st.lists(TEXT, max_size=2), st.dictionaries(TEXT, TEXT, max_size=2))
RAW_LINES = [
    "",
    "  ",
    "[]",
    "3",
    '{"a": "x", "a": "y"}',
    '{"a": 1, "b": 2, "a": 3}',
    '{"a": {"b": "1", "b": "2"}, "b": "x"}',
    '{"a" : "x", "b": "y"}',
    '{"a": "\\u0022:", "b": "\\ud83d\\ude00"}',
    '{"a": "\\ud800", "b": ""}',
    '{"a": "x", "b": "\\x"}',
    '{"a": "\tx", "b": "y"}',
    '{"a": 1e3, "b": "y"}',
    '{"a": 123456789012345678901, "b": "y"}',
    '{"a": -0, "b": "y"}',
    '{"a": NaN, "b": "y"}',
    '{"a": "x", "b": "y"',
    '{"a": "x", "b": "y"} {"a": "x", "b": "y"}',
    '{"a": "x", "c": "y"}',
    '{"b": "x", "a": "y"}',
    '{"a": "x\\", "b": "y"}',
    '{"a": "2024-01-01", "b": "true"}',
]


def spelled(items: Any) -> list[str]:
    """Types and all: 1 is not 1.0."""
    return [repr(item) for item in items]


@st.composite
def json_blocks(draw: st.DrawFn) -> bytes:
    """Mostly lines of one shape, now and then anything."""
    names = draw(
        st.lists(
            st.one_of(st.sampled_from(["a", "b", "c", "标签", "n"]), TEXT),
            min_size=1,
            max_size=3,
            unique=True,
        )
    )
    kinds = [
        draw(st.sampled_from([TEXT, TEXT, st.integers(0, 99), st.floats(0, 9), st.booleans(), SCALAR, VALUE]))
        for _ in names
    ]
    dumped = {
        "ensure_ascii": draw(st.booleans()),
        "separators": draw(st.sampled_from([(",", ":"), (", ", ": "), (" , ", " : ")])),
    }
    records = draw(st.lists(st.tuples(*kinds), min_size=1, max_size=8))
    lines = [json.dumps(dict(zip(names, record, strict=True)), **dumped) for record in records]
    if draw(st.booleans()):
        lines.insert(draw(st.integers(0, len(lines))), draw(st.sampled_from(RAW_LINES)))
    return "".join(line + "\n" for line in lines).encode()


@settings(max_examples=150, deadline=None)
@given(data=json_blocks())
@example(data=b'{"a": "x", "b": 1}\n{"a": 2, "c": "y"}\n')
@example(data=b'{"a": 1, "b": "x"}\n{"a": 2}, "b": "y"}\n')
@example(data=b'{"a":1,"b":2}\n{"a":1,2,"b":}\n')
@example(data=b'{"a":"\\\\\\"","b":"\\\\"}\n{"a":"\\\\","b":"\\n"}\n')
def test_columns_of_json_are_what_each_line_says(data: bytes) -> None:
    frame = regular_frame(data)
    careful = careful_records(Block(1, data), "a")
    if frame is not None:
        assert spelled(FrameItems(frame)) == spelled(careful.items)
        assert (list(careful.lines), careful.bad) == (list(range(1, frame.height + 1)), [])


@settings(max_examples=80, deadline=None)
@given(line=st.one_of(st.sampled_from(RAW_LINES), st.dictionaries(TEXT, VALUE, max_size=3).map(json.dumps)))
def test_a_json_line_is_held_exactly_or_told(line: str) -> None:
    records = careful_records(Block(1, line.encode() + b"\n"), "a")
    assert len(records.items) + len(records.bad) == (1 if line.strip() else 0)

    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        assert len({name for name, _ in found}) == len(found), "a duplicate key passed"
        return dict(found)

    if records.items:
        assert repr(json.loads(line, object_pairs_hook=pairs)) == repr(records.items[0]).replace("-0,", "0,")


@settings(max_examples=100, deadline=None)
@given(
    table=st.lists(st.lists(TEXT, min_size=1, max_size=3), min_size=1, max_size=12),
    width=st.integers(1, 3),
    delimiter=st.sampled_from([",", ";", "\t"]),
    quoting=st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]),
    noise=st.lists(
        st.tuples(st.integers(0, 300), st.sampled_from(['"', "\n", ",", '""', "\r\n", "x"])), max_size=2
    ),
    size=st.integers(5, 400),
)
def test_columns_of_csv_are_what_each_record_says(
    table: list[list[str]],
    width: int,
    delimiter: str,
    quoting: Any,
    noise: list[tuple[int, str]],
    size: int,
) -> None:
    """Ragged records, quotes and line ends anywhere, blocks cut anywhere."""
    file = io.StringIO()
    writer = csv.writer(file, delimiter=delimiter, quoting=quoting, lineterminator="\n")
    writer.writerows(
        [["a", "b", "c"][:width], *(record if len(record) == 3 else (record * 3)[:width] for record in table)]
    )
    text = file.getvalue()
    for place, piece in noise:
        text = text[:place] + piece + text[place:]
    content = text.encode()
    pieces = [content[start : start + size] for start in range(0, len(content), size)]

    def read() -> list[Records]:
        return list(csv_records(decoded_blocks(pieces, "a", "utf-8"), "a"))

    fast = read()
    with patch("zhiling.sources.records.csv_records.regular_table", return_value=None):
        careful = read()
    for name in ("items", "lines"):
        assert [each for part in fast for each in getattr(part, name)] == [
            each for part in careful for each in getattr(part, name)
        ]
    assert [each for part in fast for each in part.bad] == [each for part in careful for each in part.bad]


def test_the_fast_ways_are_taken() -> None:
    data = b'{"a": "x\\n\\"\\u9000", "n": 1}\n{"a": "\xe9\x80\x80", "n": 20}\n'
    frame = regular_frame(data)
    assert frame is not None
    assert frame.to_dicts() == [{"a": 'x\n"退', "n": 1}, {"a": "退", "n": 20}]
    table = regular_table(b'a,"x ""y"",\n1"\n,\n', 2, ",")
    assert table is not None
    assert [column.to_list() for column in table.columns] == [["a", ""], ['x "y",\n1', ""]]
    assert (list(table.lines), table.used_lines) == ([0, 2], 3)


@settings(max_examples=80, deadline=None)
@given(data=json_blocks())
def test_rows_do_not_depend_on_how_records_are_held(data: bytes) -> None:
    """Texts, keys, languages and what is left are the same from a frame and from dictionaries."""
    read = [records for records in json_records(iter([Block(1, data)]), "a") if records.frame is not None]
    for records in gathered(read):
        plain = Records(records.place, records.lines, list(records.items), records.bad)
        given_as = [Columns(records), Columns(plain)]
        assert given_as[0].names == given_as[1].names
        for name in given_as[0].names:
            found = [
                (
                    each.text(name, required=True).to_list(),
                    each.key(name).to_list(),
                    each.extra(
                        {name}, {"n": pl.Series([None, *range(len(each.items) - 1)], dtype=pl.Int64)}
                    ).to_list(),
                    each.extra(set()).to_list(),
                    [bad.message for bad in each.problems()],
                )
                for each in given_as
            ]
            assert found[0] == found[1]


@settings(max_examples=100, deadline=None)
@given(
    items=st.lists(st.dictionaries(TEXT, VALUE, max_size=3), max_size=6),
    indent=st.sampled_from([None, 0, 1, "\t"]),
    around=st.sampled_from([None, "data", "数据"]),
    ascii_only=st.booleans(),
    size=st.integers(1, 200),
)
def test_an_array_gives_what_its_elements_give_as_lines(
    items: list[Any], indent: Any, around: str | None, ascii_only: bool, size: int
) -> None:
    """In every layout, cut anywhere."""
    document = items if around is None else {around: items, "x": {around: [1]}}
    whole = json.dumps(document, indent=indent, ensure_ascii=ascii_only).encode()
    head = whole.index(b"[") + 1  # the head decides what the document is, so it comes in one piece
    pieces = [whole[:head], *(whole[at : at + size] for at in range(head, len(whole), size))]
    read = list(json_records(elements(iter(pieces), "a"), "a"))
    lines = "".join(json.dumps(item) + "\n" for item in items).encode()
    wanted = careful_records(Block(1, lines), "a") if items else Records("a", [], [])
    assert spelled(item for part in read for item in part.items) == spelled(wanted.items)
    told = sorted(bad.cls for part in read for bad in part.bad)
    assert told == sorted(bad.cls for bad in wanted.bad)


@settings(max_examples=100, deadline=None)
@example(pieces=["\\\n0"], start="", cut=1)
@example(pieces=["\\"], start="[", cut=30)
@example(pieces=["]", '"'], start='{"data": [', cut=10)
@given(
    pieces=st.lists(st.one_of(st.sampled_from(NASTY), st.sampled_from(RAW_LINES), TEXT), max_size=20),
    start=st.sampled_from(["", "[", '{"data": [', '[{"a": 1},\n']),
    cut=st.integers(1, 30),
)
def test_any_document_is_read_to_its_end(pieces: list[str], start: str, cut: int) -> None:
    """No crash and no hang, whatever the bytes, and nothing but space goes without a word."""
    content = (start + "".join(pieces)).encode()
    parts = [content[at : at + cut] for at in range(0, len(content), cut)]
    read = list(json_records(elements(iter(parts), "a"), "a"))
    told = sum(len(part.items) + len(part.bad) for part in read)
    assert told or not content.removeprefix(start.encode()).strip(b" \t\r\n\x0b\x0c,[]")


@settings(max_examples=80, deadline=None)
@given(
    item=st.dictionaries(TEXT, st.one_of(TEXT, st.integers(-(2**63), 2**64 - 1), st.booleans()), max_size=4)
)
def test_what_json_can_hold_is_read_back(item: dict[str, Any]) -> None:
    assert parsed(orjson.dumps(item), "a") == item
    records = careful_records(Block(1, orjson.dumps(item) + b"\n"), "a")
    assert (records.items, records.bad) == ([item], [])
    assert not isinstance(parsed(json.dumps(item).encode(), "a"), Bad)
