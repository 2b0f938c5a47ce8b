"""What decontamination tells about itself: which evaluation rows removed what, and what chance would."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

import zhiling
from zhiling.workflow.contamination import Contamination, contaminations, lines_of
from zhiling.workflow.report.report import write_report

LONG = "Which of the two lamps in the hall should be switched off first when the storm comes from the north?"
LONG_ZH = "如果暴风雨从北边过来，大厅里的两盏灯应该先关掉哪一盏才比较稳妥呢？"
GENERAL = "Can you help me with this?"
GENERAL_ZH = "这个问题你能帮我解决一下吗？"
RECIPE = """\
name: desk
seed: 5
sources: [{id: data, use: tables, path: data.jsonl}]
steps: [{id: unseen, use: decontaminate, against: [held.jsonl]}]
"""


def told(root: Path, questions: Sequence[str], held: Sequence[str]) -> Contamination:
    """What a run on these questions says about its step."""
    lines = [
        json.dumps({"instruction": question, "output": f"Reply {place}."}, ensure_ascii=False)
        for place, question in enumerate(questions)
    ]
    (root / "data.jsonl").write_text("\n".join(lines), encoding="utf-8")
    held_lines = [json.dumps({"text": text}, ensure_ascii=False) for text in held]
    (root / "held.jsonl").write_text("\n".join(held_lines), encoding="utf-8")
    (root / "recipe.yaml").write_text(RECIPE, encoding="utf-8")
    run = zhiling.Recipe.load(root / "recipe.yaml").run(until="rows")
    return contaminations(run.folder.manifest)[0]


WORDS = [
    "amber",
    "basil",
    "cedar",
    "delta",
    "ember",
    "fjord",
    "grove",
    "heron",
    "islet",
    "jetty",
    "koala",
    "lotus",
]


def own(count: int) -> list[str]:
    """Questions that have no five words in a row in common."""
    draw = [[WORDS[(place * step + step) % len(WORDS)] for place in range(6)] for step in range(1, count + 1)]
    return [f"{' '.join(words)} {number}?" for number, words in enumerate(draw)]


def test_removed_rows_are_counted_by_evaluation_text_and_short_ones_apart(tmp_path: Path) -> None:
    found = told(
        tmp_path, [*own(20), LONG, LONG_ZH, GENERAL_ZH], [LONG, LONG_ZH, GENERAL_ZH, "No row says this one."]
    )
    assert (found.seen, found.removed, found.texts, found.found, found.brief) == (23, 3, 4, 3, 1)
    assert {each["place"] for each in found.most} == {"held.jsonl#1", "held.jsonl#2", "held.jsonl#3"}
    assert found.crowded() == []


@pytest.mark.parametrize("general", [GENERAL, GENERAL_ZH])
def test_an_evaluation_text_that_removes_many_rows_is_warned_of(general: str, tmp_path: Path) -> None:
    found = told(tmp_path, [*own(20), *[general] * 12], [general, LONG])
    assert [(each["rows"], each["text"]) for each in found.crowded()] == [(12, general)]
    assert any("warning: held.jsonl#1 alone removed 12 rows" in line for line in lines_of(found))


def test_questions_of_nobody_hit_nothing_by_chance(tmp_path: Path) -> None:
    control = told(tmp_path, own(40), [LONG, LONG_ZH, GENERAL]).control
    assert control is not None
    assert (control.questions, control.searched, control.hits, control.share) == (3, 37, 0, 0.0)
    assert 0 < control.high < 1


def test_a_template_that_all_rows_share_is_seen_as_chance(tmp_path: Path) -> None:
    frame = "Read the following passage with care and then answer the question below in one sentence: "
    rows = [
        f"{frame} {text} {' '.join(WORDS[n % 12] + str(n * k) for k in range(30))}"
        for n, text in enumerate(own(40))
    ]
    control = told(tmp_path, rows, [LONG, LONG_ZH]).control
    assert control is not None
    assert control.hits == control.searched


def test_copies_of_a_row_are_no_chance(tmp_path: Path) -> None:
    rows = [text for text in own(10) for _ in range(4)]
    control = told(tmp_path, rows, [LONG] * 20).control
    assert control is not None
    assert (control.questions, control.hits) == (20, 0)


def test_the_report_tells_it_in_both_languages(tmp_path: Path) -> None:
    told(tmp_path, [*own(20), *[GENERAL] * 12], [GENERAL, LONG])
    run = write_report(zhiling.open_run(tmp_path).path).parent
    english, chinese = ((run / name).read_text("utf-8") for name in ("steps.html", "steps.zh.html"))
    assert "12 rows repeat 1 of 2 evaluation texts" in english
    assert "held.jsonl#1" in english
    assert "12 行与 2 条评测文本中的 1 条重复" in chinese


def test_without_rows_there_is_no_control(tmp_path: Path) -> None:
    assert told(tmp_path, [LONG], [LONG, LONG_ZH]).control is None
