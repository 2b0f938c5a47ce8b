"""The report: whole with parts missing, self-contained, escaped, and the same in both languages."""

from __future__ import annotations

import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import polars as pl
import pytest

from tests.toys import Above, Echo, Hide, Size, World
from zhiling.curation.complexity import Complexity
from zhiling.errors import DamagedFile
from zhiling.pipeline import registry
from zhiling.pipeline.plan import StepLine
from zhiling.pipeline.step import Decide
from zhiling.pipeline.store import RunFolder
from zhiling.workflow.inspect.words import load_table
from zhiling.workflow.report.charts import histogram_chart, stacked, whisker_chart
from zhiling.workflow.report.collect import collect
from zhiling.workflow.report.excerpts import TEXT_LIMIT
from zhiling.workflow.report.facts import Histogram
from zhiling.workflow.report.histograms import histogram
from zhiling.workflow.report.model_facts import Interval
from zhiling.workflow.report.pages import PAGES, file_name
from zhiling.workflow.report.report import write_report

HOSTILE = "</dd><script>alert('x')</script><img src=http://example.org/x onerror=alert(1)>"
LINES = (
    "the first line", "my secret word", "tiny", f"boom {HOSTILE}", f"!{HOSTILE}", HOSTILE, "第一行中文",
    "x" * 2000, *(f"an ordinary line {number}" for number in range(30)),
)  # fmt: skip
VOID = {"meta", "img", "br", "link", "input", "hr"}


