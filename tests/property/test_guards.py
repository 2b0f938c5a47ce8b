"""Laws of the guards of adversarial construction."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zhiling.adversarial.guards.copies import copied, copying
from zhiling.adversarial.guards.figures import Estimate, Share
from zhiling.adversarial.guards.rounds import Offers, Round
from zhiling.adversarial.guards.rules import COLLAPSE, Limits, alarms, best_round
from zhiling.adversarial.guards.shift import label_shift, length_shift, topic_shift
from zhiling.adversarial.guards.spread import Spread, spread
from zhiling.adversarial.guards.usefulness import Gain, gain
from zhiling.encoders.hashing import HashingEncoder

WORDS = {
    "en": [f"{head}{tail}" for head in "bcdfghklmnprstvwz" for tail in ("at", "en", "ill", "ond", "ush")],
    "zh": [chr(0x4E00 + 11 * number) for number in range(85)],
}
JOINTS = {"en": " ", "zh": ""}
ENCODER = HashingEncoder(buckets=64)
languages = st.sampled_from(["en", "zh"])
seeds = st.integers(0, 2**20)
shares = st.integers(1, 200).flatmap(lambda n: st.builds(Share, st.integers(0, n), st.just(n)))
tokens = st.lists(st.sampled_from(["卡", "pay", "钱", "now", "bill"]), max_size=8).map(" ".join)


def texts(language: str, count: int, seed: int) -> pl.Series:
    """Texts of nine random words."""
    rng = np.random.default_rng(seed)
    return pl.Series([JOINTS[language].join(rng.choice(WORDS[language], size=9)) for _ in range(count)])


def a_round(number: int, made: pl.Series, real: pl.Series, utility: float = 0.5) -> Round:
    """What the guards measure of a round's rows."""
    vectors = ENCODER.encode(made.to_list()), ENCODER.encode(real.to_list())
    return Round(
        number, len(made), utility, 0.4, copied=copied(made, real), spread=spread(made, real, vectors),
        topics=topic_shift(*vectors), lengths=length_shift(made, real),
    )  # fmt: skip


def collapse(*rounds: Round) -> set[str]:
    return {each.guard for each in alarms(rounds) if each.follows == "stop" and each.guard in COLLAPSE}


@settings(max_examples=15, deadline=None)
@given(languages, seeds)
def test_rows_as_real_ones_are_never_stopped(language: str, seed: int) -> None:
    """Samples of one kind, of unlike sizes."""
    assert collapse(a_round(1, texts(language, 90, seed), texts(language, 160, seed + 1))) == set()


@settings(max_examples=15, deadline=None)
@given(languages, seeds, st.integers(20, 60))
def test_a_generator_that_always_says_the_same_is_stopped(language: str, seed: int, count: int) -> None:
    constant = pl.Series([texts(language, 1, seed)[0]] * count)
    rung = collapse(a_round(1, constant, texts(language, 160, seed + 1)))
    assert {"distinct", "vendi", "repeats"} <= rung


@settings(max_examples=15, deadline=None)
@given(languages, seeds, st.integers(20, 100))
def test_a_generator_that_copies_the_seeds_is_stopped(language: str, seed: int, count: int) -> None:
    real = texts(language, 160, seed)
    assert {"exact", "grams"} <= collapse(a_round(1, real[:count], real))


@settings(max_examples=60, deadline=None)
@given(st.lists(tokens, min_size=1, max_size=12), st.lists(tokens, max_size=12), st.lists(tokens, max_size=6))
def test_knowing_more_never_hides_a_copy(made: list[str], known: list[str], more: list[str]) -> None:
    few, many = (
        copying(pl.Series(made), pl.Series(each, dtype=pl.String)) for each in (known, [*known, *more])
    )
    assert (few <= many).all()


@settings(max_examples=60, deadline=None)
@given(st.lists(tokens, min_size=1, max_size=12), st.randoms(use_true_random=False))
def test_known_texts_copy_themselves_in_any_order(made: list[str], order: object) -> None:
    known = list(made)
    order.shuffle(known)  # type: ignore[attr-defined]
    assert copying(pl.Series(made), pl.Series(known)).tolist() == [bool(text) for text in made]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=30, max_size=80), seeds)
def test_a_gain_turned_round_is_a_loss_as_large(rows: list[tuple[bool, bool]], seed: int) -> None:
    before, now = np.array(rows).T
    there, back = gain(before, now, seed=seed), gain(now, before, seed=seed)
    assert there.points == pytest.approx(-back.points)
    assert there.error == pytest.approx(back.error)
    assert there.error == pytest.approx(
        100 * (now * 1.0 - before).std() / len(rows) ** 0.5, rel=0.1, abs=1e-9
    )
    assert not (there.forward and back.forward)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from("ab退款"), min_size=20, max_size=60), seeds)
def test_labels_are_no_distance_from_themselves_in_any_order(labels: list[str], seed: int) -> None:
    other = np.random.default_rng(seed).permutation(labels).tolist()
    assert label_shift(labels, other).distance == 0
    assert label_shift(["另"] * 20, labels).distance == pytest.approx(1)


@settings(max_examples=100, deadline=None)
@given(shares, shares, st.floats(0, 2), st.floats(0, 0.1), st.floats(-5, 5))
def test_a_round_is_read_back_as_it_was_and_rings_alike(
    offers: Share, probes: Share, ratio: float, error: float, points: float
) -> None:
    written = Round(
        1, offers.hits, 0.5, 0.4, Gain(points, error), {"模板": Offers(offers.n, offers.hits, probes.value)},
        spread=Spread(Estimate(ratio, error), None, offers.n),
    )  # fmt: skip
    read = Round.from_json(written.as_json())
    assert read == written
    assert alarms([read]) == alarms([written])


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), max_size=6))
def test_the_best_round_is_sound_and_none_sound_is_better(rounds: list[tuple[float, bool]]) -> None:
    made = [
        Round(number, 100, utility, 0.4, spread=Spread(Estimate(0.1 if bad else 1.0, 0.0), None, 100))
        for number, (utility, bad) in enumerate(rounds, 1)
    ]
    best = best_round(made)
    sound = next((number for number, (_, bad) in enumerate(rounds) if bad), len(rounds))
    assert 0 <= best <= sound
    assert max([0.4, *(utility for utility, _ in rounds[:sound])]) == (rounds[best - 1][0] if best else 0.4)
    assert best_round(made, Limits(distinct=0)) >= best
