"""Label errors of entities: planted tags are found at the worst token; what cannot be judged passes by."""

from __future__ import annotations

import json
from typing import Any

import polars as pl
import pytest

from tests.unit.curation.frames import CONTEXT, turns
from zhiling.curation.label_errors import LabelErrors
from zhiling.curation.token_tags import has_spans, tokens_of

pytest.importorskip("sklearn")

NAMES = ("Anna", "Bruno", "Clara", "David", "Emil", "Frida", "Georg", "Hanna", "Ida", "Jonas")
PLACES = ("Bergen", "Dover", "Lisbon", "Malmo", "Narvik", "Oslo", "Porto", "Riga", "Split", "Turin")
ZH_NAMES = (
    "王小明",
    "李建国",
    "张美丽",
    "刘德全",
    "陈大文",
    "杨光明",
    "赵子文",
    "黄小红",
    "周文静",
    "吴天宝",
)
ZH_PLACES = (
    "上海市",
    "北京市",
    "广州市",
    "成都市",
    "南京市",
    "武汉市",
    "杭州市",
    "西安市",
    "苏州市",
    "天津市",
)
Entity = dict[str, Any]


def sentence(before: str, name: str, between: str, place: str) -> tuple[str, list[Entity]]:
    text = f"{before}{name}{between}{place}"
    start = len(before)
    far = len(text) - len(place)
    return text, [
        {"message": 0, "start": start, "end": start + len(name), "label": "person"},
        {"message": 0, "start": far, "end": len(text), "label": "place"},
    ]


def corpus() -> tuple[pl.DataFrame, list[list[Entity]]]:
    made = [sentence("yesterday ", name, " travelled to ", place) for name in NAMES for place in PLACES]
    made += [sentence("昨天", name, "前往", place) for name in ZH_NAMES for place in ZH_PLACES]
    rows = turns(*[[("user", text)] for text, _ in made])
    return rows, [spans for _, spans in made]


def targeted(rows: pl.DataFrame, spans: list[list[Entity]]) -> pl.DataFrame:
    return rows.with_columns(target=pl.Series([json.dumps({"spans": each}) for each in spans]))


@pytest.mark.parametrize("level", ["sentence", "token"])
def test_a_changed_and_a_dropped_entity_are_the_worst_rows(level: str) -> None:
    rows, spans = corpus()
    spans[3][0]["label"] = "place"
    spans[42].pop(1)
    spans[103][0]["label"] = "place"
    spans[142].pop(1)
    answer = LabelErrors(level=level).measure(targeted(rows, spans), CONTEXT)
    assert sorted(answer["score"].arg_sort()[:4].to_list()) == [3, 42, 103, 142]
    assert answer["suggested"].gather([3, 42]).to_list() == ["B-person", "B-place"]
    assert answer["score"].is_between(0, 1).all()
    assert ("tokens" in answer.columns) == (level == "token")


def test_doubtful_tokens_are_told_with_their_places() -> None:
    rows, spans = corpus()
    spans[3][0]["label"] = "place"
    answer = LabelErrors(level="token").measure(targeted(rows, spans), CONTEXT)
    [doubt] = [each for each in answer["tokens"][3].to_list() if each["given"] == "B-place"]
    text = rows["messages"][3][0]["text"]
    assert text[doubt["start"] : doubt["end"]] == "Anna"
    assert doubt["suggested"] == "B-person"
    assert answer["tokens"].list.len().gather([0, 1, 2]).to_list() == [0, 0, 0]


def test_rows_without_entities_over_their_own_text_pass_by() -> None:
    rows, spans = corpus()
    targets = targeted(rows, spans)["target"].to_list()
    targets[:5] = [
        None,
        "NaN",
        '{"labels":["a"]}',
        '{"spans":[],"template":{"wording":"x","fields":[]}}',
        "[",
    ]
    mask = LabelErrors(level="sentence").applies(rows.with_columns(target=pl.Series(targets)))
    assert (~mask).arg_true().to_list() == [0, 1, 2, 3, 4]


def test_one_tag_or_one_group_alone_cannot_be_judged() -> None:
    rows, spans = corpus()
    step = LabelErrors(level="token")
    assert not step.applies(targeted(rows, [[] for _ in spans])).any()
    assert not step.applies(targeted(rows, spans).with_columns(group=pl.lit("one"))).any()
    assert not step.applies(targeted(turns([("user", "")]), [[]])).any()
    assert step.measure(targeted(rows, spans).clear(), CONTEXT).columns == list(step.writes())


def test_a_tag_that_stands_in_one_row_only_is_judged_without_a_gap() -> None:
    rows, spans = corpus()
    spans[7][0]["label"] = "deity"
    answer = LabelErrors(level="sentence").measure(targeted(rows, spans), CONTEXT)
    assert answer.null_count().sum_horizontal()[0] == 0
    assert answer["score"].is_finite().all()


def test_tokens_are_the_sets_own_or_words_and_single_characters() -> None:
    messages = turns([("user", "Oslo 很冷")])["messages"]
    free = tokens_of(messages, pl.Series(['{"spans":[{"start":0,"end":4,"label":"place"}]}']))
    assert free.select("text", "given").rows() == [("Oslo", "B-place"), ("很", "O"), ("冷", "O")]
    own = tokens_of(
        messages, pl.Series(['{"tokens":[[0,4],[5,7]],"spans":[{"start":5,"end":7,"label":"x"}]}'])
    )
    assert own.select("start", "end", "given").rows() == [(0, 4, "O"), (5, 7, "B-x")]


def test_the_longer_of_two_overlapping_spans_tags_the_tokens() -> None:
    target = '{"spans":[{"start":0,"end":4,"label":"a"},{"start":0,"end":9,"label":"b"}]}'
    tags = tokens_of(turns([("user", "West Bank")])["messages"], pl.Series([target]))["given"]
    assert tags.to_list() == ["B-b", "I-b"]
    assert has_spans(pl.Series([target, "{}"])).to_list() == [True, False]
