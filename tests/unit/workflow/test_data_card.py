"""The card of an export: its figures are those of the files beside it, and it is the same each time."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from ruamel.yaml import YAML

import zhiling
from zhiling.pipeline.store import Manifest
from zhiling.rows.formats.losses import meaning
from zhiling.workflow.data_card import Tally, write_card

RECIPE = """\
name: desk
sources:
  - {{id: en, use: tables, path: en.jsonl, language: en, licence: MIT}}
  - {{id: zh, use: tables, path: zh.jsonl, language: zh, licence: "A | B"}}
steps:
  - {{id: exact, use: exact_dedup}}
gates: [{{check: rows, at_least: {least}}}]
export: [{{format: messages, path: sft.jsonl}}]
"""
EN = [{"instruction": f"Where is parcel {n}?", "output": f"At depot {n}."} for n in (1, 2, 3, 3)]
ZH = [{"instruction": f"{n}号包裹在哪？", "output": f"在{n}号仓库。"} for n in "一二三"]


def project(root: Path, least: int = 2) -> zhiling.Recipe:
    root.mkdir(exist_ok=True)
    for name, records in (("en", EN), ("zh", ZH)):
        lines = [json.dumps(record, ensure_ascii=False) for record in records]
        (root / f"{name}.jsonl").write_text("\n".join(lines), encoding="utf-8")
    (root / "recipe.yaml").write_text(RECIPE.format(least=least), encoding="utf-8")
    return zhiling.Recipe.load(root / "recipe.yaml")


def head_of(card: str) -> dict[str, Any]:
    return YAML(typ="safe", pure=True).load(card.split("---\n")[1])


def test_the_card_counts_what_the_files_hold(tmp_path: Path) -> None:
    run = project(tmp_path).run(until="export")
    folder = run.path / "export"
    card = (folder / "sft.card.md").read_text(encoding="utf-8")
    head = head_of(card)
    assert head["language"] == ["en", "zh"]
    assert head["license"] == ["a | b", "mit"]
    assert head["size_categories"] == ["n<1K"]
    files = {each["split"]: folder / each["path"] for each in head["configs"][0]["data_files"]}
    counts = {part: len(path.read_text(encoding="utf-8").splitlines()) for part, path in files.items()}
    assert sum(counts.values()) == 6
    for part, path in files.items():
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        assert f"| {path.name} | {part} | {counts[part]} | `{digest}` |" in card
    assert "| en | MIT | 3 |" in card
    assert "| zh | A \\| B | 3 |" in card
    assert "| exact | reject | exact_duplicate | 1 |" in card
    assert "7 in + 0 made = 6 kept + 1 rejected" in card
    assert "读入 7 + 生成 0 = 保留 6 + 拒绝 1" in card
    assert "| rows | 6 | 2 | – | yes · 是 |" in card
    for stage in run.folder.manifest.stages:
        assert stage.key in card


def test_the_same_run_elsewhere_gives_the_same_card(tmp_path: Path) -> None:
    cards = [
        (project(tmp_path / name).run(until="export").path / "export" / "sft.card.md").read_bytes()
        for name in ("one", "other")
    ]
    assert cards[0] == cards[1]


def test_a_gate_that_says_no_leaves_no_card(tmp_path: Path) -> None:
    with pytest.raises(zhiling.errors.GateFailed, match="rows is 6"):
        project(tmp_path, least=7).run(until="export")
    assert list(tmp_path.glob("runs/*/export/*")) == []


def test_losses_and_unknown_values_are_told(tmp_path: Path) -> None:
    (tmp_path / "x.train.jsonl").write_text("{}\n", encoding="utf-8")
    tally = Tally()
    origin = pl.Series("origin", [{"source": "s", "licence": None}])
    tally.add(pl.DataFrame({"language": [None], "task": ["qa"], "origin": origin}))
    counts = {
        "in": 1,
        "made": 0,
        "kept": 1,
        "rejected": {},
        "failed": {},
        "replaced": 0,
        "bad": 0,
        "material": 0,
    }
    manifest = Manifest(run="x-0001", recipe="0" * 32, counts=counts, versions={"zhiling": "0"})
    files = [{"path": "x.train.jsonl", "split": "train", "rows": 1}]
    export = {"path": "x.jsonl", "format": "alpaca", "files": files, "losses": {"media": 3}}
    write_card(tmp_path / "x.card.md", manifest, export, tally)
    card = (tmp_path / "x.card.md").read_text(encoding="utf-8")
    assert head_of(card)["license"] == ["unknown"]
    assert "language" not in head_of(card)
    assert f"| media | {meaning('media')} | 3 |" in card
    assert "| – | qa | 1 |" in card
    assert "None. · 没有。" in card
