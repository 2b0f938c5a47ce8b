"""The example of logs: conversations become pairs, templates and intents; a list of intents is read back."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path
from typing import Any

import orjson
import pytest
from ruamel.yaml import YAML

import zhiling

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("sklearn") is None, reason="scikit-learn is not installed"
)

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "generate" / "logs"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    shutil.copytree(EXAMPLE, tmp_path / "logs", ignore=shutil.ignore_patterns("runs", "zhiling.sqlite*"))
    return tmp_path / "logs"


def made(root: Path) -> tuple[list[dict[str, Any]], Path]:
    """The rows of pairs with their measures, and the run's folder."""
    run = zhiling.Recipe.load(root / "recipe.yaml").run()
    rows = [row for row in run.rows().iter_rows(named=True) if row["task"] != "utterance"]
    return rows, sorted((root / "runs").iterdir())[-1]


def state(run: Path, step: str, file: str) -> str:
    return next(run.glob(f"*-{step}/*/state/{file}")).read_text(encoding="utf-8")


def test_logs_become_pairs_templates_and_intents(root: Path) -> None:
    rows, run = made(root)
    asked = {row["messages"][0]["text"]: row for row in rows}
    assert all([m["role"] for m in row["messages"]] == ["user", "assistant"] for row in rows)

    for question, best, second in (
        ("How long does a refund take?", "A refund takes five working days", "Five working days to the card"),
        ("退款多久能到账？", "退款五个工作日内退回原来的卡。", "从还车那天算起，五个工作日内退回原来的卡。"),
    ):
        row = asked[question]
        assert row["messages"][1]["text"].startswith(best)
        ranked = [each["messages"][0]["text"] for each in row["alternatives"]]
        assert ranked[0].startswith(second)

    answers = {row["messages"][1]["text"] for row in rows}
    assert "lina: ride on to Mill Bridge, there are twelve free places" in answers
    assert "老秦: 请在“我的行程”里点“报修”，再换一辆车" in answers
    assert not any("ask your bank" in answer or "问银行" in answer for answer in answers)

    lines = state(run, "templates", "templates.jsonl").splitlines()
    patterns = {orjson.loads(line)["pattern"] for line in lines}
    assert "booking {order_id} is cancelled, and {money} go back to your card." in patterns
    assert "预约{order_id}已取消，{money}退回您的卡。" in patterns

    entries = YAML(typ="safe").load(state(run, "intents", "intents.yaml"))
    assert len(entries) >= 4
    terms = [" ".join(entry["terms"]) for entry in entries]
    assert all(any(word in each for each in terms) for word in ("cancel", "lock", "取消", "密码"))


def test_the_list_of_intents_is_read_back(root: Path) -> None:
    _, run = made(root)
    yaml = YAML(typ="safe", pure=True)
    entries = yaml.load(state(run, "intents", "intents.yaml"))
    cancel = next(entry for entry in entries if "cancel" in entry["intent"])
    cancel |= {"action": "rename", "name": "cancel 取消"}
    with (root / "mine.yaml").open("w", encoding="utf-8") as file:
        yaml.dump(entries, file)
    recipe = root / "recipe.yaml"
    text = recipe.read_text(encoding="utf-8")
    recipe.write_text(text.replace("use: intents}", "use: intents, list_file: mine.yaml}"), encoding="utf-8")
    _, again = made(root)
    assert "cancel 取消" in state(again, "intents", "names.json")
