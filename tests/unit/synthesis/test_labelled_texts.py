"""New texts with a label: what is shown, what is written, what is refused and as what; two languages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import polars as pl
import pytest

from tests.desk_lines import desk
from tests.teacher import Scripted
from zhiling.pipeline.step import Context, Made
from zhiling.rows.conversation import dialogue, user_text
from zhiling.rows.target import LABEL
from zhiling.synthesis.labelled_texts import LabelledTexts

KNOWN, _ = desk(known=6, lines=0)
NEW = {"en": "My kitten chewed up everything in that wallet of mine", "zh": "昨晚洗衣服时它跟着一起泡坏了"}


def rows() -> pl.DataFrame:
    texts, labels = zip(*KNOWN, strict=True)
    return pl.DataFrame(
        {
            "id": [f"{number:032x}" for number in range(len(texts))],
            "messages": dialogue({"user": pl.Series(list(texts))}),
            "task": ["classification"] * len(texts),
            "target": [orjson.dumps({"labels": [label]}).decode() for label in labels],
            "language": pl.Series([None] * len(texts), dtype=pl.String),
        }
    )


def language_of(prompt: str) -> str:
    return "zh" if "语料库" in prompt else "en"


@pytest.fixture
def made(tmp_path: Path) -> Callable[..., Made]:
    def run(script: Callable[[str], Any], **settings: Any) -> Made:
        step, models = LabelledTexts.model_validate(settings), Scripted(script)
        context = Context("s", seed=2, root=tmp_path, load_models=lambda _: models, state=tmp_path)
        step.fit(rows(), context, tmp_path)
        return step.make(rows(), context)

    return run


def test_every_known_text_gets_a_new_one_with_its_label(made: Callable[..., Made]) -> None:
    found = made(lambda prompt: {"new_text": NEW[language_of(prompt)]}).rows
    labels = dict(zip(rows()["id"].to_list(), [label for _, label in KNOWN], strict=True))
    told = found.select(LABEL.alias("label"), pl.col("parents").list.first())
    assert found.height == len(KNOWN)
    assert [labels[parent] for parent in told["parents"].to_list()] == told["label"].to_list()
    assert set(found["task"].to_list()) == {"classification"}
    assert set(user_text(found["messages"]).to_list()) == set(NEW.values())


def test_examples_have_the_label_and_the_others_do_not(made: Callable[..., Made]) -> None:
    labels, seen = dict(KNOWN), list[str]()

    def script(prompt: str) -> Any:
        seen.append(prompt)
        return {"new_text": NEW[language_of(prompt)]}

    made(script, shots=4, others=2)
    for prompt in seen:
        shown = [text for text in labels if f">\n{text}\n</text " in prompt]
        others = [text for text in labels if f">\n{text}\n</other " in prompt]
        assert (len(shown), len(others)) == (4, 2)
        own = {labels[text] for text in shown}
        assert len(own) == 1
        assert not own & {labels[text] for text in others}
        assert len({text.isascii() for text in [*shown, *others]}) == 1


@pytest.mark.parametrize(
    ("english", "chinese", "failure"),
    [
        ("My bank card is lost!", "我的银行卡丢了。", "not_novel"),
        ("", " ", "empty_field"),
        (NEW["zh"], NEW["en"], "wrong_language"),
    ],
)
def test_what_is_refused_is_told(made: Callable[..., Made], english: str, chinese: str, failure: str) -> None:
    texts = {"en": english, "zh": chinese}
    found = made(lambda prompt: {"new_text": texts[language_of(prompt)]})
    assert found.rows.height == 0
    assert Counter(each.cls for each in found.failures) == {failure: len(KNOWN)}


def test_rows_of_another_kind_are_passed_by() -> None:
    given = rows().with_columns(
        pl.when(pl.int_range(pl.len()) == 0).then(pl.lit("utterance")).otherwise("task").alias("task"),
        pl.when(pl.int_range(pl.len()) == 1).then(None).otherwise("target").alias("target"),
    )
    assert LabelledTexts().applies(given).to_list() == [False, False, *[True] * (len(KNOWN) - 2)]


def test_others_can_be_left_out_and_a_label_may_have_one_text(made: Callable[..., Made]) -> None:
    prompts = list[str]()

    def script(prompt: str) -> Any:
        prompts.append(prompt)
        return {"new_text": NEW[language_of(prompt)]}

    assert made(script, shots=1, others=0).rows.height == len(KNOWN)
    assert all("\n</other " not in prompt for prompt in prompts)
    assert all(prompt.count("\n</text ") == 1 for prompt in prompts)
