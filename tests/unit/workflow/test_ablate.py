"""What each step does to a student: planted wrong labels, rows thrown away at random, and interruptions."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import polars as pl
import pytest
from typer.testing import CliRunner

from zhiling.cli.main import app
from zhiling.errors import Interrupted, UnknownName, UsageError
from zhiling.evaluation.scores import Difference, verdict
from zhiling.workflow.ablate import student as ablate_student
from zhiling.workflow.ablate.steps import Ablation, ablate, judge
from zhiling.workflow.ablate.variants import Unit, drawn, units
from zhiling.workflow.recipe import Recipe
from zhiling.workflow.run import run_recipe

pytest.importorskip("torch")

WORDS = {
    "order": ["order", "parcel", "delivery", "订单", "包裹"],
    "refund": ["refund", "money", "invoice", "退款", "发票"],
    "lock": ["lock", "battery", "key", "门锁", "电池"],
}
FILLERS = [
    "my",
    "the",
    "please",
    "tell",
    "about",
    "now",
    "how",
    "请问",
    "我的",
    "怎么",
    "了",
    "is",
    "why",
    "when",
    "it",
    "to",
]
RECIPE = """\
version: 1
name: toy
sources:
  - {id: lines, use: labelled, path: data.jsonl, licence: Apache-2.0}
steps:
  - {id: exact, use: exact_dedup}
  - {id: doubt, use: label_errors, features: ngrams}
  - {id: right, use: threshold, column: doubt.score, at_least: 0.0}
  - {id: fewer, use: sample, share: 0.7}
