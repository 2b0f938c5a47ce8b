"""Agreement with a second tagger in both languages: all kinds of truth, and what cannot be compared."""

from __future__ import annotations

import json
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.curation.frames import turns
from zhiling.errors import UsageError
from zhiling.rows.conversation import nest
from zhiling.verification.agreement import agreement


def compared(
    said: list[tuple[str, str]], target: Any, answer: str
) -> tuple[float | None, str | None, list[str]]:
    rows = turns(said).with_columns(target=pl.lit(target if isinstance(target, str) else json.dumps(target)))
    seen: list[str] = []

    def predict(texts: list[str]) -> list[str]:
        seen.extend(texts)
        return [answer] * len(texts)

    score, told = agreement(rows, predict).row(0)
    return score, told, seen


def spans(*places: tuple[int, int, str]) -> dict[str, Any]:
    return {"spans": [{"start": start, "end": end, "label": label} for start, end, label in places]}


@pytest.mark.parametrize(
    ("said", "target", "answer", "score"),
    [
        ([("user", "Where is my parcel?")], {"labels": ["delivery"]}, "delivery", 1.0),
        ([("user", "我的包裹在哪？")], {"labels": ["物流"]}, "退款", 0.0),
        ([("user", "x")], {"labels": ["a", "b"], "multi": True}, '{"labels": ["a"]}', 2 / 3),
        ([("user", "x")], {"labels": []}, '{"labels": []}', 1.0),
        ([("user", "Ada in Bath")], spans((0, 3, "P"), (7, 11, "L")), json.dumps(spans((0, 3, "P"))), 2 / 3),
        ([("user", "小李在西安")], spans((0, 2, "人"), (3, 5, "地")),
         json.dumps(spans((3, 5, "地"), (0, 2, "人"))), 1.0),
        ([("user", "x")], spans(), json.dumps(spans()), 1.0),
        ([("document", "At nine."), ("user", "When?")], {"answers": [{"text": "at nine"}]}, "nine", 2 / 3),
        ([("document", "九点开门。"), ("user", "几点？")], {"answers": [{"text": "九点"}]}, "九点", 1.0),
        ([("document", "x"), ("user", "?")], {"answers": []}, " ", 1.0),
        ([("document", "x"), ("user", "?")], {"answers": []}, '{"answers": [{"text": "x"}]}', 0.0),
    ],
)  # fmt: skip
def test_scores(said: list[tuple[str, str]], target: Any, answer: str, score: float) -> None:
    got, told, texts = compared(said, target, answer)
    assert got == pytest.approx(score)
    assert (told is None) == (score == 1)
    assert texts == ["\n".join(text for _, text in said)]


def test_what_differs_is_told() -> None:
    _, told, _ = compared([("user", "小李在西安")], spans((0, 2, "人")), json.dumps(spans((0, 3, "人"))))
    assert told == "the row says 人 0–2, the tagger 人 0–3"
    assert (
        compared([("user", "x")], {"labels": ["a"]}, '{"labels": []}')[1]
        == "the row says a, the tagger nothing"
    )


def test_places_are_those_of_the_text_that_the_tagger_read() -> None:
    said = [("system", "Tag."), ("document", "Bath"), ("user", "Ada"), ("assistant", "ok")]
    target = {"spans": [{"message": 2, "start": 0, "end": 3, "label": "P"}]}
    score, _, texts = compared(said, target, json.dumps(spans((5, 8, "P"))))
    assert (score, texts) == (1.0, ["Bath\nAda"])
    hidden = {"spans": [{"message": 3, "start": 0, "end": 2, "label": "P"}]}
    assert compared(said, hidden, json.dumps(spans()))[0] == 0


def test_nothing_is_compared_where_nothing_can_be() -> None:
    for target, told in (
        ('{"constraints": []}', "none of labels, spans, answers, choice"),
        ('{"labels": 3}', "labels: Input should be a valid array"),
        ({"labels": ["a"], "template": {"wording": "w", "fields": []}}, "a template wrote it"),
    ):
        score, why, texts = compared([("user", "x")], target, "a")
        assert (score, texts) == (None, [])
        assert told in (why or "")
    for answer, told in (
        ("Ada", "no JSON object"),
        ('{"spans": 3}', "cannot be read"),
        ('{"spans', "no JSON"),
    ):
        score, why, _ = compared([("user", "x")], spans(), answer)
        assert score is None
        assert told in (why or "")


def test_a_tagger_answers_for_every_text_and_is_given_so_many_at_once() -> None:
    rows = turns(*[[("user", str(at))] for at in range(5)]).with_columns(target=pl.lit('{"labels": ["a"]}'))
    sizes: list[int] = []

    def predict(texts: list[str]) -> list[str]:
        sizes.append(len(texts))
        return ["a"] * len(texts)

    assert agreement(rows, predict, at_once=2)["score"].to_list() == [1.0] * 5
    assert sizes == [2, 2, 1]
    assert agreement(rows.clear(), predict).height == 0
    with pytest.raises(UsageError, match="predict gave 1 answers to 5 texts"):
        agreement(rows, lambda texts: ["a"])


@pytest.mark.parametrize(
    ("choices", "right", "answer", "score", "told"),
    [
        (["oven", "fridge"], 1, "fridge", 1.0, None),
        (["oven", "fridge"], 1, '{"choice": 1}', 1.0, None),
        (["oven", "fridge"], 0, " fridge ", 0.0, "the row says oven, the tagger fridge"),
        (["烤箱", "冰箱"], 1, "冰箱", 1.0, None),
        (["烤箱", "冰箱"], 1, '{"choice": 0}', 0.0, "the row says 冰箱, the tagger 烤箱"),
        (["1", "0"], 1, "0", 1.0, None),
        (["一", "一", "二"], 1, "一", 1.0, None),
        (["oven", "fridge"], 2, "oven", None, "choice 2 of 2, counted from 0"),
        (["oven", "fridge"], 0, "shelf", None, "none of the 2 choices: 'shelf'"),
        (["烤箱", "冰箱"], 0, '{"choice": 7}', None, "cannot be read: choice 7 of 2"),
        (["烤箱", "冰箱"], 0, '{"choice": -1}', None, "cannot be read: Input should be greater"),
        ([], 0, "oven", None, "choice 0 of 0"),
    ],
)
def test_choices(choices: list[str], right: int, answer: str, score: float | None, told: str | None) -> None:
    said = pl.DataFrame(
        {"text": ["Where? 哪里？", *choices], "name": ["question", *["choice"] * len(choices)]}
    )
    messages = nest(said.with_columns(role=pl.lit("user")), [said.height])
    target = pl.Series("target", [json.dumps({"choice": right})])
    found, why = agreement(
        pl.DataFrame({"messages": messages, "target": target}), lambda texts: [answer]
    ).row(0)
    assert found == score
    assert (why is None) == (told is None)
    assert (told or "") in (why or "")


LABELS = st.lists(st.sampled_from(["a", "b", "物流", ""]), unique=True)


@given(LABELS, LABELS)
def test_agreement_is_symmetric_and_whole_with_oneself(ours: list[str], theirs: list[str]) -> None:
    one, other = ({"labels": labels, "multi": True} for labels in (ours, theirs))
    here, there = (
        compared([("user", "x")], *pair)[0] for pair in ((one, json.dumps(other)), (other, json.dumps(one)))
    )
    assert here == there
    assert (here == 1) == (set(ours) == set(theirs))
