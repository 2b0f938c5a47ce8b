"""A threshold from labelled rows: what is found, promised and written, and what is refused."""

from __future__ import annotations

import csv
import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
import polars as pl
import pytest
from typer.testing import CliRunner

from tests.contract.test_steps import PICTURE_BYTES, context, make_step, sample
from zhiling.cli.main import app
from zhiling.errors import MissingInput, UnknownName, UsageError
from zhiling.pipeline import registry
from zhiling.pipeline.apply import apply
from zhiling.pipeline.step import Bound, Decide
from zhiling.workflow.calibrate.calibrate import Calibration, Promise, write_setting
from zhiling.workflow.calibrate.calibrate import calibrate as calibrate_on
from zhiling.workflow.calibrate.curve import measure, shortest_between
from zhiling.workflow.calibrate.scores import with_setting
from zhiling.workflow.calibrate.truth import read_truth
from zhiling.workflow.recipe import Recipe
from zhiling.workflow.run import run_recipe

RECIPE = """\
# of the shop
version: 1
name: shop
sources:
  - {id: lines, use: tables, path: data.jsonl, licence: Apache-2.0}  # 原始数据
steps:
  - {id: near, use: near_dedup, jaccard: 0.8, keep: longest}
  - id: whole
    use: truncated
    at_least: 0.9  # to be calibrated 待校准
  - {id: tongue, use: language}
  - {id: sure, use: threshold, column: tongue.score, at_least: 0.1, verdict: flag}
  - {id: exact, use: exact_dedup}
"""
WORDS = ["order", "parcel", "lock", "lamp", "refund", "订单", "包裹", "门锁", "退款", "发票"]


def rows(count: int, seed: int = 1) -> list[dict[str, Any]]:
    """Replies that end, and bad ones that break off; one of twenty is labelled the wrong way round."""
    draw = random.Random(seed)
    made: list[dict[str, Any]] = []
    for number in range(count):
        bad = number % 2 == 0
        reply = " ".join(draw.choices(WORDS, k=14)) + (" and the" if bad else ".")
        question = " ".join(draw.choices(WORDS, k=9)) + "?"
        made.append(
            {"instruction": question, "output": reply, "bad": bad if draw.random() > 0.02 else not bad}
        )
    return made


def write(path: Path, lines: Sequence[dict[str, Any]]) -> Path:
    path.write_text("\n".join(json.dumps(line, ensure_ascii=False) for line in lines), encoding="utf-8")
    return path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "recipe.yaml").write_text(RECIPE, encoding="utf-8")
    data = [{name: row[name] for name in ("instruction", "output")} for row in rows(40, seed=9)]
    write(tmp_path / "data.jsonl", data)
    write(tmp_path / "truth.jsonl", rows(300))
    return tmp_path


def calibrate(
    recipe: Recipe, step: str, file: Path, *, field: str = "bad", setting: str | None = None, **promise: float
) -> Calibration:
    wanted = Promise(**promise)
    return calibrate_on(measure(recipe, step, read_truth(file, field), setting), wanted)


def recipe(root: Path) -> Recipe:
    return Recipe.load(root / "recipe.yaml")


def test_the_threshold_lies_between_good_and_bad_and_the_promise_is_stated(root: Path) -> None:
    found = calibrate(recipe(root), "whole", root / "truth.jsonl", precision=0.9)
    assert (found.setting, found.before) == ("at_least", 0.9)
    assert 0 < found.point.value < 0.8, "a reply that breaks off has .8 or more"
    assert found.point.precision.low >= 0.9
    assert found.point.recall.low > 0.8
    assert found.point.false_rejects.high < 0.12
    assert found.chosen_on + found.judged_on == 300
    assert found.point.precision.n <= found.judged_on


def test_the_same_rows_in_another_order_give_the_same(root: Path) -> None:
    found = calibrate(recipe(root), "whole", root / "truth.jsonl", precision=0.9)
    write(root / "turned.jsonl", rows(300)[::-1])
    assert calibrate(recipe(root), "whole", root / "turned.jsonl", precision=0.9) == found