split: {train: 0.85, dev: 0.15, test: 0, near: null}
train: {task: classification, features: ngrams, epochs: 5}
evaluate: {data: gold.jsonl}
"""


def text(draw: random.Random, label: str) -> str:
    words = draw.choices(FILLERS, k=6) + draw.choices(WORDS[label], k=2)
    draw.shuffle(words)
    return " ".join(words)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """240 rows, a third of them under a wrong label; 150 true ones to be tested on."""
    draw = random.Random(5)
    lines: list[dict[str, str]] = []
    for number in range(240):
        label = draw.choice(list(WORDS))
        given = draw.choice([each for each in WORDS if each != label]) if number % 3 == 0 else label
        lines.append({"text": text(draw, label), "label": given})
    gold = [{"text": text(draw, label), "label": label} for label in list(WORDS) * 50]
    for name, rows in (("data", lines), ("gold", gold)):
        content = "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
        (tmp_path / f"{name}.jsonl").write_text(content, encoding="utf-8")
    (tmp_path / "recipe.yaml").write_text(RECIPE, encoding="utf-8")
    return tmp_path


def recipe(root: Path) -> Recipe:
    return Recipe.load(root / "recipe.yaml")


def by_step(root: Path, **options: Any) -> dict[str, Ablation]:
    return {each.step: each for each in ablate(recipe(root), **options).steps}


def test_wrong_labels_and_random_removal_are_told_apart(root: Path) -> None:
    run_recipe(recipe(root), until="rows")
    newest = sorted((root / "runs").glob("*/manifest.json"))
    events: list[dict[str, Any]] = []
    found = by_step(root, tell=events.append)
    assert list(found) == ["exact", "right", "fewer"], "what only measures is left out with what reads it"
    assert found["right"].verdict in ("helps", "no effect")
    assert found["right"].differences["with-random"].mean > 0
    assert found["right"].removed is not None
    assert found["right"].removed > 20
    assert found["fewer"].verdict != "helps"
    assert found["exact"].verdict == "no effect"
    assert found["exact"].differences["with-without"].high == 0.0, "it removed nothing: equal students"
    assert "random" not in found["exact"].scores
    assert {len(each.scores) for name, each in found.items() if name != "exact"} == {3}
    measured = [event for event in events if event["event"] == "done" and event["step"] == "doubt"]
    assert all(event["reused"] for event in measured), "what stands before a step is not computed again"
    assert sorted((root / "runs").glob("*/manifest.json")) == newest, "the project's runs stay as they were"
    assert not list((root / "runs" / "ablation").glob("*/manifest.json")), "rows of variants are removed"


def test_a_second_time_trains_nothing(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_recipe(recipe(root), until="train")
    train: Callable[..., Any] = ablate_student.train
    trained: list[int] = []
    monkeypatch.setattr(ablate_student, "train", lambda *a, **o: (trained.append(0), train(*a, **o))[1])
    first = ablate(recipe(root), only=["right"])
    assert len(trained) == 6, "the recipe's own students are taken over from its run"
    monkeypatch.setattr(ablate_student, "train", _refuse)
    assert ablate(recipe(root), only=["right"]) == first


def _refuse(*arguments: Any, **options: Any) -> Any:
    raise AssertionError("nothing is left to train")


def test_what_was_trained_before_an_interruption_is_kept(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train: Callable[..., Any] = ablate_student.train
    trained: list[int] = []

    def interrupted(*arguments: Any, **options: Any) -> Any:
        if len(trained) == 4:
            raise KeyboardInterrupt
        trained.append(options["seed"])
        return train(*arguments, **options)

    monkeypatch.setattr(ablate_student, "train", interrupted)
    with pytest.raises(Interrupted, match="goes on"):
        ablate(recipe(root), only=["fewer"])
    assert len(list((root / "runs" / "ablation" / "arms").glob("*.json"))) == 4
    monkeypatch.setattr(ablate_student, "train", lambda *a, **o: (trained.append(0), train(*a, **o))[1])
    assert ablate(recipe(root), only=["fewer"]).steps[0].scores.keys() == {"with", "without", "random"}
    assert len(trained) == 9, "three arms of three seeds, each once"


def test_what_cannot_be_measured_says_why(root: Path) -> None:
    lines = [json.loads(line) for line in (root / "data.jsonl").read_text("utf-8").splitlines()]
    (root / "data.jsonl").write_text("\n".join(json.dumps({"text": line["text"]}) for line in lines))
    (root / "recipe.yaml").write_text(RECIPE.replace("use: labelled", "use: tables"), encoding="utf-8")
    with pytest.raises(UsageError, match="0 labelled rows to train on"):
        ablate(recipe(root))


def test_without_an_evaluation_file_the_test_part_is_answered(root: Path) -> None:
    own = RECIPE.replace("train: 0.85, dev: 0.15, test: 0,", "train: 0.6, dev: 0.15, test: 0.25,")
    (root / "recipe.yaml").write_text(own.replace("evaluate: {data: gold.jsonl}\n", ""), encoding="utf-8")
    found = ablate(recipe(root), only=["exact"])
    run = run_recipe(recipe(root), until="rows")
    assert found.tested_on == "test part"
    assert found.tested == run.rows("test").height > 10
    shown = CliRunner().invoke(app, ["ablate", str(root / "recipe.yaml"), "--step", "exact"])
    assert "is fairer" in shown.stdout


def test_wrong_requests_are_refused(root: Path) -> None:
    with pytest.raises(UnknownName, match="'doubt'"):
        ablate(recipe(root), only=["doubt"])
    with pytest.raises(UsageError, match="at least 3"):
        ablate(recipe(root), seeds=2)
    bare = RECIPE.replace(RECIPE[RECIPE.index("steps:") : RECIPE.index("split:")], "")
    (root / "recipe.yaml").write_text(bare, encoding="utf-8")
    with pytest.raises(UsageError, match="no step that decides"):
        ablate(recipe(root))


def test_the_verb_tells_json_and_a_table(root: Path) -> None:
    arguments = ["ablate", str(root / "recipe.yaml"), "--step", "exact"]
    told = orjson.loads(CliRunner().invoke(app, [*arguments, "--json"], catch_exceptions=False).stdout)
    assert told["steps"][0]["verdict"] == "no effect"
    assert (told["tested"], told["tested_on"], len(told["seeds"])) == (150, "gold.jsonl", 3)
    assert orjson.loads((root / "runs" / "ablation" / "ablation.json").read_bytes()) == told
    table = CliRunner().invoke(app, arguments, catch_exceptions=False).stdout
    assert "no effect" in table
    assert "no random removal" in table


def test_steps_leave_with_those_that_read_their_columns() -> None:
    text = RECIPE.replace(
        "  - {id: fewer", "  - {id: held, use: threshold, column: exact.cluster, among: [a]}\n  - {id: fewer"
    )
    found = list(units(_steps(text)))
    assert found[0] == Unit("exact", "exact_dedup", ("held",))
    assert [unit.step for unit in found] == ["exact", "right", "held", "fewer"]


def _steps(text: str) -> Any:
    from zhiling.workflow.document import Document, _parse  # pyright: ignore[reportPrivateUsage]
    from zhiling.workflow.reader import Reader

    file = Path("recipe.yaml")
    return Reader(Document(file, _parse(text, file))).recipe().steps


@pytest.mark.parametrize(
    ("without", "random", "said"),
    [
        ((0.01, 0.02), (0.01, 0.02), "helps"),
        ((0.01, 0.02), None, "helps"),
        ((0.01, 0.02), (-0.01, 0.02), "no effect"),
        ((-0.01, 0.02), (0.01, 0.02), "no effect"),
        ((-0.02, -0.01), (-0.01, 0.02), "hurts"),
        ((-0.02, -0.01), None, "hurts"),
        ((-0.02, -0.01), (0.01, 0.02), "mixed"),
    ],
)
def test_a_verdict_asks_both_controls(
    without: tuple[float, float], random: tuple[float, float] | None, said: str
) -> None:
    pairs = {"with-without": without, "with-random": random}
    found = {name: Difference(sum(ends) / 2, *ends, verdict(*ends)) for name, ends in pairs.items() if ends}
    assert judge(found) == said


def test_a_draw_is_fixed_by_its_seed_and_keeps_the_order() -> None:
    rows = pl.DataFrame({"id": [str(number) for number in range(50)]})
    first = drawn(rows, 20, 1)
    assert first.equals(drawn(rows, 20, 1))
    assert not first.equals(drawn(rows, 20, 2))
    assert first["id"].cast(pl.Int64).is_sorted()
    assert drawn(rows, 80, 1).height == 50
