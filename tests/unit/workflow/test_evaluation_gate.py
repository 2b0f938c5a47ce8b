"""No row may repeat the evaluation file of its recipe: a gate, listed or not, unless the recipe says no."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import zhiling
from zhiling.errors import GateFailed
from zhiling.pipeline.gates import Contaminated

RECIPE = """\
name: desk
sources:
  - {{use: tables, path: data.jsonl, fields: {{user: question, assistant: answer, label: label}}}}
steps: {steps}
gates: {gates}
train: {{task: classification, features: ngrams}}
evaluate: {{data: held.jsonl, text: ask{evaluate}}}
"""
HELD = ({"ask": "Where is my parcel today?", "label": "a"}, {"ask": "我的包裹今天到哪里了？", "label": "b"})


def recipe(root: Path, *, steps: str = "[]", gates: str = "[]", evaluate: str = "") -> zhiling.Recipe:
    rows = [
        {"question": f"Question {n} about lamps?", "answer": f"Answer {n}.", "label": "ab"[n % 2]}
        for n in range(8)
    ]
    rows += [
        {"question": held["ask"], "answer": "On its way. 在路上。", "label": held["label"]} for held in HELD
    ]
    for name, records in (("data.jsonl", rows), ("held.jsonl", HELD)):
        lines = (json.dumps(record, ensure_ascii=False) for record in records)
        (root / name).write_text("\n".join(lines), encoding="utf-8")
    text = RECIPE.format(steps=steps, gates=gates, evaluate=evaluate)
    (root / "recipe.yaml").write_text(text, encoding="utf-8")
    return zhiling.Recipe.load(root / "recipe.yaml")


def contaminated(loaded: zhiling.Recipe) -> list[Contaminated]:
    return [gate for gate in loaded.gates if isinstance(gate, Contaminated)]


def test_a_run_stops_where_rows_repeat_the_file_and_says_what_takes_them_out(tmp_path: Path) -> None:
    with pytest.raises(GateFailed, match=r"contaminated is 2 .*decontaminate.*held\.jsonl"):
        recipe(tmp_path).run(until="export")


def test_rows_that_a_step_took_out_pass_the_gate(tmp_path: Path) -> None:
    step = "[{use: decontaminate, against: [held.jsonl], fields: [ask]}]"
    run = recipe(tmp_path, steps=step).run(until="export")
    assert [(gate["check"], gate["value"]) for gate in run.folder.manifest.gates] == [("contaminated", 0)]
    assert run.counts["kept"] == 8


def test_a_recipe_can_say_no(tmp_path: Path) -> None:
    run = recipe(tmp_path, evaluate=", unseen: false").run(until="export")
    assert run.folder.manifest.gates == []
    assert run.counts["kept"] == 10


def test_a_listed_gate_is_the_only_one_and_keeps_its_bound(tmp_path: Path) -> None:
    gates = contaminated(recipe(tmp_path, gates="[{check: contaminated, at_most: 2}]"))
    assert [(gate.at_most, gate.against) for gate in gates] == [(2, ("held.jsonl",))]


def test_without_a_file_there_is_no_such_gate(tmp_path: Path) -> None:
    recipe(tmp_path)
    text = (tmp_path / "recipe.yaml").read_text("utf-8").replace("data: held.jsonl, text: ask", "seeds: 3")
    (tmp_path / "recipe.yaml").write_text(text, encoding="utf-8")
    assert contaminated(zhiling.Recipe.load(tmp_path / "recipe.yaml")) == []