def test_csv_says_the_same_as_json_lines(root: Path) -> None:
    with (root / "truth.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["instruction", "output", "bad"])
        writer.writerows(
            [row["instruction"], row["output"], "是" if row["bad"] else "否"] for row in rows(300)
        )
        stream.write('one?,"two, and the",是,too many\r\n')
    found = calibrate(recipe(root), "whole", root / "truth.csv", precision=0.9)
    assert found.chosen_on + found.judged_on == 301
    same = calibrate(recipe(root), "whole", root / "truth.jsonl", precision=0.9)
    assert found.point.value == same.point.value


def test_rows_that_were_not_judged_are_counted(root: Path) -> None:
    others = [{"instruction": f"only asked {number}", "bad": True} for number in range(7)]
    write(root / "more.jsonl", [*rows(300), *others])
    found = calibrate(recipe(root), "whole", root / "more.jsonl", precision=0.9)
    assert found.chosen_on + found.judged_on == 300
    assert found.passed_by + found.unreadable == 7


def test_only_the_value_changes_in_the_recipe(root: Path) -> None:
    write_setting(root / "recipe.yaml", "whole", "at_least", 0.55)
    text = (root / "recipe.yaml").read_text(encoding="utf-8")
    assert text == RECIPE.replace("at_least: 0.9  #", "at_least: 0.55 #")
    write_setting(root / "recipe.yaml", "exact", "keep", "longest")  # a field that was not there
    assert "- {id: exact, use: exact_dedup, keep: longest}" in (root / "recipe.yaml").read_text(
        encoding="utf-8"
    )
    with pytest.raises(UsageError, match="no step 'gone'"):
        write_setting(root / "recipe.yaml", "gone", "at_least", 0.5)


def test_a_measure_is_calibrated_by_the_threshold_that_reads_it(root: Path) -> None:
    lines = [
        {"instruction": "Where is my parcel, please?", "output": text, "bad": bad} for text, bad in TONGUES
    ]
    write(
        root / "tongues.jsonl",
        [{**line, "instruction": f"{n} {line['instruction']}"} for n, line in enumerate(lines)],
    )
    found = calibrate(recipe(root), "tongue", root / "tongues.jsonl", precision=0.5, confidence=0.9)
    assert (found.step, found.setting, found.before) == ("sure", "at_least", 0.1)
    assert found.point.value > 0.1


TONGUES = [(f"zxq {n} qxz vvk", True) for n in range(40)] + [
    (f"The parcel has left our house and will be with you in {n} days.", False) for n in range(40)
]


def test_near_copies_are_tried_value_by_value(root: Path) -> None:
    draw = random.Random(4)
    lines: list[dict[str, Any]] = []
    for number in range(120):
        words = draw.choices(WORDS, k=60)
        lines.append({"instruction": " ".join(words), "output": "yes.", "bad": False})
        near = number % 2 == 0
        lines.append({"instruction": " ".join(words[: 58 if near else 40]), "output": "yes.", "bad": near})
    write(root / "copies.jsonl", lines)
    found = calibrate(recipe(root), "near", root / "copies.jsonl", precision=0.5, confidence=0.9)
    assert found.setting == "jaccard"
    assert 0.48 < found.point.value < 0.97


def test_rows_of_the_project_are_named_by_id(root: Path) -> None:
    write(root / "data.jsonl", [{k: v for k, v in row.items() if k != "bad"} for row in rows(300)])
    run = run_recipe(recipe(root), until="rows")
    table = run.table()
    frame = table.read(["id", "messages"], table.sources())
    bad = [messages[-1]["text"].endswith("the") for messages in frame["messages"].to_list()]
    lines = [
        {"id": row, "verdict": "是" if is_bad else "否"} for row, is_bad in zip(frame["id"], bad, strict=True)
    ]
    write(root / "ids.jsonl", [*lines, {"id": "0" * 32, "verdict": "否"}])
    before = sorted((root / "runs").glob("*"))
    found = calibrate(recipe(root), "whole", root / "ids.jsonl", precision=0.9, field="verdict")
    assert found.point.precision.value == 1.0
    assert (found.unreadable, found.chosen_on + found.judged_on) == (1, 300)
    assert sorted((root / "runs").glob("*")) == before, "the project's runs stay as they were"


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([row for row in rows(300) if row["bad"]], "all .* rows are bad"),
        ([], "it holds no rows"),
        (rows(20), "59 bad rows acted upon"),
        ([{"instruction": "a", "output": "b"}], "field 'bad' is missing"),
        ([{"foo": "a", "bad": True}, {"foo": "b", "bad": False}], r"truth.jsonl: no source .* \['foo'\]"),
        ([{"instruction": "a", "output": "b", "bad": "perhaps"}], "bad is 'perhaps'"),
    ],
)
def test_unfit_truth_is_refused(root: Path, lines: list[dict[str, Any]], message: str) -> None:
    write(root / "truth.jsonl", lines)
    with pytest.raises(UsageError, match=message):
        calibrate(recipe(root), "whole", root / "truth.jsonl", precision=0.95)


