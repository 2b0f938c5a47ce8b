"""What every registered format must obey: rows written are rows given, and what is lost is counted."""

from __future__ import annotations

import csv
import gzip
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from zhiling.pipeline import registry
from zhiling.rows.formats import losses
from zhiling.rows.formats.format import Format
from zhiling.rows.schema import ROW

FORMATS = sorted(registry.table("format"))
AWKWARD = 'a "quote"\\ \n\t\r\u2028\u0001 😀 中文 </s> {"x": 1}, ;'


def message(role: str, text: str, **more: Any) -> dict[str, Any]:
    return {"role": role, "text": text, **more}


def frame(rows: list[dict[str, Any]]) -> pl.DataFrame:
    blank = dict.fromkeys(ROW)
    full = [
        {**blank, "id": str(n), "origin": {"source": "s", "locator": f"f:{n}"}, **row}
        for n, row in enumerate(rows)
    ]
    return pl.DataFrame(full, schema=ROW)


ROWS = frame(
    [
        {"messages": [message("user", "Where is it?"), message("assistant", "On its way.")]},
        {"messages": [message("user", AWKWARD), message("assistant", AWKWARD)]},
        {"messages": [message("user", "我的包裹？")], "target": '{"labels":["late","lost"]}'},
        {
            "messages": [
                message("system", "Be kind."),
                message("user", "q1"),
                message("assistant", "r1"),
                message("user", "q2"),
                message("assistant", "r2"),
            ]
        },
        {"messages": [message("user", ""), message("assistant", "")]},
    ]
)
RICH = frame(
    [
        {
            "messages": [
                message(
                    "user",
                    "look",
                    media=[{"kind": "image", "path": "a.png", "sha256": "0" * 64, "at": 0}],
                ),
                message("assistant", "seen"),
            ],
            "alternatives": [
                {"messages": [message("assistant", "no")], "kind": "rejected", "rank": None, "score": None}
            ],
        }
    ]
)


def make(name: str) -> Format:
    return registry.load("format", name)()


def records(name: str, path: Path) -> list[Any]:
    """The records of a written file, as other libraries read them."""
    suffix = make(name).suffix
    if suffix == ".parquet":
        return pl.read_parquet(path).to_dicts()
    content = path.read_bytes().decode()
    if suffix == ".csv":
        return list(csv.DictReader(content.splitlines(keepends=True)))
    if suffix == ".json":
        passages = [passage for article in json.loads(content)["data"] for passage in article["paragraphs"]]
        return [{**passage, **question} for passage in passages for question in passage["qas"]]
    if suffix == ".conll":
        return content.split("\n\n")[:-1]
    assert content.endswith("\n") or not content
    return [json.loads(line) for line in content.split("\n")[:-1]]


@pytest.mark.parametrize("name", FORMATS)
def test_rows_written_are_rows_given(name: str, tmp_path: Path) -> None:
    path = tmp_path / "out"
    written = make(name).write(ROWS, path)
    assert written.rows == ROWS.height == len(records(name, path)) + written.losses.get("empty_text", 0)
    if make(name).suffix in (".conll", ".json"):  # of one text and its truth
        return
    shown = json.dumps(records(name, path), ensure_ascii=False)
    for text in ("Where is it?", "On its way.", "我的包裹？", "late", "q2", "r2", "😀 中文 </s>"):
        assert text in shown


@pytest.mark.parametrize("name", FORMATS)
def test_no_rows_give_an_empty_file(name: str, tmp_path: Path) -> None:
    written = make(name).write(ROWS.clear(), tmp_path / "out")
    assert (written.rows, dict(written.losses)) == (0, {})
    assert (tmp_path / "out").read_bytes() == make(name).header() + make(name).encoder().finish()
    assert records(name, tmp_path / "out") == []


@pytest.mark.parametrize("name", FORMATS)
def test_batches_and_repetition_change_no_byte(name: str, tmp_path: Path) -> None:
    make(name).write(ROWS, tmp_path / "whole")
    make(name).write(ROWS, tmp_path / "again")
    with make(name).open(tmp_path / "pieces") as writer:
        for start in range(ROWS.height):
            writer.write(ROWS.slice(start, 1))
    whole = (tmp_path / "whole").read_bytes()
    assert (tmp_path / "again").read_bytes() == whole
    assert (tmp_path / "pieces").read_bytes() == whole
    make(name).write(ROWS, tmp_path / "out.gz")
    assert gzip.decompress((tmp_path / "out.gz").read_bytes()) == whole


@pytest.mark.parametrize("name", FORMATS)
def test_what_is_lost_is_counted_and_the_rows_are_untouched(name: str, tmp_path: Path) -> None:
    before, losses = RICH.clone(), Counter[str]()
    make(name).encode(RICH, losses)
    make(name).write(RICH, tmp_path / "out")
    content = json.dumps(records(name, tmp_path / "out"))
    assert RICH.equals(before)
    for what, trace in (("media", "a.png"), ("alternatives", '"no"')):
        assert losses[what] == 1 or trace in content, f"{what} is neither written nor counted"


@pytest.mark.parametrize("name", FORMATS)
def test_an_error_leaves_no_half_file(name: str, tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_text("the old one", encoding="utf-8")
    with pytest.raises(RuntimeError, match="the next batch failed"):
        _broken_off(make(name), path)
    assert path.read_text(encoding="utf-8") == "the old one"
    assert list(tmp_path.iterdir()) == [path]


def _broken_off(form: Format, path: Path) -> None:
    with form.open(path) as writer:
        writer.write(ROWS)
        raise RuntimeError("the next batch failed")


@pytest.mark.parametrize("name", FORMATS)
def test_settings_go_to_json_and_back_and_a_card_exists(name: str) -> None:
    form = make(name)
    assert type(form).name == name
    assert type(form).__doc__
    assert len(type(form).__doc__.splitlines()[0]) < 120
    assert type(form).model_validate_json(form.model_dump_json()) == form
    for field in type(form).model_fields:
        assert f"{field}:" in (type(form).__doc__ or "") or type(form).model_fields[field].description
    with pytest.raises(ValueError, match="Extra inputs"):
        type(form).model_validate({"unheard_of": 1})


def test_every_loss_has_a_meaning() -> None:
    folder = Path(str(losses.__file__)).parent
    source = "".join(path.read_text(encoding="utf-8") for path in folder.glob("*.py"))
    named = set(re.findall(r'lost\.add\(\s*"(\w+)"', source)) | set(
        re.findall(r'_add\(losses, "(\w+)"', source)
    )
    assert len(named) > 30
    assert sorted(named - set(losses.LOSSES)) == []
    assert losses.meaning("role_tool") == "messages of role tool"
    assert losses.meaning("extra.id") == "field id of extra, which the format uses itself"
