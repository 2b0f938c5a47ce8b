"""A judge of replies: wrong ones score low in both languages, calibrated on real rows, never on its own."""

from __future__ import annotations

from functools import cache

import numpy as np
import polars as pl
import pytest

from tests.unit.curation.bilingual import help_desk
from zhiling.adversarial.discriminators.pairs import Pairs, fit_pairs, platt
from zhiling.encoders.hashing import HashingEncoder
from zhiling.errors import UsageError
from zhiling.rows.conversation import dialogue

pytest.importorskip("sklearn")

ENCODER = HashingEncoder(buckets=256)
COUNT = 30
DESK = help_desk(COUNT)
NEW = np.arange(DESK.height) % COUNT >= 24


def fitted(rows: pl.DataFrame, seed: int = 1) -> Pairs:
    """The judge of these rows, all of which are real."""
    return fit_pairs(rows, np.ones(rows.height, dtype=bool), ENCODER, np.random.default_rng(seed))


@cache
def judge() -> Pairs:
    """Of the desk's first rows."""
    return fitted(DESK.filter(~NEW))


def moved(rows: pl.DataFrame, by: int) -> pl.DataFrame:
    """The rows, each with the reply of another one of its language."""
    messages = rows["messages"].to_list()
    half = rows.height // 2
    for place, turns in enumerate(rows["messages"].to_list()):
        other = (place + by) % half + half * (place >= half)
        messages[other][-1] = turns[-1]
    return rows.with_columns(pl.Series("messages", messages, dtype=rows.schema["messages"]))


@pytest.mark.parametrize("language", ["en", "zh"])
def test_replies_of_another_topic_are_told(language: str) -> None:
    new = DESK.filter(NEW)
    own, others = (each["language"] == language for each in (new, new))
    right = judge().fits(new)[own.to_numpy()]
    wrong = judge().fits(moved(new, 6))[others.to_numpy()]
    assert right.mean() > wrong.mean() + 0.2
    rows = new.filter(language=language)
    both = judge().fits_others(
        rows, np.stack([np.arange(len(right)), np.roll(np.arange(len(right)), 6)], axis=1)
    )
    assert np.allclose(both, np.stack([right, wrong], axis=1), atol=1e-4)
    assert (right[:, None] > wrong[None]).mean() > 0.9


def test_probabilities_are_calibrated_on_real_rows_alone() -> None:
    rows = DESK.filter(~NEW)
    spoilt = pl.concat(
        [rows, moved(rows, 24).with_columns(id="x" + pl.col("id"), group="x" + pl.col("group"))]
    )
    real = np.arange(spoilt.height) < rows.height
    learnt = fit_pairs(spoilt, real, ENCODER, np.random.default_rng(1))
    assert len(learnt.right) == len(judge().right) == rows.height
    assert len(learnt.wrong) == 2 * rows.height
    assert learnt.right.mean() < judge().right.mean()  # what was learnt from beside them was wrong


def test_strictness_lets_no_more_wrong_replies_pass() -> None:
    strict = judge().strictness(0.1)
    assert 0.5 <= strict <= 1
    assert (judge().wrong > strict).mean() <= 0.1
    assert judge().strictness(0.01) >= strict


def test_a_judge_is_the_same_with_the_same_seed_and_a_row_alone() -> None:
    new = DESK.filter(NEW)
    again = fitted(DESK.filter(~NEW)).fits(new)
    assert np.array_equal(judge().fits(new), again)
    assert np.allclose(judge().fits(new[4:5]), again[4:5], atol=1e-4)
    assert not np.array_equal(fitted(DESK.filter(~NEW), seed=2).fits(new), again)


def test_documents_bear_replies_out() -> None:
    draws = np.random.default_rng(3)
    words = [f"{first}{second}" for first in "bdgklmnprst" for second in ("ola", "emi", "ute", "irk")]
    facts = [" ".join(draws.choice(words, 6, replace=False)) for _ in range(120)]
    rows = pl.DataFrame(
        {
            "id": [f"r{place}" for place in range(120)],
            "messages": dialogue(
                {
                    "document": pl.Series(facts),
                    "user": pl.Series([f"what stands there? {place % 7}" for place in range(120)]),
                    "assistant": pl.Series([fact[:20] for fact in facts]),
                }
            ),
            "language": "en",
            "group": [f"g{place}" for place in range(120)],
        }
    )
    learnt = fitted(rows[:90])
    right = learnt.fits(rows[90:])
    messages = rows[90:]["messages"].to_list()
    texts = [turns[-1]["text"] for turns in messages]
    for turns, text in zip(messages, texts[5:] + texts[:5], strict=True):
        turns[-1]["text"] = text
    wrong = learnt.fits(
        rows[90:].with_columns(pl.Series("messages", messages, dtype=rows.schema["messages"]))
    )
    assert right.min() > wrong.max()


def test_what_cannot_be_judged_is_no_number() -> None:
    few = DESK[:3].with_columns(language=pl.lit("de"))
    asked = DESK[:1].with_columns(messages=dialogue({"user": pl.Series(["parcel?"])}))
    assert np.isnan(judge().fits(pl.concat([few, asked.select(few.columns)]))).all()
    assert judge().fits(DESK.clear()).shape == (0,)
    empty = DESK[:1].with_columns(
        messages=dialogue({"user": pl.Series(["parcel?"]), "assistant": pl.Series([""])})
    )
    assert 0 <= judge().fits(empty)[0] <= 1


def test_small_languages_are_judged_together() -> None:
    rows = help_desk(8)
    together = fitted(rows)
    assert list(together.languages) == [""]
    assert np.isfinite(together.fits(rows)).all()


@pytest.mark.parametrize(
    "rows", [DESK[:10], DESK.with_columns(group=pl.lit("one")), DESK.clear()], ids=["few", "group", "none"]
)
def test_too_few_real_rows_are_refused(rows: pl.DataFrame) -> None:
    with pytest.raises(UsageError, match="too few can teach") as told:
        fitted(rows)
    assert "20 rows" in (told.value.hint or "")


def test_real_rows_that_all_reply_alike_leave_no_wrong_pair() -> None:
    alike = DESK[:60].with_columns(
        messages=dialogue(
            {"user": pl.Series([f"q{place}" for place in range(60)]), "assistant": pl.Series(["yes"] * 60)}
        )
    )
    with pytest.raises(UsageError, match="too few can teach"):
        fitted(alike)


def test_one_far_off_pair_does_not_turn_the_calibration_round() -> None:
    draws = np.random.default_rng(0)
    right, wrong = draws.normal(2, 1, 60), draws.normal(-2, 1, 120)
    wrong[0] = 1e9
    slope, bias = platt(right, wrong)
    assert slope * 2 + bias > 0 > slope * -2 + bias
