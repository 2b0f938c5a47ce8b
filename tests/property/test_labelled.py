"""Laws of labelled sets: nothing is lost, places hold, the short way gives what the long one gives."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.sources.labelled_sets import targets
from tests.unit.sources.reading import read, write_jsonl
from zhiling.sources.labelled import Labelled
from zhiling.sources.labelled.example import Unreadable
from zhiling.sources.labelled.kinds import KINDS
from zhiling.sources.labelled.places import ends_of, located

texts = st.text(
    st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]) | st.sampled_from("退款 ab,\n\"'[{|"),
    max_size=12,
)
leaves = st.none() | st.booleans() | st.integers(-3, 9) | st.floats(-2, 2) | texts
values = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["text", "start", "end", "label", "data", "a"]), inner, max_size=3)
    ),
    max_leaves=6,
)
untimed = settings(max_examples=50, deadline=None)
KIND_NAMES = sorted({kind.name for kind in KINDS} - {"dialogue_state"})


def reading(items: list[Any], **chosen: Any) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        file = write_jsonl(Path(folder) / "a.jsonl", items)
        return read(Labelled(path="*", **chosen), [file], Path(folder))


@pytest.mark.parametrize("kind", KIND_NAMES)
@untimed
@given(data=st.data())
def test_every_record_is_a_row_or_told_whatever_it_holds(kind: str, data: st.DataObject) -> None:
    fields = sorted({field for each in KINDS if each.name == kind for field in each.fields})
    record = st.fixed_dictionaries({}, optional=dict.fromkeys(fields, values))
    items = data.draw(st.lists(record.filter(bool), min_size=1, max_size=5))
    chosen: dict[str, Any] = {"languages": ("en", "zh")} if kind == "translation" else {}
    if kind == "qa":  # a record that holds articles is taken apart
        items = [
            {name: value for name, value in item.items() if name != "data"} or {"x": 1} for item in items
        ]
    rows, bad = reading(items, kind=kind, **chosen)
    assert rows.height + len(bad) == len(items)
    assert all(each.cls.isidentifier() and each.message for each in bad)
    told = {int(each.place.split(":")[1]) for each in bad}
    assert told | {int(place.split(":")[1]) for place in rows["locator"]} == set(range(1, len(items) + 1))


@pytest.mark.parametrize("kind", KIND_NAMES)
@pytest.mark.parametrize("depth", [300, 1000])
def test_a_record_that_is_nested_deeply_costs_only_itself(kind: str, depth: int) -> None:
    chosen: dict[str, Any] = {"languages": ("en", "zh")} if kind == "translation" else {}
    for field in sorted({field for each in KINDS if each.name == kind for field in each.fields}):
        line = json.dumps({"odd": 1})[:-1] + f', "{field}": ' + "[" * depth + '"x"' + "]" * depth + "}"
        rows, bad = reading([line, {"odd": 2}], kind=kind, **chosen)
        assert rows.height + len(bad) == 2


@untimed
@given(st.lists(st.tuples(texts, texts | st.integers(0, 3) | st.none()), min_size=1, max_size=8))
def test_the_short_way_gives_what_the_long_one_gives(pairs: list[tuple[str, Any]]) -> None:
    items = [{"text": text, "label": label} for text, label in pairs]
    plain, told = reading(items, kind="classification")
    # a separator that no label holds keeps the set off the short way
    long, told_long = reading(items, kind="classification", missing=("\x00never",))
    assert plain.drop("extra").equals(long.drop("extra"))
    assert [(each.place, each.cls) for each in told] == [(each.place, each.cls) for each in told_long]


@untimed
@given(texts.filter(bool), st.data())
def test_a_place_in_a_text_is_found_again(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    surface = text[start:end]
    assert located(text, start, end, surface) == (start, end)
    assert ends_of([(text, start, end, surface)]) == "exclusive"
    assert ends_of([(text, start, end - 1, surface)]) == "inclusive"
    moved = data.draw(st.integers(-2, len(text) + 2))
    try:
        first, last = located(text, moved, moved + len(surface), surface, "relocate")
    except Unreadable:
        assert text.count(surface) != 1 or text.find(surface, text.find(surface) + 1) >= 0
    else:
        assert text[first:last] == surface


@untimed
@given(
    st.lists(
        st.tuples(st.text("ab京", min_size=1, max_size=3), st.sampled_from(["O", "B-X", "I-X"])), min_size=1
    )
)
def test_token_lines_and_records_of_tokens_are_the_same(tokens: list[tuple[str, str]]) -> None:
    item = {"tokens": [token for token, _ in tokens], "tags": [tag for _, tag in tokens]}
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        lines = "".join(f"{token}\t{tag}\n" for token, tag in tokens)
        (root / "a.conll").write_text(lines, encoding="utf-8")
        by_line, _ = read(Labelled(path="*"), [root / "a.conll"], root)
        by_record, _ = read(Labelled(path="*"), [write_jsonl(root / "a.jsonl", [item])], root)
    assert by_line["messages"].equals(by_record["messages"])
    assert by_line["target"].to_list() == by_record["target"].to_list()
    text = by_line["messages"][0][0]["text"]
    assert [text[start:end] for start, end in targets(by_line)[0]["tokens"]] == item["tokens"]


@untimed
@given(st.lists(st.dictionaries(texts, values, max_size=4), max_size=4))
def test_no_record_breaks_detection(items: list[dict[str, Any]]) -> None:
    rows, bad = reading([json.loads(json.dumps(item)) for item in items] + [{"text": "a", "label": "b"}])
    assert rows.height + len(bad) >= 1


PIECES = [
    b"a O\n", b"b B-X\n", "京 I-X\n".encode(), b"\n", b"c", b"\t", b" ", b"-DOCSTART- -X- O\n",
    b"\xff", b"\x00",
    b"[", b"]", b"{", b"}", b",", b'"data": [', b'"paragraphs": [', b'"qas": [', b'"context": "Anna."',
    b'"question": "Who?"', b'"answers": [{"text": "Anna", "answer_start": 0}]', b'"tokens": ["a"]',
]  # fmt: skip


@pytest.mark.parametrize("name", ["a.conll", "a.txt", "a.json"])
@untimed
@given(content=st.binary(max_size=200) | st.lists(st.sampled_from(PIECES), max_size=40).map(b"".join))
def test_no_bytes_crash_a_file_of_sentences_or_questions(name: str, content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / name
        file.write_bytes(content)
        rows, bad = read(Labelled(path="*"), [file], Path(folder))
    assert rows.height or bad
    assert all(each.place.startswith(name) and each.cls and each.message for each in bad)
