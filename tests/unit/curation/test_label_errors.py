"""Label errors: planted ones are found out of fold; labels that cannot be judged pass by."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import polars as pl
import pytest

from tests.unit.curation.bilingual import help_desk
from tests.unit.curation.frames import CONTEXT, pairs
from zhiling.curation.cross_fitting import out_of_fold
from zhiling.curation.folds import group_folds
from zhiling.curation.label_errors import LabelErrors
from zhiling.encoders.hashing import HashingEncoder

pytest.importorskip("sklearn")

ENCODER = dataclasses.replace(CONTEXT, load_encoder=lambda: HashingEncoder(buckets=512))
DESK = help_desk(15)
LARGE = help_desk(60)


def relabelled(rows: pl.DataFrame, places: list[int], label: str) -> pl.DataFrame:
    return rows.with_columns(target=rows["target"].scatter(places, json.dumps({"labels": [label]})))


@pytest.mark.parametrize("features", ["encoder", "ngrams", "both"])
@pytest.mark.parametrize("on", ["user", "all"])
def test_planted_errors_are_the_lowest_and_the_right_label_is_suggested(features: str, on: str) -> None:
    planted = [*range(9), *range(200, 209)]  # nine of parcel in English, nine in Chinese
    rows = relabelled(LARGE, planted, "invoice")
    answer = LabelErrors(features=features, on=on).measure(rows, ENCODER)
    assert sorted(answer["score"].arg_sort()[:18].to_list()) == planted
    assert answer["suggested"].gather(planted).to_list() == ["parcel"] * 18
    assert answer["score"].gather(planted).max() < answer["score"].median()
    assert answer["probability"].is_between(0, 1).all()


def test_a_reply_that_is_the_label_gives_nothing_away() -> None:
    replied = [(m[0]["text"], label) for m, label in zip(DESK["messages"], labels(DESK), strict=True)]
    rows = pairs(*replied, ids=DESK["id"].to_list()).with_columns(DESK["target"], DESK["group"])
    rows = relabelled(rows, [0], "invoice")
    told = rows["messages"].to_list()
    told[0][1]["text"] = "invoice"
    rows = rows.with_columns(pl.Series("messages", told, dtype=rows.schema["messages"]))
    assert LabelErrors(features="ngrams").measure(rows, CONTEXT)["suggested"][0] == "parcel"


def labels(rows: pl.DataFrame) -> list[str]:
    return [json.loads(target)["labels"][0] for target in rows["target"]]


def test_rare_labels_and_rows_without_a_label_pass_by() -> None:
    rows = relabelled(relabelled(DESK, [0], "rare"), [1, 2, 3], "shared")
    rows = rows.with_columns(
        group=rows["group"].scatter([1, 2, 3], "one conversation"), target=rows["target"].scatter(4, None)
    )
    mask = LabelErrors().applies(rows)
    assert (~mask).arg_true().to_list() == [0, 1, 2, 3, 4]
    assert (
        LabelErrors(features="ngrams").measure(rows.filter(mask), CONTEXT).null_count().sum_horizontal()[0]
        == 0
    )


def test_a_threshold_at_0_removes_what_was_planted_and_little_else() -> None:
    planted = [*range(6), *range(200, 206), 130, 131, 132, 320, 321, 322]
    rows = relabelled(relabelled(LARGE, planted[:12], "invoice"), planted[12:], "lock")
    score = LabelErrors(features="ngrams").measure(rows, CONTEXT)["score"]
    assert set(planted) <= set((score < 0).arg_true().to_list())
    assert (score < 0).sum() <= len(planted) + 2
    clean = LabelErrors(features="ngrams").measure(LARGE, CONTEXT)["score"]
    assert (clean < 0).sum() <= 2


def test_in_a_small_table_errors_are_the_lowest_though_none_is_sure() -> None:
    planted = [0, 1, 50]
    rows = relabelled(DESK, planted, "invoice")
    answer = LabelErrors(features="ngrams").measure(rows, CONTEXT)
    assert sorted(answer["score"].arg_sort()[:3].to_list()) == planted
    assert answer["suggested"].gather(planted).to_list() == ["parcel"] * 3


def test_fewer_rows_than_folds_are_judged_and_order_changes_nothing() -> None:
    rows = pl.concat([DESK[:3], DESK[60:63]])
    step = LabelErrors(features="ngrams", folds=50)
    assert step.applies(rows).all()
    answer = step.measure(rows, CONTEXT)
    assert answer["score"].is_between(-1, 1).all()
    turned = step.measure(rows.reverse(), CONTEXT).reverse()
    assert turned["suggested"].to_list() == answer["suggested"].to_list()
    assert turned["score"].to_list() == pytest.approx(answer["score"].to_list())


def test_one_label_alone_cannot_be_wrong() -> None:
    rows = DESK.with_columns(target=pl.lit('{"labels":["one"]}'))
    assert not LabelErrors().applies(rows).any()
    assert LabelErrors().measure(rows.clear(), CONTEXT).height == 0


def test_a_conversation_is_never_on_both_sides() -> None:
    rows = pl.DataFrame(
        {"id": [str(n) for n in range(100)], "group": [None if n < 20 else f"g{n % 9}" for n in range(100)]}
    )
    folds = pl.DataFrame({"fold": group_folds(rows, 4, CONTEXT), "group": rows["group"]})
    assert folds.drop_nulls().group_by("group").agg(pl.col("fold").n_unique())["fold"].to_list() == [1] * 9
    assert set(folds["fold"]) == {0, 1, 2, 3}


def test_out_of_fold_is_ridge_regression_in_closed_form(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(1)
    features = generator.normal(size=(60, 20)).astype(np.float32)
    classes, folds = generator.integers(0, 3, 60), np.arange(60) % 3
    probabilities = out_of_fold([features[:, :8], features[:, 8:]], classes, folds, 0.5)
    assert probabilities.sum(axis=1) == pytest.approx(1)
    expected = np.zeros((60, 3))
    for fold in range(3):
        held, rest = folds == fold, folds != fold
        indicators = np.eye(3)[classes[rest]]
        weights = np.linalg.solve(
            features[rest].T @ features[rest] + 0.5 * np.eye(20),
            features[rest].T @ (indicators - indicators.mean(axis=0)),
        )
        expected[held] = indicators.mean(axis=0) + features[held] @ weights
    ratios = np.log(probabilities) - np.log(probabilities[:, :1])
    differences = expected - expected[:, :1]
    scale = (ratios * differences).sum() / (differences**2).sum()
    assert ratios == pytest.approx(scale * differences, abs=0.01 * scale)
    monkeypatch.setattr("zhiling.curation.cross_fitting.DIRECT_CLASSES", 2)
    direct = out_of_fold([features[:, :8], features[:, 8:]], classes, folds, 0.5)
    assert direct == pytest.approx(probabilities, abs=1e-3)
    monkeypatch.setattr("zhiling.curation.cross_fitting.KERNEL_ROWS", 0)
    again = out_of_fold([features[:, :8], features[:, 8:]], classes, folds, 0.5)
    assert again == pytest.approx(probabilities, abs=1e-3)