class Page(HTMLParser):
    """Every tag and link of a page; tags must be balanced."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.open: list[str] = []
        self.words = ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("href", "src", "action", "data")]
        assert not [name for name, _ in attrs if name.startswith("on")], "no handlers"
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.words += data


@pytest.fixture
def run(tmp_path: Path) -> Path:
    steps = [
        StepLine("hide", Hide()), StepLine("size", Size()), StepLine("big", Above(least=5)),
        StepLine("echo", Echo(), only={"task": ("nothing",)}),
    ]  # fmt: skip
    runner, _ = World(tmp_path).run(LINES, steps)
    (runner.run.path / "recipe.yaml").write_text(
        "# <script>\nsources: [{id: lines, use: lines, path: lines.txt}]\n"
        "steps: [{id: hide, use: hide}, {id: big, use: above, at_least: 5}]\n",
        encoding="utf-8",
    )
    return runner.run.path


def behaviour(near: Callable[[float, float], dict[str, float]]) -> dict[str, Any]:
    """Hand-written slices, explanations and swaps."""
    row = {"id": "a", "text": HOSTILE, "language": "en", "truth": "x", "answer": "y", "right": False}
    word = {"segment": 0, "score": 0.5}
    words = [
        {**word, "text": "卡", "start": 0, "end": 1},
        {**word, "text": "丢", "start": 1, "end": 2, "score": -1.0},
        {**word, "text": "lost", "start": 3, "end": 7, "score": 0.1},
        {**word, "text": "PIN", "start": 0, "end": 3, "score": 0.0, "segment": 1},
    ]  # fmt: skip
    told = {"explained": "y", "score": 1.5, "baseline": 0.25, "ngrams_total": 0.75, "gap": 0.0, "cut": True,
            "words": words, "ngrams": [{"texts": [" lo", "st "], "score": 0.75}]}  # fmt: skip
    nearest = [{"id": "f" * 32, "source": "lines", "locator": "lines.txt:3", "answer": "y", "text": HOSTILE,
                "cosine": 0.875}]  # fmt: skip
    swap = {"kind": "name", "language": "zh", "on": "rows", "originals": 12, "pairs": 12,
            "flips": {"after": near(0.25, 0.125), "before": near(0.05, 0.05)},
            "shift": {"after": near(0.1, 0)}, "added": near(0.2, 0.1),
            "examples": [{"text": HOSTILE, "swapped": "其其格来了", "answer": "x", "swapped_answer": "y"}],
    }  # fmt: skip
    return {
        "slices": {"n": 40, "of": 50, "rate": 0.25, "tried": 7, "slices": [
            {"rows": 12, "rate": near(0.75, 0.2), "p": 0.001, "terms": ["门锁", HOSTILE],
             "mistakes": [{"truth": "x", "answer": "y", "rows": 9}], "examples": [row]}]},
        "explanations": {"train_rows": 9000, "looked_through": 5000, "rows": [
            {**row, "score": 0.875, "attribution": told, "note": "", "nearest": nearest},
            {**row, "right": True, "score": 0.5, "attribution": None, "note": "decisions a word",
             "nearest": []}]},
        "counterfactual": {"refused": "", "effects": [swap], "skipped": {"gender.en.ambiguous": 2}},
    }  # fmt: skip


def evaluated(run: Path) -> Path:
    """The same run with hand-written scores, split and gates."""

    def near(mean: float, room: float) -> dict[str, float]:
        return {"mean": mean, "low": mean - room, "high": mean + room}

    arms = {
        arm: {"accuracy": near(mean, 0.03)}
        for arm, mean in (("after", 0.8), ("before", 0.3), ("control", 0.78))
    }
    differences = {
        "after-control": {"accuracy": near(0.02, 0.04)},
        "after-before": {"accuracy": near(0.5, 0.05)},
    }
    label = {"n": 3, "arms": {"after": {"precision": 0.5, "recall": 0.5, "f1": 0.625}}}
    scores = {
        "n": 4, "seeds": [7, 8, 9], "unscored": {"after": 0, "control": 2}, "arms": arms,
        "differences": differences,
        "per_label": {HOSTILE: label}, "changed": {"better": 1, "same": 2, "worse": 1},
        "per_language": {"zh": {"n": 2, "arms": arms, "differences": differences}},
        "mcnemar": {"after-control": {"arm_only": 9, "other_only": 1, "p": 0.0215}}, "groups": 3,
    }  # fmt: skip
    (run / "evaluation").mkdir()
    for name, content in behaviour(near).items():
        (run / "evaluation" / f"{name}.json").write_bytes(orjson.dumps(content))
    (run / "evaluation" / "scores.json").write_bytes(orjson.dumps(scores))
    pl.DataFrame(
        {
            "id": ["a", "b", "c", "d"], "text": [HOSTILE, "问题" * 400, "c", "d"],
            "language": ["en", "zh", "en", "en"], "truth": ["x"] * 4, "predicted.before": ["y"] * 4,
            "predicted.control": ["y", "x", "x", "x"],
            "predicted.after": ["x", "y", "x", "x"], "change": ["better", "worse", "same", "same"],
        }
    ).write_parquet(run / "evaluation" / "rows.parquet")  # fmt: skip
    folder = RunFolder.open(run)
    numbers = collect(run).rows.exported
    rows = pl.DataFrame(
        {"n": pl.Series([0, 1], dtype=pl.UInt32), "id": ["a", "b"], "split": ["train", "test"]}
    )
    folder.write_frame("split.parquet", rows)
    folder.manifest.gates = [
        {"check": "rows", "ok": False, "value": numbers, "at_least": 900.0, "at_most": None}
    ]
    folder.manifest.results = {"train": {
        "rows": 9, "labels": 2, "transfer": {"words": 0.25, "unknown": {"zh": 0.5}, "encoder": None},
        "few_labels": {"method": "contrastive", "tried": ["frozen", "contrastive"]},
    }, "split": {
        "rows": {"train": 1, "dev": 0, "test": 1}, "groups": {"train": 1}, "near": 0.5,
        "groups_in_two_parts": 0, "near_pairs_across": 2, "formerly_test": 5, "formerly_test_in_train": 0,
        "lineages_in_two_parts": 0,
        "labels": {HOSTILE: {"train": 1, "test": 1}}, "distinct_labels": 1, "largest_deviation": 0.1,
        "deviating_label": HOSTILE, "deviating_part": "test", "components": 2, "largest_component": 1,
    }}  # fmt: skip
    folder.save()
    return run


def pages(run: Path) -> dict[str, Page]:
    write_report(run)
    return {file.name: Page(file.read_text(encoding="utf-8")) for file in (run / "report").iterdir()}


def test_every_page_is_there_in_both_languages(run: Path) -> None:
    page = write_report(run)
    assert page == run / "report" / "index.html"
    names = {file_name(name, language) for name in PAGES for language in ("en", "zh")}
    assert {file.name for file in page.parent.iterdir()} == names


@pytest.mark.parametrize("whole", [False, True], ids=["bare", "evaluated"])
def test_pages_ask_nobody_and_hold_no_script(run: Path, whole: bool) -> None:
    found = pages(evaluated(run) if whole else run)
    assert len(found) == 2 * len(PAGES)
    for name, page in found.items():
        assert not {"script", "img", "link", "iframe", "object", "embed", "form", "base"} & set(page.tags), (
            name
        )
        for link in page.links:
            assert link.partition("#")[0] in found, (name, link)
        text = (run / "report" / name).read_text(encoding="utf-8")
        assert "default-src 'none'" in text
        style = re.search(r"<style>(.*?)</style>", text, flags=re.S)
        assert style is not None
        assert not re.search(r"url\(|@import|@font-face", style.group(1))


def test_hostile_text_stays_text(run: Path) -> None:
    found = pages(evaluated(run))
    for name in (
        "steps.html",
        "rows.zh.html",
        "bad.html",
        "evaluation.zh.html",
        "behaviour.html",
        "split.html",
    ):
        assert HOSTILE in found[name].words, name
    assert "# <script>" in found["config.html"].words


def test_long_texts_are_cut_with_a_mark(run: Path) -> None:
    facts = collect(run)
    assert max(len(text) for row in facts.rows.sample for _, text in row.turns) == TEXT_LIMIT
    found = pages(run)
    assert f"… {2000 - TEXT_LIMIT:,} more characters" in found["rows.html"].words
    assert f"另有 {2000 - TEXT_LIMIT:,} 个字符" in found["rows.zh.html"].words


def test_the_books_balance_on_the_page(run: Path) -> None:
    words = " ".join(pages(run)["index.html"].words.split())
    counts = collect(run).counts
    assert counts["in"] + counts["made"] == (
        counts["kept"]
        + sum(counts["rejected"].values())
        + sum(counts["failed"].values())
        + counts["replaced"]
    )
    sums = r"37 in \+ 1 made = 35 kept \+ 1 rejected \+ 1 failed \+ 1 replaced".replace(" ", r"\s*")
    assert re.search(sums, words)
    assert "Every row that came in or was made" in words


def test_steps_show_reasons_scores_and_bounds(run: Path) -> None:
    steps = {step.id: step for step in collect(run).steps}
    assert [(reason.verdict, reason.name, reason.count) for reason in steps["big"].reasons] == [
        ("reject", "small", 1)
    ]
    example = steps["big"].reasons[0].examples[0]
    assert (example.row.turns[0], example.score) == (("user", "tiny"), 4.0)
    assert steps["big"].scores is not None
    assert steps["big"].scores.bounds == {"at_least": 5.0}
    rewritten = steps["hide"].reasons[0].examples[0]
    assert rewritten.beside is not None
    assert rewritten.beside.turns[0] == ("user", "my [HIDDEN] word")
    failed = steps["size"].reasons[0]
    assert (failed.verdict, failed.name) == ("failed", "ValueError")
    assert "cannot measure a boom" in failed.examples[0].detail
    assert steps["size"].columns[0].histogram is not None
    assert (steps["hide"].standing_before, steps["hide"].standing, steps["big"].standing) == (37, 37, 35)
    assert steps["echo"].seen == 0


def test_what_was_redacted_is_not_shown(run: Path) -> None:
    folder = RunFolder.open(run)
    for stage in folder.manifest.stages:
        stage.use = "redact" if stage.id == "hide" else stage.use
    folder.save()
    found = pages(run)
    assert not [name for name, page in found.items() if "my secret word" in page.words]
    assert "my [HIDDEN] word" in found["steps.html"].words


def test_a_quality_score_is_told_beside_length(tmp_path: Path) -> None:
    lines = [" and ".join(["go on"] * count) for count in range(1, 41)]
    runner, _ = World(tmp_path).run(lines, [StepLine("hard", Complexity()), StepLine("size", Size())])
    folder = runner.run.path
    hard, size = collect(folder).steps
    assert size.length is None, "no measure of quality"
    assert hard.length is not None
    assert hard.length.part == "question"
    assert hard.length.correlation == pytest.approx(1)
    assert sum(quarter.rows for quarter in hard.length.quarters) == hard.length.rows == 40
    medians = [quarter.median for quarter in hard.length.quarters]
    assert medians == sorted(medians)
    assert len(medians) == 4
    write_report(folder)
    for name in (file_name("steps", "en"), file_name("steps", "zh")):
        page = Page((folder / "report" / name).read_text(encoding="utf-8"))
        assert "+1.00" in page.words


def test_no_difference_is_said_where_zero_lies_inside(run: Path) -> None:
    found = pages(evaluated(run))
    for name, none, better in (
        ("evaluation.html", "no difference", "better"),
        ("evaluation.zh.html", "无差异", "更好"),
    ):
        assert none in found[name].words
        assert better in found[name].words
    facts = collect(run).evaluation
    assert facts is not None
    assert list(facts.arms) == ["before", "control", "after"]
    assert facts.differences["after-control"]["accuracy"].verdict == "no_difference"
    assert facts.differences["after-before"]["accuracy"].verdict == "better"
    assert facts.rows["better"][0].answers == {"before": "y", "control": "y", "after": "x"}
    assert facts.rows["worse"][0].cut == 500


def test_behaviour_is_told_in_both_languages(run: Path) -> None:
    found = pages(evaluated(run))
    english, chinese = (found[file_name("behaviour", language)].words for language in ("en", "zh"))
    for words in (english, chinese):
        assert HOSTILE in words
        assert "门锁" in words
        assert "75.0 %" in words
        assert "lines.txt:3" in words
        assert "其其格来了" in words
        assert "+20.0" in words
        assert "decisions a word" in words
    assert "卡丢 lostPIN" in english
    assert "The encoder reads only the beginning" in english
    assert "2 inputs were left out" in english
    assert "5,000 of 9,000 training rows" in english
    assert "改变的答案" in chinese
    told = collect(run).behaviour
    assert told is not None
    assert [word.shade for word in told.answers[0].words] == [2, -4, 0, 0]
    assert [word.gap for word in told.answers[0].words] == ["", "", " ", "\n"]
    assert told.swaps[0].added is not None
    assert told.swaps[0].added.verdict == "worse", "more changed answers are worse"


def test_a_run_that_looked_at_nothing_says_so(run: Path) -> None:
    found = pages(run)
    assert "this run was not evaluated" in found["behaviour.html"].words
    (run / "evaluation").mkdir()
    told = {"refused": "task relation: in words", "effects": [], "skipped": {}}
    (run / "evaluation" / "counterfactual.json").write_bytes(orjson.dumps(told))
    slices = {"n": 9, "of": 9, "rate": 0.0, "tried": 0, "slices": []}
    (run / "evaluation" / "slices.json").write_bytes(orjson.dumps(slices))
    words = pages(run)["behaviour.html"].words
    assert "Nothing was swapped: task relation" in words
    assert "too few errors" in words
    (run / "evaluation" / "slices.json").write_bytes(orjson.dumps({**slices, "tried": 3}))
    told["refused"] = ""
    (run / "evaluation" / "counterfactual.json").write_bytes(orjson.dumps(told))
    words = pages(run)["behaviour.html"].words
    assert "as chance would spread them" in words
    assert "No test row holds a word of the lists" in words
    (run / "evaluation" / "slices.json").write_text("{", encoding="utf-8")
    with pytest.raises(DamagedFile, match="not JSON"):
        write_report(run)


def test_the_evaluation_page_tells_tests_tags_and_transfer(run: Path) -> None:
    found = pages(evaluated(run))
    words = found["evaluation.html"].words
    assert "McNemar" in words
    assert "0.021" in words
    assert "Whole groups of rows (3)" in words
    assert "Token report" not in words
    for figure in ("unknown · zh", "0.5", "contrastive"):
        assert figure in words
    assert "encoder" not in found["evaluation.zh.html"].words, "what is not known is left out"
    scores = orjson.loads((run / "evaluation" / "scores.json").read_bytes())
    arms = {
        "after": {
            "tag_micro_f1": scores["arms"]["after"]["accuracy"],
            "ece": {"mean": 0.1, "low": 0, "high": 0.2},
        }
    }
    label = {"n": 3, "arms": {"after": {"precision": 0.5, "recall": 0.5, "f1": 0.625}}}
    lower = {"ece": {"mean": -0.1, "low": -0.2, "high": -0.05}}
    scores |= {"arms": arms, "per_label": {"B-PER": label}, "lower_is_better": ["ece"],
               "differences": {"after-control": lower}, "per_language": {}}  # fmt: skip
    (run / "evaluation" / "scores.json").write_bytes(orjson.dumps(scores))
    words = pages(run)["evaluation.zh.html"].words
    assert "逐词报告" in words
    assert "宏平均" in words
    facts = collect(run).evaluation
    assert facts is not None
    assert facts.differences["after-control"]["ece"].verdict == "better"


def test_gates_and_leaks_are_told(run: Path) -> None:
    found = pages(evaluated(run))
    assert "does not hold" in found["index.html"].words
    assert "未通过" in found["index.zh.html"].words
    assert found["split.html"].words.count("leaks") == 1
    assert "Jaccard of 0.5 or more" in found["split.html"].words


def test_missing_parts_are_named(run: Path) -> None:
    found = pages(run)
    assert "This run was not evaluated." in found["evaluation.html"].words
    assert "本次运行还没有拆分。" in found["split.zh.html"].words
    assert "none stated" in found["licences.html"].words


def test_a_run_that_was_left_at_once_has_a_report(tmp_path: Path) -> None:
    runner, _ = World(tmp_path).run(["!bad", "!worse"], [])
    found = pages(runner.run.path)
    assert "exclaimed" in found["bad.html"].words
    assert "No rows are exported." in found["rows.html"].words


@pytest.mark.parametrize(
    ("package", "file"),
    [("zhiling.workflow.report", "texts.yaml"), ("zhiling.workflow.inspect", "words.yaml")],
)
def test_all_words_stand_in_both_languages(package: str, file: str) -> None:
    table: Any = load_table(package, file)
    for section, entries in table.items():
        for key, words in entries.items():
            assert set(words) == {"en", "zh"}, (section, key)
            fields = [set(re.findall(r"\{(\w*)\}", str(text))) for text in words.values()]
            assert fields[0] == fields[1], (section, key)


def test_a_histogram_counts_every_value_once() -> None:
    values = np.concatenate([np.arange(1000.0) / 10, [5000.0]])
    drawn = histogram({"kept": values}, {"at_least": 20.0})
    assert drawn is not None
    assert sum(drawn.series["kept"]) == 1001
    assert drawn.beyond == 1
    assert drawn.low <= 0 < 99 < drawn.high < 5000
    assert histogram({"kept": np.full(9, 3.0)}) is None
    assert histogram({"kept": np.array([np.nan])}) is None


@pytest.mark.parametrize(
    "values", [[0.0, 1.0], [0.2, 0.2001], [-5.0, 3.0], [1e-9, 2e-9], [0.0, 1e6], [7.0, 8.0]]
)
def test_bars_stay_inside_of_the_chart(values: list[float]) -> None:
    drawn = histogram({"kept": np.array(values), "rejected": np.array(values[:1])}, {"most": values[1]})
    assert drawn is not None
    assert sum(map(sum, drawn.series.values())) == 3
    chart = histogram_chart(drawn)
    assert all(piece.x >= 0 and piece.x + piece.width <= chart.width for piece in chart.pieces)
    assert all(0 <= tick.x <= chart.width for tick in chart.ticks)
    assert all(0 <= bound.x <= chart.width for bound in chart.bounds)


def test_small_shares_stay_visible_in_a_bar() -> None:
    pieces = stacked([("kept", 999_999), ("rejected", 1), ("failed", 0)], 1_000_000)
    assert [piece.kind for piece in pieces] == ["kept", "rejected"]
    assert pieces[-1].width >= 2
    assert pieces[-1].x + pieces[-1].width <= 1000
    assert stacked([("kept", 0)], 0) == ()


def test_whiskers_stand_in_order_around_zero() -> None:
    chart = whisker_chart([("a", "better", Interval(0.02, -0.01, 0.05), "")], around_zero=True)
    dot = chart.whiskers[0]
    assert chart.zero is not None
    assert chart.left <= dot.low < chart.zero < dot.mean < dot.high <= chart.right


def test_one_bin_is_a_chart() -> None:
    assert histogram_chart(Histogram(0, 1, {"kept": (4,)})).most == 4


def test_every_reason_of_a_step_has_words_in_both_languages() -> None:
    known = load_table("zhiling.workflow.inspect", "words.yaml")["reasons"]
    steps = [registry.load("step", name) for name in registry.table("step")]
    reasons = {str(reason) for step in steps if issubclass(step, Decide) for reason in step.Reason}
    assert reasons - set(known) == set()
