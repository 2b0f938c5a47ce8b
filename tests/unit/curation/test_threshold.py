"""Threshold: which values stay, which reason the others get, and which settings are refused."""

from __future__ import annotations

import polars as pl
import pytest
from pydantic import ValidationError

from tests.unit.curation.frames import CONTEXT, reasons
from zhiling.curation.threshold import Threshold
from zhiling.errors import UsageError

SCORES = pl.DataFrame({"id": ["a", "b", "c"], "pair.score": [0.1, 0.5, 0.9]})


def test_bounds_are_kept_and_the_score_is_stored_for_all() -> None:
    answer = Threshold(column="pair.score", at_least=0.5, at_most=0.8).decide(SCORES, CONTEXT)
    assert reasons(answer) == ["below", None, "above"]
    assert answer["score"].to_list() == [0.1, 0.5, 0.9]


def test_only_the_column_is_read() -> None:
    assert Threshold(column="pair.score", at_least=0).reads() == ("pair.score",)


@pytest.mark.parametrize(
    ("values", "settings", "expected"),
    [
        (["zh", "de", None], {"among": ["zh", "en"]}, [None, "not_among", "not_among"]),
        (["zh", "de"], {"equals": "de"}, ["not_among", None]),
        ([1, 2], {"among": [2, 3]}, ["not_among", None]),
        ([True, False], {"equals": True}, [None, "not_among"]),
        (["1", "2"], {"equals": 1}, ["not_among", "not_among"]),
        ([0, 1], {"equals": 0}, [None, "not_among"]),
    ],
)
def test_texts_numbers_and_truth_values(
    values: list[object], settings: dict[str, object], expected: list[str]
) -> None:
    rows = pl.DataFrame({"id": [str(place) for place in range(len(values))], "m": values})
    assert reasons(Threshold(column="m", **settings).decide(rows, CONTEXT)) == expected


@pytest.mark.parametrize("verdict", ["flag", "review"])
def test_the_verdict_is_a_setting(verdict: str) -> None:
    answer = Threshold(column="pair.score", at_least=0.5, verdict=verdict).decide(SCORES, CONTEXT)
    assert answer["verdict"].to_list() == [verdict, "keep", "keep"]


def test_no_rows() -> None:
    assert Threshold(column="pair.score", at_least=0.5).decide(SCORES.clear(), CONTEXT).height == 0


def test_a_bound_on_texts_is_an_error_that_says_what_to_do() -> None:
    rows = pl.DataFrame({"id": ["a"], "m": ["zh"]})
    with pytest.raises(UsageError, match="use `equals` or `among`"):
        Threshold(column="m", at_least=1).decide(rows, CONTEXT)


@pytest.mark.parametrize(
    "settings", [{}, {"at_least": 2, "at_most": 1}, {"among": []}, {"at_least": float("nan")}]
)
def test_settings_without_sense_are_refused(settings: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Threshold(column="m", **settings)
