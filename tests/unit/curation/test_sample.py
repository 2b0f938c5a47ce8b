"""Sample: exact sizes, shares, and rows whose fate does not depend on others."""

from __future__ import annotations

import polars as pl
import pytest
from pydantic import ValidationError

from tests.unit.curation.frames import CONTEXT
from zhiling.curation.sample import Sample
from zhiling.pipeline.step import Context

ROWS = pl.DataFrame(
    {
        "id": [f"r{number:03}" for number in range(300)],
        "language": ["zh", "en", "en"] * 100,
        "target": ['{"labels":["a"]}'] * 290 + ['{"labels":["b"]}'] * 5 + [None] * 5,
    }
)


def kept(step: Sample, rows: pl.DataFrame = ROWS, context: Context = CONTEXT) -> set[str]:
    return set(rows.filter(step.decide(rows, context)["verdict"] == "keep")["id"])


def test_the_size_is_exact_and_a_larger_sample_holds_the_smaller() -> None:
    assert len(kept(Sample(size=40))) == 40
    assert kept(Sample(size=40)) < kept(Sample(size=41))
    assert len(kept(Sample(size=1000))) == 300
    assert not kept(Sample(size=0))


def test_another_seed_is_another_sample() -> None:
    assert kept(Sample(size=40)) != kept(Sample(size=40), context=Context(step_id="x", seed=1))


def test_a_share_judges_each_row_by_itself() -> None:
    whole = kept(Sample(share=0.3))
    assert 60 < len(whole) < 120
    assert kept(Sample(share=0.3), ROWS.head(100)) == whole & set(ROWS["id"].head(100))


@pytest.mark.parametrize(
    ("per", "expected"), [("language", {"zh": 7, "en": 7}), ("label", {"a": 7, "b": 5, None: 5})]
)
def test_so_many_of_each(per: str, expected: dict[str | None, int]) -> None:
    chosen = ROWS.filter(pl.col("id").is_in(kept(Sample(size=7, per=per))))
    key = pl.col("language") if per == "language" else pl.col("target").str.json_path_match("$.labels[0]")
    assert dict(chosen.group_by(key.alias("key")).len().rows()) == expected


def test_no_rows() -> None:
    assert Sample(size=3).decide(ROWS.clear(), CONTEXT).height == 0


@pytest.mark.parametrize(
    "settings", [{}, {"size": 3, "share": 0.5}, {"share": 0.5, "per": "language"}, {"share": 2}]
)
def test_settings_without_sense_are_refused(settings: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Sample(**settings)
