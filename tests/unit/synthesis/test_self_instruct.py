"""Tasks after seeds: what is too near a seed, empty, echoed or in the wrong language is told as that."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tests.teacher import Scripted
from zhiling.errors import UsageError
from zhiling.pipeline.step import Context, Made
from zhiling.rows.conversation import dialogue
from zhiling.synthesis.known_texts import KnownTexts, longest_shared_run
from zhiling.synthesis.self_instruct import SelfInstruct

EN = [
    "Write a poem about the first snow of the year.", "Explain to a child why the sky is blue.",
    "Summarise this letter in two sentences.", "Name five tools that a carpenter needs.",
]  # fmt: skip
ZH = [
    "写一首关于初雪的诗。",
    "给孩子解释天空为什么是蓝色的。",
    "用两句话概括这封信。",
    "说出木匠需要的五种工具。",
]
NEW_EN, NEW_ZH = "Draft a polite complaint about a late train.", "起草一封关于列车晚点的投诉信。"
GOOD = {
    "en": ({"instruction": NEW_EN}, {"input": "Train 12, 40 minutes.", "output": "Dear Sir or Madam, …"}),
    "zh": ({"instruction": NEW_ZH}, {"input": "12次列车，晚点40分钟。", "output": "尊敬的客服：……"}),
}
WRONG_TASKS = [
    ("en", "not_novel", "Write a poem about the first snow of this year."),
    ("en", "not_novel", "explain to a child WHY the sky is blue!"),
    ("en", "wrong_language", "起草一封投诉信。"),
    ("en", "too_short", "Go"),
    ("en", "empty_field", " "),
    ("zh", "not_novel", "写一首关于初雪的诗！"),
    ("zh", "not_novel", "请给孩子解释天空为什么是蓝色的。"),
    ("zh", "wrong_language", "Draft a letter of complaint."),
    ("zh", "too_short", "写诗"),
    ("zh", "empty_field", ""),
]
WRONG_INSTANCES = [
    ("en", "echo", {"input": "a letter", "output": "a letter"}),
    ("en", "echo", {"input": "", "output": NEW_EN}),
    ("en", "empty_field", {"input": "x", "output": ""}),
    ("en", "schema", {"input": "x"}),
    ("zh", "echo", {"input": "一封信", "output": "一封信"}),
    ("zh", "echo", {"input": "", "output": NEW_ZH}),
    ("zh", "empty_field", {"input": "一封信", "output": " "}),
    ("zh", "schema", {"output": "尊敬的客服", "note": "x"}),
]


def seeds(texts: list[str]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "id": [f"{number:032x}" for number in range(len(texts))],
            "messages": dialogue(
                {"user": pl.Series(texts), "assistant": pl.Series(["A reply."] * len(texts))}
            ),
            "language": pl.Series([None] * len(texts), dtype=pl.String),
        }
    )


@pytest.fixture
def made(tmp_path: Path) -> Callable[..., Made]:
    def run(script: Callable[[str], Any], texts: list[str], **settings: Any) -> Made:
        step, models = SelfInstruct.model_validate(settings), Scripted(script)
        context = Context("s", seed=2, root=tmp_path, load_models=lambda _: models, state=tmp_path)
        step.fit(seeds(texts), context, tmp_path)
        return step.make(seeds(texts), context)

    return run


def replies(task: Any, instance: Any) -> Callable[[str], Any]:
    return lambda prompt: instance if '"output"' in prompt else task


@pytest.mark.parametrize(("language", "texts"), [("en", EN), ("zh", ZH)])
def test_a_new_task_with_its_instance_becomes_a_row(language: str, texts: list[str], made: Any) -> None:
    task, instance = GOOD[language]
    found = made(replies(task, instance), texts)
    assert (len(found.rows), list(found.failures)) == (4, [])
    turns = [(line["role"], line["text"]) for line in found.rows["messages"][0]]
    asked = f"{task['instruction']}\n\n{instance['input']}"
    assert turns == [("user", asked), ("assistant", instance["output"])]
    assert set(found.rows["language"]) == {language}
    alone = made(replies(task, instance | {"input": ""}), texts).rows["messages"][0][0]["text"]
    assert alone == task["instruction"]


@pytest.mark.parametrize(("language", "cls", "text"), WRONG_TASKS)
def test_a_wrong_task_is_a_failed_attempt_and_nothing_more_is_asked(
    language: str, cls: str, text: str, made: Any
) -> None:
    asked: list[str] = []

    def script(prompt: str) -> Any:
        asked.append(prompt)
        return {"instruction": text}

    found = made(script, EN if language == "en" else ZH)
    assert Counter(failure.cls for failure in found.failures) == {cls: 4}
    assert found.rows.is_empty()
    assert len(asked) == 4


@pytest.mark.parametrize(("language", "cls", "instance"), WRONG_INSTANCES)
def test_a_wrong_instance_is_a_failed_attempt(language: str, cls: str, instance: Any, made: Any) -> None:
    found = made(replies(GOOD[language][0], instance), EN if language == "en" else ZH)
    assert Counter(failure.cls for failure in found.failures) == {cls: 4}


def test_examples_are_of_the_rows_language_and_hold_its_own_seed(made: Any) -> None:
    prompts: list[str] = []

    def script(prompt: str) -> Any:
        prompts.append(prompt)
        return {"instruction": ""}

    made(script, [*EN, *ZH], shots=3)
    assert len(prompts) == 8
    for own, prompt in zip([*EN, *ZH], prompts, strict=True):
        assert own in prompt
        assert not any(text in prompt for text in (ZH if own in EN else EN))
        assert 1 <= sum(text in prompt for text in [*EN, *ZH]) <= 3


def test_a_seed_more_changes_few_of_the_other_prompts(tmp_path: Path) -> None:
    texts = [f"Describe craft number {number} to a newcomer." for number in range(200)]
    step, prompts = SelfInstruct(shots=3), list[list[Any]]()
    for count in (199, 200):
        folder = tmp_path / str(count)
        folder.mkdir()
        rows = seeds(texts[:count]).with_columns(
            id=pl.Series([blake2b(text.encode(), digest_size=16).hexdigest() for text in texts[:count]])
        )
        context = Context("s", seed=2, root=tmp_path, state=folder)
        step.fit(rows, context, folder)
        prompts.append([ask.request.messages for ask in step.first_asks(rows, context)])
    same = sum(one == other for one, other in zip(*prompts, strict=False))
    assert same >= 190  # a new one is among the two nearest of 199 for one row in a hundred


def test_a_step_that_learned_nothing_says_so(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="has no state"):
        SelfInstruct().make(seeds(EN), Context("s", root=tmp_path))


def test_the_nearest_known_text_and_the_longest_shared_run() -> None:
    known = KnownTexts(pl.Series(["open the red door", "打开红色的门", "x"]))
    assert known.nearest("close the red gate") == (pytest.approx(1 / 5), 0)
    assert known.nearest("打开红色的窗") == (pytest.approx(2 / 3), 1)
    assert known.nearest("X") == (1.0, 2)
    assert known.nearest("nothing at all") == (0.0, -1)
    assert KnownTexts(pl.Series([], dtype=pl.String)).nearest("a b") == (0.0, -1)
    assert longest_shared_run("the open door is red", "an open door is green") == 3
    assert longest_shared_run("请打开红色的门", "打开红色窗户") == 4
    assert longest_shared_run("", "x") == 0
