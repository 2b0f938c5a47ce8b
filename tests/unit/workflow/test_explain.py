"""Why a run's model answers as it does: in the evaluation's files, and by `predict --explain`."""

from __future__ import annotations

import json
import random
from typing import Any

import orjson
import pytest
from typer.testing import CliRunner

from zhiling.cli.main import app
from zhiling.errors import UsageError
from zhiling.workflow.inspect.life import life
from zhiling.workflow.recipe import Recipe
from zhiling.workflow.run import Run, run_recipe

pytest.importorskip("torch")
pytest.importorskip("captum")

WORDS = {"order": ["order", "parcel", "订单"], "refund": ["refund", "money", "退款"]}
FILLERS = ["my", "the", "please", "now", "how", "请问", "我的", "怎么", "is", "why"]
RECIPE = """\
version: 1
name: toy
sources:
  - {id: letters, use: labelled, path: data.jsonl, licence: Apache-2.0}
split: {train: 0.6, dev: 0.15, test: 0.25, near: null}
train: {task: classification, features: ngrams, epochs: 4, learning_rate: 0.02}
evaluate: {arms: [after], seeds: 1, explain: {rows: 3, neighbours: 2}}
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """420 rows; what speaks of the lock is labelled at random, so it is often wrong."""
    root = tmp_path_factory.mktemp("project")
    draw = random.Random(2)
    rows: list[dict[str, str]] = []
    for number in range(420):
        label = draw.choice(list(WORDS))
        words = draw.choices(FILLERS, k=5) + draw.choices(WORDS[label], k=2)
        if number % 3 == 0:
            words, label = ["door", "lock", "门锁", "key", str(number)], draw.choice(list(WORDS))
        draw.shuffle(words)
        rows.append({"text": " ".join(words), "label": label})
    (root / "data.jsonl").write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    (root / "recipe.yaml").write_text(RECIPE, encoding="utf-8")
    return run_recipe(Recipe.load(root / "recipe.yaml"), until="evaluate")


def read(run: Run, name: str) -> dict[str, Any]:
    return orjson.loads((run.path / "evaluation" / f"{name}.json").read_bytes())


def test_the_surest_wrong_answers_are_explained_first(run: Run) -> None:
    found = read(run, "explanations")
    assert len(found["rows"]) == 3
    first = found["rows"][0]
    assert not first["right"]
    assert first["score"] >= found["rows"][1]["score"]
    told = first["attribution"]
    assert told["explained"] == first["answer"]
    assert told["baseline"] + told["ngrams_total"] + told["gap"] == pytest.approx(told["score"], abs=1e-3)
    assert found["looked_through"] == found["train_rows"] > 100


def test_why_goes_on_from_a_nearest_row(run: Run) -> None:
    for row in read(run, "explanations")["rows"]:
        assert len(row["nearest"]) == 2
        assert row["nearest"][0]["cosine"] >= row["nearest"][1]["cosine"]
        for near in row["nearest"]:
            assert near["source"] == "letters"
            assert near["locator"].startswith("data.jsonl:")
            assert near["locator"] in life(run.path, near["id"]).render("en")


def test_the_slice_of_unlearnable_rows_is_found(run: Run) -> None:
    found = read(run, "slices")
    assert found["n"] == found["of"] == run.rows("test").height
    assert found["slices"], "a third of the rows is labelled at random"
    worst = found["slices"][0]
    assert any(term in " ".join(worst["terms"]) for term in ("lock", "door", "门锁", "key"))
    assert worst["rate"]["low"] > 0
    assert worst["mistakes"][0]["rows"] >= 1
    assert not worst["examples"][0]["right"]


def test_predict_tells_why_as_text_and_as_json(run: Run) -> None:
    arguments = ["predict", "--explain", "--model", str(run.path), "where is my parcel"]
    told = CliRunner().invoke(app, arguments, catch_exceptions=False).stdout
    assert "nearest training rows" in told
    assert "n-grams" in told
    value = json.loads(CliRunner().invoke(app, [*arguments, "--json"], catch_exceptions=False).stdout)
    assert value["answer"] == "order"
    assert len(value["nearest"]) == 5
    assert value["attribution"]["explained"] == "order"
    other = [*arguments, "--json", "--label", "refund"]
    turned = json.loads(CliRunner().invoke(app, other, catch_exceptions=False).stdout)
    assert turned["attribution"]["score"] == pytest.approx(-value["attribution"]["score"], abs=1e-5)


def test_a_model_alone_has_no_training_rows(run: Run) -> None:
    arguments = ["predict", "--explain", "--json", "--model", str(run.path / "model"), "退款"]
    told = CliRunner().invoke(app, arguments, catch_exceptions=False)
    value = json.loads(told.stdout)
    assert value["nearest"] == []
    assert value["attribution"]["ngrams"]
    assert "a model alone" in told.stderr


def test_wrong_requests_are_refused(run: Run) -> None:
    arguments = ["predict", "--model", str(run.path), "x", "--label"]
    with pytest.raises(UsageError, match="--explain"):
        CliRunner().invoke(app, [*arguments, "order"], catch_exceptions=False)
    with pytest.raises(UsageError, match="no label 'nonsense'"):
        CliRunner().invoke(app, [*arguments, "nonsense", "--explain"], catch_exceptions=False)


def test_a_recipe_may_ask_for_none(run: Run) -> None:
    root = run.path.parent.parent
    text = RECIPE.replace("explain: {rows: 3, neighbours: 2}", "explain: null")
    (root / "recipe.yaml").write_text(text, encoding="utf-8")
    found = run_recipe(Recipe.load(root / "recipe.yaml"), until="evaluate")
    assert not (found.path / "evaluation" / "explanations.json").exists()
    assert not (found.path / "evaluation" / "slices.json").exists()