def test_a_precision_out_of_reach_tells_the_best(root: Path) -> None:
    draw = random.Random(2)
    write(root / "truth.jsonl", [{**row, "bad": draw.random() < 0.5} for row in rows(300)])
    with pytest.raises(UsageError, match=r"no at_least shows a precision of 0.9 .* the best is 0\.\d+"):
        calibrate(recipe(root), "whole", root / "truth.jsonl", precision=0.9)


def test_wrong_names_and_values_are_refused(root: Path) -> None:
    with pytest.raises(UnknownName, match="unknown step 'hole'"):
        calibrate(recipe(root), "hole", root / "truth.jsonl")
    with pytest.raises(UsageError, match="no threshold that could be calibrated"):
        calibrate(recipe(root), "exact", root / "truth.jsonl")
    with pytest.raises(UnknownName, match="unknown setting 'jaccard'"):
        calibrate(recipe(root), "whole", root / "truth.jsonl", setting="jaccard")
    with pytest.raises(UsageError, match=r"precision is 1\.5"):
        calibrate(recipe(root), "whole", root / "truth.jsonl", precision=1.5)
    with pytest.raises(MissingInput, match="no truth file"):
        calibrate(recipe(root), "whole", root / "none.jsonl")


def test_the_verb_writes_and_tells(root: Path) -> None:
    arguments = [
        "calibrate",
        "whole",
        "--recipe",
        str(root / "recipe.yaml"),
        "--truth",
        str(root / "truth.jsonl"),
    ]
    done = CliRunner().invoke(app, [*arguments, "--precision", "0.9", "--json"], catch_exceptions=False)
    told = orjson.loads(done.stdout)
    assert told["written"] is True
    assert told["precision"]["low"] >= 0.9
    assert told["ranking"]["share"] > 0.9
    assert told["ranking"]["matched_pairs"] > 0
    assert recipe(root).steps[1].step.at_least == told["value"]
    plain = CliRunner().invoke(app, [*arguments, "--precision", "0.9", "--no-write"], catch_exceptions=False)
    assert "not written" in plain.stdout
    assert "good rows acted upon" in plain.stdout
    assert "of like length (within 10 %)" in plain.stdout


def test_a_score_that_is_length_is_told_apart_from_one_that_is_not(root: Path) -> None:
    (root / "recipe.yaml").write_text(
        RECIPE + "  - {id: asked, use: complexity}\n"
        "  - {id: plain, use: threshold, column: asked.score, at_most: 3}\n",
        encoding="utf-8",
    )
    draw = random.Random(4)
    lines: list[dict[str, Any]] = []
    for number in range(240):
        words = draw.randint(8, 60) + 20 * (number % 2)
        reply = " ".join(draw.choices(WORDS, k=words)) + "."
        marks = words // 4 if number < 120 else draw.randint(2, 20)
        lines.append({"instruction": "go, " * marks, "output": reply, "bad": bool(number % 2)})
    measured = measure(recipe(root), "asked", read_truth(write(root / "long.jsonl", lines), "bad"))
    ranking = measured.ranking
    assert ranking is not None
    assert ranking.pairs == 120 * 120
    assert 0 < ranking.matched_pairs < ranking.pairs / 3
    assert ranking.share > 0.58
    assert abs(ranking.matched - 0.5) < 0.08
    assert ranking.correlation > 0.3
    assert ranking.longer > 0.7


