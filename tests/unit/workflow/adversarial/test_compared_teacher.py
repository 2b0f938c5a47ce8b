"""A comparison whose generator is a teacher: calls are counted, and one that is away fails its arms alone."""

from __future__ import annotations

import json
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("sklearn")

from tests.desk_lines import desk
from tests.teacher import answering, fenced_text
from zhiling.llm.fake_server import Behaviour, running
from zhiling.workflow.adversarial.compare import Comparison, compare
from zhiling.workflow.adversarial.trials import Options
from zhiling.workflow.recipe import Recipe

KNOWN, LINES = desk(known=8, lines=20)


class Teacher:
    """Says a line of the label that it is asked for, a new one each time."""

    def __init__(self) -> None:
        texts: dict[str, list[str]] = {}
        for text, label in LINES:
            texts.setdefault(label, []).append(text)
        self._texts = {label: cycle(several) for label, several in texts.items()}

    def __call__(self, prompt: str) -> dict[str, Any]:
        return {"new_text": next(self._texts[fenced_text(prompt, "label")])}


def compared(root: Path, url: str) -> Comparison:
    """The loop beside label propagation, with a teacher at this address."""
    for name, rows in (
        ("known", [{"text": t, "label": n} for t, n in KNOWN]),
        ("lines", [{"text": t} for t, _ in LINES]),
    ):
        (root / f"{name}.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    recipe = {
        "name": "taught", "seed": 3, "encoder": {"use": "hashing", "buckets": 256}, "max_failed": 0.5,
        "models": {"teacher": {"endpoint": url, "model": "m", "outage_s": 0.3, "retries": 0}},
        "sources": [{"id": each, "use": "labelled", "path": f"{each}.jsonl"} for each in ("known", "lines")],
        "steps": [
            {
                "id": "gan", "use": "adversarial", "per_round": 40, "rounds": 2,
                "generators": [{"use": "labelled_texts", "novelty": 1, "share": 0.5}],
            }
        ],
    }  # fmt: skip
    (root / "recipe.yaml").write_text(json.dumps(recipe), encoding="utf-8")
    return compare(Recipe.load(root / "recipe.yaml"), Options(("loop", "label_propagation"), seeds=1))


def test_a_teacher_that_is_away_fails_its_arms_and_the_others_are_kept(tmp_path: Path) -> None:
    found = compared(tmp_path, "http://127.0.0.1:9/v1")
    told = {arm.arm: arm.state for arm in found.arms}
    assert told == {
        "seeds_only": "done", "filter_once": "failed", "loop": "failed", "label_propagation": "done",
    }  # fmt: skip
    with running(Behaviour(answer=answering(Teacher()))) as server:
        again = compared(tmp_path, server.url)
    assert again.folder == found.folder
    assert {arm.state for arm in again.arms} == {"done"}
    calls = {arm.arm: arm.calls for arm in again.arms}
    assert calls["filter_once"] > 0
    assert calls["loop"] >= calls["filter_once"]
    assert (calls["seeds_only"], calls["label_propagation"]) == (0, 0)
    # the filter's first questions are the loop's: replies are stored, and calls count all the same
    assert sum(server.seen.values()) < calls["filter_once"] + calls["loop"]
