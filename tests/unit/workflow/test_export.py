"""What lies beside exported files: an index that LLaMA-Factory reads, and that this project reads again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import zhiling
from tests.unit.sources.reading import read
from zhiling.errors import UsageError
from zhiling.pipeline import registry
from zhiling.workflow.export import INDEX, Exported, write_index

RECIPE = """\
name: desk
sources: [{id: data, use: tables, path: data.jsonl, licence: MIT}]
split: {train: 0.6, dev: 0.2, test: 0.2}
export:
  - {format: messages, path: chat.jsonl}
  - {format: alpaca, path: flat/alpaca.jsonl}
  - {format: csv, path: rows.csv}
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> zhiling.Run:
    root = tmp_path_factory.mktemp("desk")
    records = [
        {
            "instruction": f"翻译第{n}句" if n % 2 else f"Translate line {n}",
            "input": f"line\n{n}",
            "output": f"{n}.",
        }
        for n in range(30)
    ]
    (root / "data.jsonl").write_text("\n".join(map(json.dumps, records)), encoding="utf-8")
    (root / "recipe.yaml").write_text(RECIPE, encoding="utf-8")
    return zhiling.Recipe.load(root / "recipe.yaml").run(until="export")


@pytest.mark.parametrize(("folder", "names"), [(".", ["chat"]), ("flat", ["alpaca"])])
def test_the_index_leads_back_to_the_same_rows(run: zhiling.Run, folder: str, names: list[str]) -> None:
    where = run.path / "export" / folder
    index = json.loads((where / INDEX).read_text(encoding="utf-8"))
    assert sorted(index) == sorted(f"{name}_{part}" for name in names for part in ("train", "dev", "test"))
    source = registry.load("source", "instructions")(path="*")
    rows, bad = read(source, [where / INDEX], where)
    assert bad == []

    def spoken(messages: list[dict[str, str]]) -> tuple[tuple[str, str], ...]:
        return tuple((message["role"], message["text"]) for message in messages)

    told = sorted(map(spoken, run.rows()["messages"].to_list()))
    assert sorted(map(spoken, rows["messages"].to_list())) == told


def test_entries_of_others_stay(tmp_path: Path) -> None:
    (tmp_path / INDEX).write_text('{"mine": {"file_name": "x"}, "old": 1}', encoding="utf-8")
    write_index([Exported(tmp_path, {}, {"old": {"file_name": "y"}}), Exported(tmp_path, {}, {})])
    index = json.loads((tmp_path / INDEX).read_text(encoding="utf-8"))
    assert index == {"mine": {"file_name": "x"}, "old": {"file_name": "y"}}


@pytest.mark.parametrize("content", ["[]", "not json"])
def test_a_file_that_is_no_index_is_left_as_it_is(tmp_path: Path, content: str) -> None:
    (tmp_path / INDEX).write_text(content, encoding="utf-8")
    with pytest.raises(UsageError, match="not a JSON object"):
        write_index([Exported(tmp_path, {}, {"a": {}})])
    assert (tmp_path / INDEX).read_text(encoding="utf-8") == content