def test_the_curve_goes_from_strict_to_loose(root: Path) -> None:
    doubtful = [{**row, "output": row["output"].removesuffix(".") + " lamp"} for row in rows(80, seed=2)]
    write(root / "truth.jsonl", [*rows(300), *doubtful])
    measured = measure(recipe(root), "whole", read_truth(root / "truth.jsonl", "bad"))
    curve = measured.curve(20, 0.95)
    assert len(curve) >= 2
    assert [point.recall.count for point in curve] == sorted(point.recall.count for point in curve)
    assert [point.value for point in curve] == sorted((point.value for point in curve), reverse=True)
    assert all(point.recall.n + point.false_rejects.n == int(measured.judged.sum()) for point in curve)
    arguments = [
        "calibrate",
        "whole",
        "--recipe",
        str(root / "recipe.yaml"),
        "--truth",
        str(root / "truth.jsonl"),
    ]
    shown = CliRunner().invoke(app, [*arguments, "--curve", "--precision", "0.999"])
    assert "the strictest value first" in shown.stdout, (
        "the curve is shown where the precision is out of reach, too"
    )
    assert isinstance(shown.exception, UsageError)


def bounded() -> list[tuple[str, str]]:
    """Each registered step that declares bounds, with the name of each."""
    steps: list[tuple[str, type[Any]]] = [
        (name, registry.load("step", name)) for name in registry.table("step")
    ]
    deciding = [(name, step) for name, step in steps if issubclass(step, Decide)]
    return [(name, bound.setting) for name, step in deciding for bound in step.bounds]


def test_many_steps_can_be_calibrated() -> None:
    assert {name for name, _ in bounded()} >= {
        "threshold",
        "script",
        "truncated",
        "reply_language",
        "near_dedup",
    }


@pytest.mark.parametrize(("name", "setting"), bounded())
def test_scores_at_the_loosest_value_tell_what_every_other_does(
    name: str, setting: str, tmp_path: Path
) -> None:
    """What a declared bound promises, on the rows of the contract tests."""
    (tmp_path / "evaluation.jsonl").write_text('{"text": "How do I reset the lock?"}\n', encoding="utf-8")
    (tmp_path / "evaluation.png").write_bytes(PICTURE_BYTES)
    step: Any = make_step(name)
    bound = next(each for each in step.bounds if each.setting == setting)
    for value in bound.values:
        assert with_setting(step, bound, value) is not None, value
    assert list(bound.values) == sorted(bound.values, reverse=bound.acts == "above"), "the strictest first"
    assert bound.reason is None or bound.reason in set(step.Reason)
    if bound.values:
        return
    loosest = acted(with_setting(step, bound, bound.loosest), bound, tmp_path)
    scores = sorted({score for score in loosest.values() if abs(score) < 1e300})
    edges = [number + 1e-7 for number in (*scores, 0.0, 0.31, 0.62, 0.97)]
    steps = [(value, with_setting(step, bound, value)) for value in edges]
    tried = [(value, made) for value, made in steps if made is not None]
    assert tried, "no value is allowed between the scores"
    for value, made in tried:
        beyond = {
            row: score
            for row, score in loosest.items()
            if (score > value if bound.acts == "above" else score < value)
        }
        assert acted(made, bound, tmp_path) == beyond, value


def acted(step: Any, bound: Bound, root: Path) -> dict[int, float]:
    """Row → score of those that the setting acts on."""
    ledger = apply(step, sample(step), context(root, step)).ledger
    mine = pl.lit(value=True) if bound.reason is None else pl.col("reason") == bound.reason
    lines = ledger.filter(pl.col("verdict").is_in(["reject", "flag", "review"]) & mine)
    return dict(zip(lines["n"].to_list(), lines["score"].to_list(), strict=True))


def test_a_short_number_lies_strictly_between() -> None:
    assert shortest_between(0.2, 0.8, set()) == 0.5
    assert shortest_between(0.5, 1.5, set()) == 1.0
    assert shortest_between(0.1, 0.1, set()) is None
