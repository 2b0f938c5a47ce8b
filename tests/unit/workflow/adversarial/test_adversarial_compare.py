"""A whole comparison on a small desk: what arms see, what fails and goes on, what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

pytest.importorskip("sklearn")

from tests.desk_lines import desk
from zhiling.adversarial.generators.retrieve import Retrieve
from zhiling.cli.main import app
from zhiling.encoders.hashing import HashingEncoder
from zhiling.errors import Interrupted, MissingInput, UnknownName, UsageError
from zhiling.pipeline.step import Context, Made
from zhiling.workflow.adversarial.arms import TEMPERATURES, chosen
from zhiling.workflow.adversarial.bench import BlockLine
from zhiling.workflow.adversarial.compare import Comparison, compare
from zhiling.workflow.adversarial.draw import Wanted
from zhiling.workflow.adversarial.self_consuming import NgramModel
from zhiling.workflow.adversarial.student import answers
from zhiling.workflow.adversarial.trials import Options
from zhiling.workflow.recipe import Recipe

KNOWN, LINES = desk(known=9, lines=12)
TRUTH = dict(LINES)
RECIPE = """\
version: 1
name: desk
seed: 3
encoder: {{use: hashing, buckets: 256}}
max_failed: 1.0
sources:
  - {{id: known, use: labelled, path: known.jsonl, licence: Apache-2.0}}
  - {{id: log, use: labelled, path: log.jsonl, licence: Apache-2.0}}
steps:
  - {{id: once, use: exact_dedup}}
  - id: gan
    use: adversarial
    generators: [{generator}]
    gates: [{{id: near, use: near_dedup}}]
    rounds: 2
    per_round: 60
