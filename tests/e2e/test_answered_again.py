"""A recipe whose questions are answered again by a second model, over HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson

from tests.teacher import answering, fenced_text
from zhiling.llm.fake_server import Behaviour, running
from zhiling.workflow.recipe import Recipe

PASSAGES = {
    "The reading room opens at nine.": ("When does the reading room open?", "at nine"),
    "The reading room closes at six.": ("When does the reading room open?", "at six"),
    "阅览室九点开门。": ("阅览室几点开门？", "九点"),
    "阅览室六点关门。": ("阅览室几点开门？", "六点"),
}


def reader(prompt: str) -> Any:
    """Knows when the room opens, and no more."""
    passage = fenced_text(prompt)
    opens = next((words for words in ("at nine", "九点") if words in passage), "")
    return {"answerable": bool(opens), "evidence": opens}


def test_questions_are_answered_again_in_both_languages(tmp_path: Path) -> None:
    lines = [
        {"id": str(at), "context": passage, "question": question, "answers": {
            "text": [answer], "answer_start": [passage.index(answer)]}}
        for at, (passage, (question, answer)) in enumerate(PASSAGES.items())
    ]  # fmt: skip
    (tmp_path / "qa.jsonl").write_bytes(b"\n".join(map(orjson.dumps, lines)))
    with running(Behaviour(answer=answering(reader))) as server:
        (tmp_path / "recipe.yaml").write_text(
            f"name: again\nmodels: {{checker: {{endpoint: '{server.url}', model: m}}}}\n"
            "sources: [{id: qa, use: labelled, path: qa.jsonl}]\n"
            "steps: [{id: again, use: answered_again}]\n",
            encoding="utf-8",
        )
        run = Recipe.load(tmp_path / "recipe.yaml").run(until="rows")
    assert (run.counts["kept"], run.counts["rejected"]) == (2, {"not_answered": 2})
    kept = [messages[0]["text"] for messages in run.rows()["messages"].to_list()]
    assert sorted(kept) == ["The reading room opens at nine.", "阅览室九点开门。"]
