"""The report's page on diversity: before and after each step, beside a reference, or why not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.unit.workflow.test_report import Page
from zhiling.workflow.recipe import Recipe
from zhiling.workflow.report.collect import collect
from zhiling.workflow.report.facts import DiversityFacts
from zhiling.workflow.report.report import write_report
from zhiling.workflow.run import run_recipe

RECIPE = """
version: 1
name: varied
sources:
  - {id: en, use: labelled, path: en.jsonl, language: en, licence: none}
  - {id: zh, use: labelled, path: zh.jsonl, language: zh, licence: none}
steps:
  - {id: measured, use: length}
  - {id: exact, use: exact_dedup}
  - {id: choose, use: select, size: 8, method: random}
"""
LOCKS = [f"how do I {verb} the lock" for verb in ("open", "reset", "sell", "clean")]
TEXTS = {
    "en": ["where is my parcel"] * 30 + LOCKS,
    "zh": ["包裹在哪里"] * 10
    + ["门锁没电了", "怎么开发票", "地址写错了", "能退货吗", "几点关门", "有红色的吗"],
}


def ran(folder: Path, further: str = "", texts: dict[str, list[str]] = TEXTS) -> Path:
    for name, each in texts.items():
        lines = [json.dumps({"text": text, "label": "x"}, ensure_ascii=False) for text in each]
        (folder / f"{name}.jsonl").write_text("\n".join(lines), encoding="utf-8")
    (folder / "recipe.yaml").write_text(RECIPE + further, encoding="utf-8")
    return run_recipe(Recipe.load(folder / "recipe.yaml"), until="export").path


def told(folder: Path, further: str = "", texts: dict[str, list[str]] = TEXTS) -> DiversityFacts:
    return collect(ran(folder, further, texts)).diversity


def test_steps_that_take_copies_out_raise_every_measure(tmp_path: Path) -> None:
    found = told(tmp_path)
    assert [(line.id, line.rows) for line in found.lines] == [("", 50), ("exact", 12), ("choose", 8)]
    assert (found.size, found.encoder, found.given) == (8, "hashing", False)
    before, after = found.lines[0].figures, found.lines[1].figures
    for name in ("distinct_1", "distinct_2", "vendi", "novel_sum"):
        low, high = before[name], after[name]
        assert low is not None
        assert high is not None
        assert low < high, name
    assert (found.reference, found.reference_name, found.problem) == (None, "", "")
    assert {(cell.task, cell.language): cell.rows for cell in found.cells}.keys() <= {
        ("classification", "en"), ("classification", "zh"),
    }  # fmt: skip
    assert sum(sum(cell.counts) for cell in found.cells) == 8


def test_a_reference_is_measured_beside_the_rows(tmp_path: Path) -> None:
    real = [
        {"text": "where is it", "language": "en", "task": "classification"},
        {"question": "发票怎么开"},
    ] * 3
    lines = "\n".join(json.dumps(each, ensure_ascii=False) for each in real)
    (tmp_path / "real.jsonl").write_text(lines, encoding="utf-8")
    found = told(tmp_path, "diversity: {reference: real.jsonl, size: 5}\n")
    assert found.reference is not None
    assert (found.reference.id, found.reference.rows, found.size) == ("real.jsonl", 6, 5)
    assert found.reference.figures["vendi"] == pytest.approx(2, abs=0.5)
    cells = {(cell.task, cell.language): cell.reference_rows for cell in found.cells}
    assert cells[("classification", "en")] == 3
    assert cells[("", "")] == 3


def test_a_reference_that_cannot_be_read_is_told_on_the_page(tmp_path: Path) -> None:
    (tmp_path / "real.jsonl").write_text('{"text": "a"}\n{"text": \n', encoding="utf-8")
    run = ran(tmp_path, "diversity: {reference: real.jsonl}\n")
    found = collect(run).diversity
    assert "real.jsonl:2" in found.problem
    assert found.reference is None
    assert [bool(line.figures) for line in found.lines] == [True] * 3
    write_report(run)
    for name, words in (("diversity.html", "Not measured"), ("diversity.zh.html", "未测量")):
        page = Page((run / "report" / name).read_text(encoding="utf-8"))
        assert words in page.words
        assert "real.jsonl:2" in page.words


def test_an_encoder_that_has_gone_is_told_and_nothing_is_made_up(tmp_path: Path) -> None:
    run = ran(tmp_path)
    with (run / "recipe.yaml").open("a", encoding="utf-8") as recipe:
        recipe.write("encoder: {use: transformer, path: nowhere}\n")
    found = collect(run).diversity
    assert "nowhere" in found.problem
    assert found.size == 0
    assert not any(line.figures for line in found.lines)


@pytest.mark.parametrize("texts", [{"en": ["only one"], "zh": []}, {"en": ["", "same"], "zh": [""]}])
def test_few_and_empty_rows_are_no_obstacle(tmp_path: Path, texts: dict[str, list[str]]) -> None:
    run = ran(tmp_path, texts=texts)
    write_report(run)
    for name in ("diversity.html", "diversity.zh.html"):
        assert "nan" not in Page((run / "report" / name).read_text(encoding="utf-8")).words


def test_the_page_says_the_same_every_time(tmp_path: Path) -> None:
    run = ran(tmp_path)
    page = run / "report" / "diversity.zh.html"
    write_report(run)
    before = page.read_bytes()
    write_report(run)
    assert page.read_bytes() == before