"""
GENERATOR = "{use: retrieve, least: 0.1}"


class Switched(Retrieve):
    """A generator for tests whose model is away, or that is left, while a file says so."""

    name = "switched"
    asked: ClassVar[list[str]] = []

    def make(self, rows: pl.DataFrame, context: Context) -> Made:
        self.asked.append(context.step_id)
        if (context.root / "away").exists():
            raise MissingInput("the model is away")
        if (context.root / "left").exists():
            raise KeyboardInterrupt
        return super().make(rows, context)


class Tempered(Retrieve):
    """A generator for tests with a temperature."""

    name = "tempered"
    temperature: float = 0.9


SWITCHED = f'{{use: "{__name__}:Switched"}}'


def project(root: Path, generator: str = GENERATOR) -> Recipe:
    """A recipe over the desk, English and Chinese."""
    rows = [{"text": said, "label": label} for said, label in KNOWN]
    (root / "known.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    lines = [{"text": said, "checked": label} for said, label in LINES]
    (root / "log.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    (root / "recipe.yaml").write_text(RECIPE.format(generator=generator), encoding="utf-8")
    return Recipe.load(root / "recipe.yaml")


def options(*arms: str, seeds: int = 1, rows: int | None = None, **wanted: Any) -> Options:
    return Options(arms, seeds, rows, Wanted(**wanted))


def states(found: Comparison) -> dict[str, str]:
    return {arm.arm: arm.state for arm in found.arms}


def test_arms_that_draw_take_as_many_rows_as_the_loop_and_know_the_truth(tmp_path: Path) -> None:
    recipe = project(tmp_path)
    found = compare(
        recipe, options("unfiltered", "best_of_n", "oracle", "label_propagation", truth="checked")
    )
    loop, once = found.arm("loop"), found.arm("filter_once")
    assert loop is not None
    assert once is not None
    size = loop.rows or once.rows
    assert found.size == (size,)
    assert size > 0
    for name in ("unfiltered", "best_of_n", "oracle"):
        arm = found.arm(name)
        assert arm is not None
        assert 0 < arm.rows <= size
        assert arm.wrong is not None
    oracle, alone = found.arm("oracle"), found.arm("seeds_only")
    assert oracle is not None
    assert oracle.wrong == 0
    assert alone is not None
    assert (alone.rows, alone.wrong, alone.calls) == (0, None, 0)
    assert found.tested == (21,)
    assert found.known == (42,)


def test_nothing_that_is_tested_on_is_known_to_any_arm(tmp_path: Path) -> None:
    found = compare(project(tmp_path), options("loop", "eda", seeds=2))
    eda = found.arm("eda")
    assert eda is not None
    assert eda.rows > 0
    for file in found.folder.glob("held-*.parquet"):
        held = set(pl.read_parquet(file)["id"])
        assert held
        base = found.folder / file.name.replace("held", "before").removesuffix(".parquet")
        rejected = pl.concat(map(pl.read_parquet, base.glob("*compare_held_out/*/ledger-*.parquet")))
        assert (rejected["verdict"] == "reject").sum() == len(held)


def test_hidden_labels_become_lines_whose_truth_is_known(tmp_path: Path) -> None:
    found = compare(project(tmp_path), options("oracle", rows=30, shots=3))
    assert found.known == (21,)
    assert found.lines[0] == 21 + len({said for said, _ in LINES})
    oracle = found.arm("oracle")
    assert oracle is not None
    assert (oracle.rows, oracle.wrong) == (21, 0)


def test_an_arm_that_fails_loses_no_other_and_is_tried_again(tmp_path: Path) -> None:
    recipe = project(tmp_path, SWITCHED)
    (tmp_path / "away").touch()
    asked = options("loop", "unfiltered", "label_propagation")
    found = compare(recipe, asked)
    told = states(found)
    assert told.pop("unfiltered") == "left_out"
    assert told == {
        "seeds_only": "done", "filter_once": "failed", "loop": "failed", "label_propagation": "done",
    }  # fmt: skip
    loop = found.arm("loop")
    assert loop is not None
    assert loop.note
    before = {file: file.stat().st_mtime_ns for file in (found.folder / "arms").iterdir()}
    (tmp_path / "away").unlink()
    again = compare(recipe, asked)
    assert set(states(again).values()) == {"done"}
    assert {file: file.stat().st_mtime_ns for file in before} == before
    Switched.asked.clear()
    assert compare(recipe, asked).as_dict() == again.as_dict()
    assert Switched.asked == []


def test_after_ctrl_c_it_goes_on_with_what_was_finished(tmp_path: Path) -> None:
    recipe = project(tmp_path, SWITCHED)
    (tmp_path / "left").touch()
    with pytest.raises(Interrupted, match="every arm that was finished is stored"):
        compare(recipe, options("loop", rows=10))
    (tmp_path / "left").unlink()
    assert set(states(compare(recipe, options("loop", rows=10))).values()) == {"done"}


def test_a_step_before_the_block_that_fails_is_no_arm_s_failure(tmp_path: Path) -> None:
    project(tmp_path)
    file = tmp_path / "recipe.yaml"
    before = f'  - {{id: more, use: "{__name__}:Switched"}}\n  - id: gan'
    file.write_text(file.read_text("utf-8").replace("  - id: gan", before), encoding="utf-8")
    (tmp_path / "away").touch()
    with pytest.raises(MissingInput, match="the model is away"):
        compare(Recipe.load(file), options("loop"))


def test_equal_comparisons_give_equal_results(tmp_path: Path) -> None:
    both = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        found = compare(project(tmp_path / name), options("loop", "eda", "best_of_n")).as_dict()
        both.append([{**arm, "cpu_s": 0} for arm in found["arms"]])
    assert both[0] == both[1]


def test_temperatures_are_swept_where_a_generator_has_one(tmp_path: Path) -> None:
    found = compare(project(tmp_path, f'{{use: "{__name__}:Tempered"}}'), options("temperature", rows=20))
    sweep = {f"temperature_{each}" for each in TEMPERATURES}
    assert states(found) == dict.fromkeys(["seeds_only", "filter_once", *sweep], "done")
    (tmp_path / "cold").mkdir()
    left = compare(project(tmp_path / "cold"), options("temperature", "raft", "with_rejection", rows=20))
    notes = {arm.arm: arm.note for arm in left.arms if arm.state == "left_out"}
    assert notes == {
        **dict.fromkeys(sweep, "no_temperature"),
        "raft": "no_language_model",
        "with_rejection": "is_the_loop",
    }


@pytest.mark.parametrize(
    ("update", "left_out"),
    [("", ["raft"]), (", update: raft", ["raft"]), (", update: none", ["without_raft"])],
)
def test_of_the_ways_that_a_language_model_learns_the_loop_has_one(
    update: str, left_out: list[str], tmp_path: Path
) -> None:
    recipe = project(tmp_path, f"{{use: language_model{update}}}, {GENERATOR}")
    bench: Any = SimpleNamespace(block=BlockLine.of(recipe))
    ways = [arm for arm in chosen(["raft", "without_raft"]) if arm.unfit is not None]
    assert [arm.name for arm in ways if arm.unfit and arm.unfit(bench) == "is_the_loop"] == left_out


def test_the_self_consuming_control_collapses_and_the_guards_stop_it(tmp_path: Path) -> None:
    found = compare(project(tmp_path), options("self_consuming", rows=10, seeds=2))
    arm = found.arm("self_consuming")
    assert arm is not None
    assert [alarm is not None and alarm.follows for alarm in arm.alarms] == ["stop", "stop"]


@pytest.mark.parametrize(
    ("rows", "label"), [([("where is it", "a"), ("what is that", "a")], "a"), ([("卡丢了", "卡")], "卡")]
)
def test_an_ngram_model_writes_what_it_learnt(rows: list[tuple[str, str]], label: str) -> None:
    model, rng = NgramModel(rows), np.random.default_rng(0)
    texts = {model.text(label, rng) for _ in range(50)}
    assert {text for text, _ in rows} <= texts
    characters = set("".join(text for text, _ in rows))
    assert all(set(text) <= characters for text in texts)


def test_the_student_is_deterministic_and_weighs_labels_alike() -> None:
    rows = pl.DataFrame(
        {
            "text": ["card lost", "卡丢了", *["where is the parcel"] * 40],
            "label": ["card", "card", *["parcel"] * 40],
        }
    )
    asked, encoder = pl.Series(["my card lost", "我的卡丢了", "the parcel"]), HashingEncoder(buckets=256)
    told = answers(rows, asked, encoder)
    assert told == ["card", "card", "parcel"]
    assert answers(rows.reverse(), asked, encoder) == told


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        (options("lop"), UnknownName, "unknown arm 'lop'"),
        (options(seeds=0), UsageError, "--seeds is 0"),
        (options(rows=0), UsageError, "--rows is 0"),
        (options(shots=-1), UsageError, "--shots is -1"),
        (options(test=1.0), UsageError, "--test is 1.0"),
        (options(test_file=Path("nowhere.jsonl")), MissingInput, "no file 'nowhere.jsonl'"),
    ],
)
def test_options_that_mean_nothing_are_refused(
    given: Options, error: type[Exception], said: str, tmp_path: Path
) -> None:
    with pytest.raises(error, match=said) as caught:
        compare(project(tmp_path), given)
    assert "→" in str(caught.value)


def test_a_recipe_without_a_block_or_an_encoder_is_refused(tmp_path: Path) -> None:
    project(tmp_path)
    file = tmp_path / "recipe.yaml"
    whole = file.read_text("utf-8")
    file.write_text(whole[: whole.index("  - id: gan")], encoding="utf-8")
    with pytest.raises(UsageError, match="no step has `use: adversarial`"):
        compare(Recipe.load(file), options())
    file.write_text(whole.replace("encoder: {use: hashing, buckets: 256}\n", ""), encoding="utf-8")
    with pytest.raises(UsageError, match="the student needs an encoder"):
        compare(Recipe.load(file), options())


def test_the_command_prints_a_table_and_says_what_does_not_help(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project(tmp_path)
    monkeypatch.chdir(tmp_path)
    runner = CliRunner()
    asked = ["adversarial", "compare", "--arms", "loop", "--seeds", "1"]
    told = runner.invoke(app, [*asked, "--language", "zh"])
    assert told.exit_code == 0, told.output
    assert "过滤一次" in told.stdout
    assert "胜过" in told.stdout
    found = json.loads(runner.invoke(app, [*asked, "--json"]).stdout)
    assert [arm["arm"] for arm in found["arms"]] == ["seeds_only", "filter_once", "loop"]
    assert (Path(found["folder"]) / "comparison.zh.html").is_file()
