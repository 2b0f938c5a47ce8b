"""Select: exact sizes, coverage of rare rows, even shares, and who stands for whom."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import polars as pl
import pytest
from pydantic import ValidationError

from tests.unit.curation.frames import CONTEXT, empty, pairs
from zhiling.curation.select import Select
from zhiling.curation.strata import even_quotas
from zhiling.encoders.hashing import HashingEncoder
from zhiling.errors import UsageError

COVER = dataclasses.replace(CONTEXT, load_encoder=lambda: HashingEncoder(buckets=512))
TOPICS = [
    "where is parcel number",
    "how do i reset lock number",
    "门锁的电池能用多久 编号",
    "怎么开发票 编号",
]
TEXTS = [
    f"{topic} {number}" for topic, count in zip(TOPICS, (30, 6, 3, 1), strict=True) for number in range(count)
]
ROWS = pairs(*((text, "ok") for text in TEXTS)).with_columns(
    language=pl.Series(["en"] * 36 + ["zh"] * 4), task=pl.lit("dialogue")
)


def kept(step: Select, rows: pl.DataFrame = ROWS) -> pl.DataFrame:
    return rows.filter(step.decide(rows, COVER)["verdict"] == "keep")


METHODS = ["coverage", "k_centre", "tags", "random", "balanced", "longest"]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("size", [0, 1, 7, 40, 99])
def test_the_size_is_exact(method: str, size: int) -> None:
    assert kept(Select(size=size, method=method)).height == min(size, 40)


def test_coverage_takes_one_of_each_topic_first_and_names_who_stands_for_whom() -> None:
    answer = Select(size=4).decide(ROWS, COVER)
    chosen = [text for text, verdict in zip(TEXTS, answer["verdict"], strict=True) if verdict == "keep"]
    assert sorted(text.rsplit(" ", 1)[0] for text in chosen) == sorted(TOPICS)
    text_of = dict(zip(ROWS["id"], TEXTS, strict=True))
    for text, verdict, related in zip(TEXTS, answer["verdict"], answer["related"], strict=True):
        if verdict == "reject":
            assert text_of[related].rsplit(" ", 1)[0] == text.rsplit(" ", 1)[0]
        else:
            assert related is None
    assert answer.filter(pl.col("verdict") == "keep")["score"].min() > 0


def test_the_longest_rows_stay() -> None:
    lengths = {
        len(text) for text in (m[0]["text"] for m in kept(Select(size=6, method="longest"))["messages"])
    }
    assert lengths == {len("how do i reset lock number 0")}


def test_shares_are_as_even_as_the_rows_allow() -> None:
    counts = dict(kept(Select(size=10, balance=("language",))).group_by("language").len().rows())
    assert counts == {"zh": 4, "en": 6}


def test_what_the_reference_covers_is_not_chosen_again() -> None:
    reference = ROWS.filter(pl.col("language") == "en")
    context = dataclasses.replace(COVER, reference=reference)
    answer = Select(size=2).decide(ROWS, context)
    assert set(ROWS.filter(answer["verdict"] == "keep")["language"]) == {"zh"}


def test_texts_that_are_empty_or_equal_are_no_obstacle() -> None:
    rows = pairs(*[("", None)] * 5, *[("same", None)] * 5)
    assert kept(Select(size=3), rows).height == 3


def test_no_rows_and_no_encoder_without_need() -> None:
    assert Select(size=3).decide(empty(), COVER).height == 0
    assert Select(size=3).uses_encoder()
    assert Select(size=3, method="random").decide(ROWS, CONTEXT)["verdict"].value_counts().height == 2


@pytest.mark.parametrize("method", ["coverage", "k_centre", "tags"])
def test_all_rows_are_stood_for_and_a_larger_topic_counts_more(method: str) -> None:
    answer = Select(size=4, method=method).decide(ROWS, COVER)
    assert answer["represents"].sum() == len(TEXTS)
    assert ((answer["represents"] > 0) == (answer["verdict"] == "keep")).all()
    stands = dict(zip(TEXTS, answer["represents"], strict=True))
    assert max(stands, key=lambda text: stands[text]).startswith(TOPICS[0])


def test_a_control_row_stands_for_its_share() -> None:
    answer = Select(size=8, method="random", balance=("language",)).decide(ROWS, CONTEXT)
    kept_rows = ROWS.with_columns(answer["represents"]).filter(answer["verdict"] == "keep")
    assert dict(kept_rows.group_by("language").agg(pl.col("represents").first()).rows()) == {"en": 9, "zh": 1}


def test_balanced_takes_labels_without_being_told() -> None:
    labels = [TOPICS.index(text.rsplit(" ", 1)[0]) for text in TEXTS]
    rows = ROWS.with_columns(target=pl.Series([f'{{"labels":["{label}"]}}' for label in labels]))
    step = Select(size=4, method="balanced")
    assert set(step.reads()) == {"messages", "task", "language", "target"}
    assert kept(step, rows)["target"].n_unique() == 4


def test_k_centre_takes_the_odd_row_early() -> None:
    rows = pairs(*((f"where is parcel {number}", "ok") for number in range(20)), ("门锁没电", "好"))
    texts = [messages[0]["text"] for messages in kept(Select(size=2, method="k_centre"), rows)["messages"]]
    assert "门锁没电" in texts


def test_a_better_row_stands_for_its_like() -> None:
    rows = pairs(*((f"where is parcel {number}", "ok") for number in range(9))).with_columns(
        pl.Series("judge.score", [0.1] * 6 + [0.9] + [0.1] * 2)
    )
    step = Select(size=1, method="quality_coverage", quality="judge.score")
    assert "judge.score" in step.reads()
    assert kept(step, rows)["id"].to_list() == ["r6"]
    ignored = Select(size=3, method="quality_coverage", quality="judge.score", quality_weight=0)
    assert kept(ignored, rows)["id"].to_list() == kept(Select(size=3), rows)["id"].to_list()


def test_a_quality_that_is_no_number_is_told() -> None:
    step = Select(size=1, method="quality_coverage", quality="language")
    with pytest.raises(UsageError, match="quality column 'language' holds String"):
        step.decide(ROWS, COVER)


def test_every_tag_has_its_turn() -> None:
    tags = [["parcel"]] * 30 + [["lock", "reset"]] * 6 + [["电池"]] * 3 + [None]
    rows = ROWS.with_columns(pl.Series("tagger.tags", tags, dtype=pl.List(pl.String)))
    step = Select(size=6, method="tags", tags="tagger.tags")
    # Two tags first (1 + 1), then one each (1), then the second of lock and reset (.41 + .41).
    found = kept(step, rows)["tagger.tags"].list.join("+").value_counts(sort=True).rows()
    assert dict(found) == {"lock+reset": 4, "parcel": 1, "电池": 1}
    by_language = Select(size=4, method="tags", tags="language")
    assert kept(by_language)["language"].value_counts()["count"].to_list() == [2, 2]


def test_tags_that_earlier_rows_have_wait() -> None:
    context = dataclasses.replace(COVER, reference=ROWS.filter(pl.col("language") == "en"))
    answer = Select(size=3, method="tags", tags="language").decide(ROWS, context)
    assert set(ROWS.filter(answer["verdict"] == "keep")["language"]) == {"zh"}


def test_targets_are_served_in_turn(tmp_path: Path) -> None:
    (tmp_path / "wanted.jsonl").write_text(
        '{"text": "reset the lock", "task": "lock"}\n{"messages": [{"role": "user", "content": "发票"}]}\n',
        encoding="utf-8",
    )
    context = dataclasses.replace(COVER, root=tmp_path)
    step = Select(size=2, method="targeted", targets="wanted.jsonl")
    assert step.files() == ("wanted.jsonl",)
    answer = step.decide(ROWS, context).with_columns(pl.Series("text", TEXTS))
    found = dict(answer.filter(pl.col("verdict") == "keep").select("related", "text").rows())
    assert {place: text.rsplit(" ", 1)[0] for place, text in found.items()} == {
        "wanted.jsonl#1": TOPICS[1],
        "wanted.jsonl#2": TOPICS[3],
    }


def test_targets_that_cannot_be_read_are_told(tmp_path: Path) -> None:
    context = dataclasses.replace(COVER, root=tmp_path)
    step = Select(size=2, method="targeted", targets="wanted.jsonl")
    with pytest.raises(UsageError, match=r"no such file: 'wanted\.jsonl'"):
        step.decide(ROWS, context)
    (tmp_path / "wanted.jsonl").write_text("", encoding="utf-8")
    with pytest.raises(UsageError, match="holds no row"):
        step.decide(ROWS, context)


@pytest.mark.parametrize(("method", "setting"), [("quality_coverage", "quality"), ("targeted", "targets")])
def test_what_a_method_needs_is_asked_for(method: str, setting: str) -> None:
    with pytest.raises(ValidationError, match=f"needs the setting `{setting}`"):
        Select(size=1, method=method)


def test_quotas_of_the_docstring() -> None:
    assert even_quotas({"a": 1, "b": 9, "c": 9}, 10) == {"a": 1, "b": 5, "c": 4}
    assert even_quotas({}, 5) == {}
