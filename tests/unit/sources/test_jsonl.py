"""JSON Lines: what a line may not hold is told with its reason, at any depth."""

from __future__ import annotations

import json

import pytest

from zhiling.sources.files.lines import Block
from zhiling.sources.records.json_text import has_long_number
from zhiling.sources.records.jsonl import json_records
from zhiling.sources.records.records import Records

DEEP = '{"text": ' + "[" * 300 + "]" * 300 + "}"
DEEPER = '{"text": ' + "[" * 5000 + "]" * 5000 + "}"


def read(*lines: str) -> Records:
    data = "".join(line + "\n" for line in lines).encode()
    (records,) = json_records(iter([Block(1, data)]), "a.jsonl")
    return records


@pytest.mark.parametrize(
    ("line", "cls", "named"),
    [
        ('{"text": "a", "text": "b"}', "duplicate_key", "'text'"),
        ('{"text": "a", "n": {"标签": 1, "标签": 1}}', "duplicate_key", "'标签'"),
        ('{"text": [{"a": [{"b": 1, "b": 2}]}]}', "duplicate_key", "'b'"),
        ('{"text": "a", "te\\u0078t": "b"}', "duplicate_key", "'text'"),
        ('{"text" : "a", "text" : "b"}', "duplicate_key", "'text'"),
        ('{"text": "\\u0022:", "n": 1, "n": 2}', "duplicate_key", "'n'"),
        ('{"text": 18446744073709551616}', "number_too_large", "18446744073709551616"),
        ('{"text": -9223372036854775809}', "number_too_large", "-9223372036854775809"),
        ('{"text": [1' + "0" * 100 + "]}", "number_too_large", "1000"),
        ('{"text": 1e999}', "broken_json", "infinity"),
        ('{"text": NaN}', "broken_json", ""),
        ('{"text": Infinity}', "broken_json", ""),
        ('{"text": "\\ud800"}', "broken_json", "surrogate"),
        ('{"text": "\\udc00\\ud800"}', "broken_json", ""),
        (DEEP, "too_deep", "250"),
        (DEEPER, "broken_json", "depth"),
    ],
)
def test_a_line_that_cannot_be_held_is_told_and_its_neighbours_are_kept(
    line: str, cls: str, named: str
) -> None:
    records = read('{"text": "好"}', line, '{"text": "good"}')
    assert [item["text"] for item in records.items] == ["好", "good"]
    assert list(records.lines) == [1, 3]
    (bad,) = records.bad
    assert (bad.cls, ":".join(bad.place.split(":")[:2])) == (cls, "a.jsonl:2")
    assert named in bad.message
    assert len(bad.excerpt) <= 80


@pytest.mark.parametrize(
    "line",
    [
        '{"text": "\\": \\":", "n": {"a": {"a": {"a": 1}}}}',
        '{"text" : ":", "more": [{"a": 1}, {"a": 1}]}',
        '{"text": "\\u0022: \\u003a", "\\u003a": ":"}',
        '{"text": 18446744073709551615, "n": -9223372036854775808}',
        '{"text": "1234567890123456789012345", "n": 0.1234567890123456789}',
        '{"text": "", "": ":"}',
        '{"text": "\\ud83d\\ude00\\u0000"}',
    ],
)
def test_lines_that_only_look_so_are_kept(line: str) -> None:
    records = read('{"other": 1}', line)
    assert records.items[1] == json.loads(line)
    assert records.bad == []


@pytest.mark.parametrize("digits", [1, 18, 19, 20, 40])
@pytest.mark.parametrize("before", range(20))
def test_long_numbers_are_found_wherever_they_stand(digits: int, before: int) -> None:
    text = b"x" * before + b"7" * digits + b" 12 3456 " * 5
    assert has_long_number(text) == (digits >= 19)
