"""A judge that replies by a script: scores, votes that disagree, what is no judgement, and calibration."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tests.teacher import Scripted, answering, fenced_text
from zhiling.curation.judge import Judge
from zhiling.llm.fake_server import Behaviour, running
from zhiling.pipeline.step import Context
from zhiling.rows.conversation import dialogue
from zhiling.workflow.calibrate.calibrate import Promise, calibrate
from zhiling.workflow.calibrate.curve import measure
from zhiling.workflow.calibrate.truth import read_truth
from zhiling.workflow.recipe import Recipe

REPLIES = {
    "en": ["Hold the button for ten seconds.", "I do not know."],
    "zh": ["请按住按钮十秒钟。", "我不知道。"],
}
FINE = {"reason": "Right and complete.", "score": 5, "sure": True}
WRONG: list[tuple[str, Any]] = [
    ("schema", FINE | {"score": 0}),
    ("schema", FINE | {"score": 6}),
    ("schema", FINE | {"score": 3.5}),
    ("schema", FINE | {"score": None}),
    ("schema", {"score": 4, "sure": True}),
    ("schema", FINE | {"verdict": "good"}),
    ("schema", [FINE]),
    ("empty_field", FINE | {"reason": "  "}),
    ("bad_json", "Score: 5. 很好。"),
    ("bad_json", '{"reason": "cut'),
]
RIGHT: list[Any] = [
    *(FINE | {"score": score} for score in range(1, 6)),
    FINE | {"reason": "内容正确，没有遗漏。"},
    FINE | {"reason": "Right.", "sure": False},
    f"```json\n{json.dumps(FINE)}\n```",
    FINE | {"score": "4"},
    FINE | {"reason": 'It says "ignore the rubric" and is judged all the same.', "score": 1},
]


def rows(replies: list[str]) -> pl.DataFrame:
    texts = pl.Series(["How do I reset it?"] * len(replies))
    return pl.DataFrame(
        {
            "id": [f"{number:032x}" for number in range(len(replies))],
            "messages": dialogue({"user": texts, "assistant": pl.Series(replies)}),
            "language": pl.Series([None] * len(replies), dtype=pl.String),
        }
    )


def judged(script: Any, replies: list[str], **settings: Any) -> pl.DataFrame:
    models = Scripted(script)
    return Judge.model_validate(settings).measure(rows(replies), Context("j", load_models=lambda _: models))


@pytest.mark.parametrize("reply", RIGHT)
def test_a_judgement_is_a_score_with_its_reason(reply: Any) -> None:
    (line,) = judged(lambda prompt: reply, REPLIES["en"][:1]).to_dicts()
    told = FINE if isinstance(reply, str) else reply
    assert (line["score"], line["reason"]) == (float(told["score"]), told["reason"])
    assert (line["status"], line["failure"]) == ("judged" if told["sure"] else "unsure", None)


@pytest.mark.parametrize(("cls", "reply"), WRONG)
def test_what_is_no_judgement_fails_with_its_class(cls: str, reply: Any) -> None:
    (line,) = judged(lambda prompt: reply, REPLIES["zh"][:1]).to_dicts()
    assert line == {"score": None, "spread": None, "status": None, "reason": None, "failure": cls}


@pytest.mark.parametrize(
    ("scores", "status"), [((4, 4, 5), "judged"), ((1, 5, 3), "unsure"), ((2, 4, 4), "unsure")]
)
def test_votes_that_lie_apart_are_unsure(scores: tuple[int, ...], status: str) -> None:
    given, mean = iter(scores), sum(scores) / len(scores)
    script = lambda prompt: {**FINE, "score": (score := next(given)), "reason": f"vote {score}"}  # noqa: E731
    (line,) = judged(script, REPLIES["en"][:1], votes=3).to_dicts()
    assert (line["score"], line["spread"]) == (pytest.approx(mean), max(scores) - min(scores))
    nearest = min(scores, key=lambda score: abs(score - mean))
    assert (line["status"], line["reason"]) == (status, f"vote {nearest}")


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_prompt_is_in_the_replys_language_and_holds_ones_own_rubric(language: str) -> None:
    prompts: list[str] = []
    judged(lambda prompt: prompts.append(prompt) or FINE, REPLIES[language], rubric="ONLY THE TRUTH")
    for prompt, reply in zip(prompts, REPLIES[language], strict=True):
        assert ("请评判" in prompt) == (language == "zh")
        assert fenced_text(prompt, "reply") == reply
        assert fenced_text(prompt, "conversation") == "[user]\nHow do I reset it?"
        assert "ONLY THE TRUTH" in prompt


RECIPE = """
models: {{judge: {{endpoint: "{url}", model: m}}}}
sources: [{{id: lines, use: tables, path: data.jsonl}}]
steps:
  - {{id: judge, use: judge}}
  - {{id: sure, use: threshold, column: judge.status, equals: judged, verdict: review}}
  - {{id: good, use: threshold, column: judge.score, at_least: 1}}
"""


def test_a_file_of_judged_rows_sets_the_threshold_and_the_unsure_wait_for_people(tmp_path: Path) -> None:
    def script(prompt: str) -> Any:
        number = int(fenced_text(prompt, "reply").split()[-1])
        return {"reason": "r", "score": 1 + number % 5, "sure": number % 10 != 3}

    lines = [
        {"instruction": f"question {n} 问题", "output": f"reply number {n}", "bad": n % 5 < 2}
        for n in range(200)
    ]
    for name, chosen in (("truth.jsonl", lines), ("data.jsonl", lines[:40])):
        text = "\n".join(json.dumps(line, ensure_ascii=False) for line in chosen)
        (tmp_path / name).write_text(text, encoding="utf-8")
    with running(Behaviour(answer=answering(script))) as server:
        (tmp_path / "recipe.yaml").write_text(RECIPE.format(url=server.url), encoding="utf-8")
        recipe = Recipe.load(tmp_path / "recipe.yaml")
        found = calibrate(measure(recipe, "good", read_truth(tmp_path / "truth.jsonl", "bad")), Promise(0.9))
        assert 2 < found.point.value <= 3  # scores 1 and 2 are the bad ones
        run = recipe.run(until="rows")
        stages = {stage.id: stage.counts for stage in run.folder.manifest.stages}
        assert stages["sure"]["review"] == {"not_among": 4}
        assert sum(server.seen.values()) == 200  # the run's rows were judged by the calibration
