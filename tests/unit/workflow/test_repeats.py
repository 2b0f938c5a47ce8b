"""A mixture's epochs above one: copies in the train part of exports and among the examples, nowhere else."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import polars as pl
import pytest

import zhiling
from zhiling.workflow.proof.examples import tuned_rows
from zhiling.workflow.proof.repeats import rounds, times_column

RECIPE = """\
name: mixed
seed: 4
sources:
  - {id: en, use: tables, path: en.jsonl, fields: {user: q, assistant: a, label: l}}
  - {id: zh, use: tables, path: zh.jsonl, fields: {user: q, assistant: a, label: l}}
steps:
  - {id: mix, use: mixture, size: SIZE, weights: {en: 1, zh: 1}, epochs: EPOCHS}
split: {train: 0.6, dev: 0.2, test: 0.2, near: null}
export: [{format: messages, path: sft.jsonl}]
"""


def mixed(root: Path, size: int, epochs: float) -> zhiling.Run:
    """A run on 40 English and 20 Chinese rows."""
    for language, count, text in (("en", 40, "Question {} about lamps?"), ("zh", 20, "第{}个关于灯的问题？")):
        lines = [
            json.dumps({"q": text.format(n), "a": f"{n}.", "l": "ab"[n % 2]}, ensure_ascii=False)
            for n in range(count)
        ]
        (root / f"{language}.jsonl").write_text("\n".join(lines), encoding="utf-8")
    recipe = RECIPE.replace("SIZE", str(size)).replace("EPOCHS", str(epochs))
    (root / "recipe.yaml").write_text(recipe, encoding="utf-8")
    return zhiling.Recipe.load(root / "recipe.yaml").run(until="export")


def lines(run: zhiling.Run, part: str) -> Counter[str]:
    """Question → how often it stands in the file of a part."""
    text = (run.path / "export" / f"sft.{part}.jsonl").read_text("utf-8")
    return Counter(json.loads(line)["messages"][0]["content"] for line in text.splitlines())


def wanted(run: zhiling.Run) -> dict[str, dict[str, int]]:
    """Part → question → times, from the step's own column."""
    table = run.table()
    times = table.read(["id", "mix.times"], table.exported()).select("id", "mix.times")
    rows = run.rows().join(times, on="id")
    question = rows["messages"].list.first().struct.field("text")
    found: dict[str, dict[str, int]] = {"train": {}, "dev": {}, "test": {}}
    for part, text, count in zip(rows["split"], question, rows["mix.times"], strict=True):
        found[part][text] = count
    return found


@pytest.mark.parametrize(("size", "epochs"), [(80, 2), (100, 3), (90, 2.5)])
def test_the_train_part_holds_a_row_as_often_as_it_is_wanted(
    size: int, epochs: float, tmp_path: Path
) -> None:
    run = mixed(tmp_path, size, epochs)
    asked = wanted(run)
    assert max(asked["train"].values()) > 1
    assert lines(run, "train") == asked["train"]
    for part in ("dev", "test"):
        assert lines(run, part) == dict.fromkeys(asked[part], 1)
    export = run.folder.manifest.results["exports"][0]
    assert export["repeats"] == sum(asked["train"].values()) - len(asked["train"])
    assert {file["split"]: file["rows"] for file in export["files"]} == {
        "train": sum(asked["train"].values()), "dev": len(asked["dev"]), "test": len(asked["test"]),
    }  # fmt: skip
    card = (run.path / "export" / "sft.card.md").read_text("utf-8")
    assert f"{export['repeats']} rows of the train part are copies" in card


def test_a_model_learns_from_the_copies_and_is_tested_without(tmp_path: Path) -> None:
    run = mixed(tmp_path, 80, 2)
    asked, table = wanted(run), run.table()
    assert Counter(tuned_rows(run, table, "train")["text"].to_list()) == asked["train"]
    assert Counter(tuned_rows(run, table, "dev")["text"].to_list()) == dict.fromkeys(asked["dev"], 1)


def test_one_epoch_copies_nothing(tmp_path: Path) -> None:
    run = mixed(tmp_path, 40, 1)
    assert run.folder.manifest.results["exports"][0]["repeats"] == 0
    assert set(lines(run, "train").values()) == {1}
    assert times_column(run.folder.manifest) == "mix.times"


def test_rounds_hold_each_row_as_often_as_it_is_wanted_and_those_without_a_number_once() -> None:
    rows = pl.DataFrame(
        {"row": ["a", "b", "c"], "times": [3, 1, None]}, schema_overrides={"times": pl.UInt32}
    )
    assert [each["row"].to_list() for each in rounds(rows, "times")] == [["a", "b", "c"], ["a"], ["a"]]
    assert [each["row"].to_list() for each in rounds(rows, None)] == [["a", "b", "c"]]
    assert [each.height for each in rounds(rows.clear(), "times")] == [0]
