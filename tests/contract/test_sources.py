"""What every registered source must obey: each item of a file is a row or a bad item, told with its place."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tests.unit.sources.reading import read, told
from zhiling.pipeline import fingerprint, registry
from zhiling.pipeline.number import number_source
from zhiling.pipeline.plan import SourceLine
from zhiling.pipeline.step import Source
from zhiling.rows.schema import MATERIAL_TASKS, ROW

SOURCES = sorted(registry.table("source"))

# Items that a source can read, as lines, and the file's name. A source that is not named here reads `text`.
RECORDS = [{"text": "Where is my parcel?", "label": "late"}, {"text": "我的包裹在哪里？", "label": "late"}]
TURNS = [
    [{"speaker": "customer", "text": "Where is it?"}, {"speaker": "agent", "text": "On its way."}],
    [{"speaker": "顾客", "text": "到了吗？"}, {"speaker": "客服", "text": "明天到。"}],
]
# An address that holds the picture itself, so that one file is the whole sample.
PICTURE = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGNgYGAAAAAEAAH2FzhVAAAAAElFTkSuQmCC"  # fmt: skip  # noqa: E501
SAMPLES: dict[str, tuple[str, list[str]]] = {
    "conversations": (
        "log.jsonl",
        [
            json.dumps({"id": str(number), "turns": turns}, ensure_ascii=False)
            for number, turns in enumerate(TURNS)
        ],
    ),
    "instructions": (
        "chat.jsonl",
        [
            json.dumps({"instruction": "Where is it?", "input": "", "output": "On its way.", "text": "x"}),
            json.dumps({"messages": [{"role": "user", "content": "到了吗？"}]}, ensure_ascii=False),
        ],
    ),
    "feedback": (
        "feedback.jsonl",
        [
            json.dumps(
                {
                    "id": str(number),
                    "time": "2026-01-01T10:00:00Z",
                    "conversation": "c",
                    "answer_id": str(number),
                    "messages": [{"role": "user", "text": text}],
                    "answer": "r",
                    "verdict": "up",
                    "consent": True,
                },
                ensure_ascii=False,
            )
            for number, text in enumerate(("Where is it?", "到了吗？"))
        ],
    ),
    "images": (
        "pictures.jsonl",
        [
            json.dumps({"image": PICTURE, "caption": text}, ensure_ascii=False)
            for text in ("A dot.", "一个点。")
        ],
    ),
    "documents": ("page.md", ["# Returns", "Send it back.", "# 退货", "请寄回。"]),
}
PLAIN = ("rows.jsonl", [json.dumps(record, ensure_ascii=False) for record in RECORDS])

BROKEN = [
    b'{"text": "cut off',
    b"\xff\xfe\xfa\xfb\xfc",
    b'{"text": "a\x00b"}',
    b'{"nothing": "known"}',
    b"[]",
]


def make(name: str, **settings: Any) -> Source:
    return registry.load("source", name)(path="*", **settings)


def sample(name: str, root: Path, extra: list[bytes] | None = None) -> Path:
    file, lines = SAMPLES.get(name, PLAIN)
    path = root / file
    path.write_bytes(b"\n".join([line.encode() for line in lines] + (extra or [])) + b"\n")
    return path


@pytest.mark.parametrize("name", SOURCES)
def test_items_become_rows_of_the_record(name: str, tmp_path: Path) -> None:
    rows, bad = read(make(name), [sample(name, tmp_path)], tmp_path)
    assert (rows.height, bad) == (2, [])
    assert all(rows["messages"].list.len() > 0)
    known = {"utterance", "passage", "classification", "dialogue", "instruction", "ner"}
    assert set(rows["task"]) <= known | MATERIAL_TASKS
    file = sample(name, tmp_path).name
    assert all(locator.startswith(f"{file}:") for locator in rows["locator"])
    numbered = number_source(SourceLine("s", make(name), ()), rows, 0, Counter())
    assert numbered.schema == pl.Schema(ROW)
    assert numbered["id"].n_unique() == 2


@pytest.mark.parametrize("name", SOURCES)
def test_every_item_is_a_row_or_a_bad_item(name: str, tmp_path: Path) -> None:
    rows, bad = read(make(name), [sample(name, tmp_path, BROKEN)], tmp_path)
    file, lines = SAMPLES.get(name, PLAIN)
    first = len(lines) + 1
    assert all(place.startswith(f"{file}:") for place, _ in told(bad))
    assert all(each.cls.isidentifier() and each.message for each in bad)
    if name == "documents":  # a page is text: only what is no text at all can be bad
        assert [place for place, _ in told(bad)] == [f"{file}:{first + 1}", f"{file}:{first + 2}"]
        return
    assert rows.height + len(bad) == 2 + len(BROKEN)
    told_lines = sorted(int(place.split(":")[1]) for place, _ in told(bad))  # a column may follow the line
    assert told_lines == list(range(first, first + len(BROKEN)))


@pytest.mark.parametrize("name", SOURCES)
def test_an_empty_file_is_one_bad_item(name: str, tmp_path: Path) -> None:
    path = tmp_path / SAMPLES.get(name, PLAIN)[0]
    path.write_bytes(b"")
    rows, bad = read(make(name), [path], tmp_path)
    assert (rows.height, told(bad)) == (0, [(f"{path.name}:1", "empty_file")])


@pytest.mark.parametrize("name", SOURCES)
def test_reading_twice_gives_the_same(name: str, tmp_path: Path) -> None:
    path = sample(name, tmp_path, BROKEN)
    before = path.read_bytes()
    first, second = read(make(name), [path], tmp_path), read(make(name), [path], tmp_path)
    assert first[0].equals(second[0])
    assert first[1] == second[1]
    assert path.read_bytes() == before


@pytest.mark.parametrize("name", SOURCES)
def test_gzip_changes_places_only(name: str, tmp_path: Path) -> None:
    path = sample(name, tmp_path)
    packed = path.with_name(path.name + ".gz")
    packed.write_bytes(gzip.compress(path.read_bytes()))
    plain, zipped = read(make(name), [path], tmp_path), read(make(name), [packed], tmp_path)
    places = ["locator", "group"] if name == "documents" else ["locator"]
    assert zipped[0].drop(places).equals(plain[0].drop(places))
    assert all(locator.startswith(f"{packed.name}:") for locator in zipped[0]["locator"])


@pytest.mark.parametrize("name", SOURCES)
def test_a_truncated_gzip_is_told_and_what_came_before_is_kept(name: str, tmp_path: Path) -> None:
    path = sample(name, tmp_path)
    packed = path.with_name(path.name + ".gz")
    packed.write_bytes(gzip.compress(path.read_bytes())[:-4])
    rows, bad = read(make(name), [packed], tmp_path)
    assert rows.height == 2
    assert [each.cls for each in bad] == ["truncated_gzip"]


@pytest.mark.parametrize("name", SOURCES)
def test_a_card_says_what_the_source_reads(name: str) -> None:
    source = registry.load("source", name)
    assert source.name == name
    assert source.__doc__
    assert len(source.__doc__.splitlines()[0]) < 120
    undescribed = [
        field
        for field, info in source.model_fields.items()
        if field not in Source.model_fields
        and not info.description
        and not any(f"{field}: of" in each or f"{field}:" in each for each in _docs(source))
    ]
    assert undescribed == [], "every setting is described"


def _docs(source: type[Source]) -> list[str]:
    return [base.__doc__ or "" for base in source.__mro__ if issubclass(base, Source)]


@pytest.mark.parametrize("name", SOURCES)
def test_settings_go_to_json_and_back(name: str) -> None:
    source = make(name, licence="MIT")
    assert type(source).model_validate_json(source.model_dump_json()) == source
    with pytest.raises(ValueError, match="Extra inputs"):
        make(name, unheard_of=1)


FIELDS = {"text": "said", "user": "said", "image": "said"}  # of each source, one
CHANGES: dict[str, Any] = {
    "path": "other", "licence": "MIT", "encoding": "gb18030", "delimiter": ";", "language": "zh",
    "task": "qa", "key": "number", "group": "customer", "labels": ["a"], "max_characters": 900,
    "each": "first", "roles": {"agent": "clerk"}, "kind": "classification", "where": {"text": "a"},
    "extract": {"text": "(?P<text>.+)"}, "licence_field": "licence", "names": ["a", "b"], "separator": "|",
    "missing": ["-"], "absent": "none", "ends": "inclusive", "mismatch": "relocate", "answer_as": "index",
    "languages": ["en", "zh"], "lookup": {"file": "tasks.jsonl", "on": "task", "take": ["definition"]},
    "others": "first", "layout": "chat", "context": 9, "threads": "predicted", "least_link": 0.5,
    "folder": "photos", "ask": "What is it?", "max_bytes": 9, "max_pixels": 9,
    "with_acts": True, "format": "alpaca", "dataset": "demo", "media": "pictures", "missing_media": "keep",
}  # fmt: skip


@pytest.mark.parametrize("name", SOURCES)
def test_every_setting_reaches_the_fingerprint(name: str, tmp_path: Path) -> None:
    file = sample(name, tmp_path)

    def key(source: Source) -> str:
        return fingerprint.source_key(source, "s", [file], tmp_path)

    source = make(name)
    for field in type(source).model_fields:
        value = CHANGES.get(
            field, {"text": "said", "user": "said", "image": "said"} if field == "fields" else None
        )
        changed = _with(source, field, value)
        assert changed is not None, f"setting {field!r} of {name} could not be set to {value!r}"
        assert key(changed) != key(source), f"setting {field!r} of {name} does not reach the fingerprint"
    file.write_text("other", encoding="utf-8")
    assert key(make(name)) != fingerprint.source_key(source, "s", [], tmp_path)


def _with(source: Source, field: str, value: Any) -> Source | None:
    given = source.model_dump(mode="json")
    options = [{k: v} for k, v in value.items()] if field == "fields" else [value]
    for option in options:
        try:
            return type(source).model_validate({**given, field: option})
        except ValueError:
            continue
    return None
