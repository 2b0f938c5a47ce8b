"""What each source does: one that alone knows a label helps, a mislabelled one hurts, answers follow."""

from __future__ import annotations

import json
import random
from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner

from zhiling.cli.main import app
from zhiling.errors import UnknownName, UsageError
from zhiling.evaluation.scores import Difference, verdict
from zhiling.workflow.ablate import student as ablate_student
from zhiling.workflow.ablate.sources import SourceAblation, ablate_sources, judge_source
from zhiling.workflow.recipe import Recipe

pytest.importorskip("torch")

WORDS = {
    "order": ["order", "parcel", "订单"],
    "refund": ["refund", "money", "退款"],
    "lock": ["lock", "门锁", "key"],
}
FILLERS = ["my", "the", "please", "now", "how", "请问", "我的", "怎么", "is", "why"]
RECIPE = """\
version: 1
name: toy
sources:
  - {id: shop, use: labelled, path: shop.jsonl, licence: Apache-2.0}
  - {id: doors, use: labelled, path: doors.jsonl, licence: Apache-2.0}
  - {id: wrong, use: labelled, path: wrong.jsonl, licence: Apache-2.0}
  - {id: notes, use: tables, path: notes.jsonl, licence: Apache-2.0}
split: {train: 0.8, dev: 0.2, test: 0, near: null}
train: {task: classification, features: ngrams, epochs: 6, learning_rate: 0.01}
evaluate: {data: gold.jsonl}
"""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("project")
    draw = random.Random(3)

    def rows(labels: list[str], count: int, told: dict[str, str] | None = None) -> list[dict[str, str]]:
        found: list[dict[str, str]] = []
        for number in range(count):
            label = draw.choice(labels)
            words = [*draw.choices(FILLERS, k=5), *draw.choices(WORDS[label], k=2), str(number)]
            draw.shuffle(words)
            found.append({"text": " ".join(words), "label": (told or {}).get(label, label)})
        return found

    files = {
        "shop": rows(["order", "refund"], 90),
        "doors": rows(["lock"], 40),
        "wrong": rows(["order", "refund"], 80, {"order": "refund", "refund": "order"}),
        "notes": [{"text": f"nothing to label {number}"} for number in range(5)],
        "gold": rows(["order", "refund", "lock"], 120),
    }
    for name, lines in files.items():
        (root / f"{name}.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    (root / "recipe.yaml").write_text(RECIPE, encoding="utf-8")
    return root


def recipe(root: Path) -> Recipe:
    return Recipe.load(root / "recipe.yaml")


def test_sources_are_told_by_what_they_bring(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "the door lock is broken"
    found = ablate_sources(recipe(root), about=[text])
    sources: dict[str, SourceAblation] = {each.source: each for each in found.sources}
    assert (found.tested, len(found.seeds)) == (120, 3)
    assert sources["doors"].verdict == "helps"
    assert sources["doors"].differences["random-without"].low > 0
    assert sources["wrong"].verdict == "hurts"
    assert sources["notes"].verdict == "not measured"
    assert "no labelled row" in sources["notes"].note
    shares = [sources[name].rows["source"] for name in ("shop", "doors", "wrong")]
    assert sum(shares) == sources["shop"].rows["all"]
    followed = sources["doors"].about[0]
    assert (followed.text, followed.changed) == (text, True)
    assert followed.answers["with"] == {"lock": 3}
    assert "lock" not in followed.answers["without"], "no other source knows the label"
    monkeypatch.setattr(ablate_student, "train", _refuse)
    assert ablate_sources(recipe(root), about=[text]) == found
    stored = orjson.loads((root / "runs" / "ablation" / "sources.json").read_bytes())
    assert [each["source"] for each in stored["sources"]] == ["shop", "doors", "wrong", "notes"]


def _refuse(*arguments: object, **options: object) -> object:
    raise AssertionError("nothing is left to train")


def test_the_verb_follows_a_test_row_by_its_id(root: Path) -> None:
    rows = ablate_sources(recipe(root), only=["doors"], about=["nothing like an id"]).sources[0].about
    assert rows[0].id == "text 1"
    arguments = ["ablate", str(root / "recipe.yaml"), "--sources", "--step", "doors"]
    told = orjson.loads(CliRunner().invoke(app, [*arguments, "--json"], catch_exceptions=False).stdout)
    assert told["sources"][0]["about"] == []
    table = CliRunner().invoke(app, [*arguments, "--about", "my key"], catch_exceptions=False).stdout
    assert "lock × 3" in table
    assert "helps" in table


def test_wrong_requests_are_refused(root: Path) -> None:
    with pytest.raises(UnknownName, match="'doorz'"):
        ablate_sources(recipe(root), only=["doorz"])
    with pytest.raises(UsageError, match="--sources"):
        CliRunner().invoke(app, ["ablate", str(root / "recipe.yaml"), "--about", "x"], catch_exceptions=False)
    lines = RECIPE.splitlines()
    alone = "\n".join([*lines[:4], *lines[7:]])
    (root / "alone.yaml").write_text(alone, encoding="utf-8")
    with pytest.raises(UsageError, match="one source, 'shop'"):
        ablate_sources(Recipe.load(root / "alone.yaml"))


def test_tasks_with_other_targets_are_measured_too(tmp_path: Path) -> None:
    draw = random.Random(1)
    for name, labels in (("one", ["order"]), ("two", ["refund", "lock"])):
        texts = [
            " ".join([*draw.choices(FILLERS, k=3), *(draw.choice(WORDS[label]) for label in labels)])
            for _ in range(60)
        ]
        rows = [{"text": text, "label": labels} for text in texts]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    (tmp_path / "recipe.yaml").write_text(
        "sources:\n"
        "  - {id: one, use: labelled, path: one.jsonl, kind: classification, absent: none}\n"
        "  - {id: two, use: labelled, path: two.jsonl, kind: classification, absent: none}\n"
        "split: {train: 0.5, dev: 0.2, test: 0.3, near: null}\n"
        "train: {task: multi_label, features: ngrams, epochs: 4, learning_rate: 0.02}\n"
        "evaluate: {metrics: [micro_f1]}\n",
        encoding="utf-8",
    )
    found = {each.source: each for each in ablate_sources(recipe(tmp_path), about=["order a parcel"]).sources}
    assert found["two"].verdict == "not measured"
    assert "1 label" in found["two"].note, "without it one label is left: nothing to learn"
    assert found["one"].differences["with-without"].mean > 0
    assert found["one"].about[0].answers["with"] == {"order": 3}


@pytest.mark.parametrize(
    ("without", "random", "said"),
    [
        ((0.01, 0.02), (0.01, 0.02), "helps"),
        ((0.01, 0.02), (-0.01, 0.02), "helps as any rows do"),
        ((0.01, 0.02), (-0.02, -0.01), "helps as any rows do"),
        ((-0.01, 0.02), (0.01, 0.02), "no effect"),
        ((-0.02, -0.01), (-0.02, -0.01), "hurts"),
    ],
)
def test_a_verdict_asks_both_differences(
    without: tuple[float, float], random: tuple[float, float], said: str
) -> None:
    pairs = {"with-without": without, "random-without": random}
    found = {name: Difference(sum(ends) / 2, *ends, verdict(*ends)) for name, ends in pairs.items()}
    assert judge_source(found) == said
