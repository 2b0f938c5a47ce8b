"""What rings, what follows, which round is returned, and rounds as JSON."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from zhiling.adversarial.guards.copies import Copied
from zhiling.adversarial.guards.figures import Estimate, Share
from zhiling.adversarial.guards.judge import Judged
from zhiling.adversarial.guards.probes import Probes
from zhiling.adversarial.guards.rounds import Offers, Round
from zhiling.adversarial.guards.rules import Alarm, Limits, alarms, best_round, last_forward
from zhiling.adversarial.guards.shift import Lengths, Shift
from zhiling.adversarial.guards.spread import Spread
from zhiling.adversarial.guards.usefulness import Gain
from zhiling.errors import DamagedFile

FINE = Share(0, 1000)
STILL = Shift(0.05, 0.05, 0.01)


def copies(**others: Share) -> Copied:
    names = ("exact", "grams", "repeats", "real_exact", "real_grams", "real_repeats")
    return Copied(**{name: others.get(name, FINE) for name in names})


def spreads(distinct: float = 1.0, vendi: float = 1.0, error: float = 0.01) -> Spread:
    return Spread(Estimate(distinct, error), Estimate(vendi, error), 1000)


def a_round(number: int = 1, **others: Any) -> Round:
    """A round in which all is well."""
    fine: dict[str, Any] = {
        "accepted": 1000,
        "utility": 0.8,
        "anchors": 0.7,
        "gain": Gain(2.0, 1.0),
        "generators": {"templates": Offers(2000, 1000, 0.6)},
        "judged": Judged(0.51, 0.5, 0.02, 1000),
        "copied": copies(),
        "spread": spreads(),
        "labels": STILL,
        "topics": STILL,
        "lengths": Lengths(1.0, 0.05),
        "probes": Probes(Share(95, 100), Share(1, 100)),
        "budget_left": 0.5,
    }
    return Round(number=number, **(fine | others))


def rung(*rounds: Round, limits: Limits | None = None) -> list[tuple[str, str]]:
    return [(alarm.guard, alarm.follows) for alarm in alarms(rounds, limits)]


@pytest.mark.parametrize(
    "probes", [None, Probes(Share(95, 100), None), Probes(Share(95, 100), Share(8, 100))]
)
def test_a_generator_whose_rows_all_pass_is_dropped_where_bad_rows_may_pass_too(
    probes: Probes | None,
) -> None:
    told = rung(a_round(generators={"a": Offers(100, 100)}, probes=probes))
    assert ("accepted_most", "drop") in told


def test_nothing_rings_where_all_is_well() -> None:
    assert rung(a_round(1), a_round(2)) == []
    assert alarms([]) == []


@pytest.mark.parametrize(
    ("others", "rings"),
    [
        ({"spread": spreads(distinct=0.7)}, ("distinct", "stop")),
        ({"spread": spreads(distinct=0.79)}, ("distinct", "tell")),  # within two errors of the bound
        ({"spread": spreads(vendi=0.8)}, ("vendi", "stop")),
        ({"copied": copies(exact=Share(100, 1000))}, ("exact", "stop")),
        ({"copied": copies(grams=Share(100, 1000))}, ("grams", "stop")),
        ({"copied": copies(grams=Share(52, 1000))}, ("grams", "tell")),  # a share as high by chance
        ({"copied": copies(repeats=Share(900, 1000))}, ("repeats", "stop")),
        ({"probes": Probes(Share(50, 100), None)}, ("real_probes", "tell")),
        ({"probes": Probes(None, Share(20, 100))}, ("bad_probes", "stop")),
        ({"probes": Probes(None, Share(2, 20))}, ("bad_probes", "tell")),
        ({"judged": Judged(0.7, 0.5, 0.02, 1000)}, ("judge", "tell")),
        ({"judged": Judged(0.3, 0.5, 0.02, 1000)}, ("judge", "tell")),
        ({"labels": Shift(0.6, 0.05, 0.01)}, ("labels", "tell")),
        ({"topics": Shift(0.6, 0.05, 0.01)}, ("topics", "tell")),
        ({"lengths": Lengths(2.5, 0.9)}, ("lengths", "tell")),
        ({"lengths": Lengths(0.3, 0.9)}, ("lengths", "tell")),
        ({"generators": {"a": Offers(100, 0)}}, ("accepted_few", "drop")),
        ({"generators": {"a": Offers(10, 0)}}, ("accepted_few", "tell")),
        ({"generators": {"a": Offers(100, 100)}}, ("accepted_most", "tell")),
        ({"generators": {"a": Offers(10, 10)}}, ("accepted_most", "tell")),
        ({"generators": {"a": Offers(10, 5, 0.97)}}, ("leak", "tell")),
        ({"budget_left": 0.0}, ("budget", "stop")),
        ({"gone": {"a": "away"}, "writing": 1}, ("gone", "drop")),
        ({"writing": 0}, ("none_left", "stop")),
        ({"known": 19}, ("few_real", "tell")),
        ({"judged": None, "probes": None}, ("unmeasured", "tell")),
    ],
)
def test_each_guard_rings_beyond_its_bound(others: dict[str, Any], rings: tuple[str, str]) -> None:
    assert rung(a_round(**others)) == [rings]


def test_copies_are_held_against_those_of_real_rows() -> None:
    made, real = Share(300, 1000), Share(280, 1000)
    assert rung(a_round(copied=copies(grams=made, real_grams=real))) == []
    assert rung(a_round(copied=copies(grams=made))) == [("grams", "stop")]


def test_a_generator_without_offers_is_not_judged() -> None:
    assert rung(a_round(generators={"a": Offers(0, 0)})) == []


def test_a_leak_in_two_rounds_drops_the_generator_with_its_features() -> None:
    before = a_round(1, generators={"eda": Offers(100, 50, 0.97), "log": Offers(100, 50, 0.5)})
    now = a_round(2, generators={"eda": Offers(100, 50, 0.99, ("谢谢", "please")), "log": Offers(9, 5, 0.97)})
    assert alarms([before, now]) == [
        Alarm(2, "leak", 0.99, 0.95, "drop", "eda", ("谢谢", "please")),
        Alarm(2, "leak", 0.97, 0.95, "tell", "log"),
    ]
    between = a_round(2, generators={"eda": Offers(0, 0)})
    assert rung(before, between, a_round(3, generators=now.generators))[0] == ("leak", "drop")


def test_two_rounds_without_a_gain_stop() -> None:
    none = Gain(0.4, 1.0)
    assert rung(a_round(1, gain=none)) == []
    assert rung(a_round(1, gain=none), a_round(2), a_round(3, gain=none)) == []
    assert rung(a_round(1, gain=none), a_round(2, gain=none)) == [("gain", "stop")]
    assert rung(a_round(1, gain=none), limits=Limits(patience=1)) == [("gain", "stop")]
    assert rung(a_round(1, gain=None), a_round(2, gain=none)) == []


def test_what_stops_comes_first() -> None:
    found = rung(a_round(budget_left=0.0, judged=None, generators={"a": Offers(100, 0)}))
    assert [follows for _, follows in found] == ["stop", "drop", "tell"]


def test_the_best_round_is_that_of_the_best_student() -> None:
    utilities = (0.72, 0.8, 0.8, 0.75)
    rounds = [a_round(number, utility=each) for number, each in enumerate(utilities, 1)]
    assert best_round(rounds) == 3
    assert best_round(rounds[:1]) == 1
    assert best_round([]) == 0


def test_no_round_is_best_where_the_anchors_alone_are_as_good() -> None:
    assert best_round([a_round(1, utility=0.7), a_round(2, utility=0.6)]) == 0


def test_where_the_rounds_ended_for_what_is_outside_equals_count() -> None:
    rounds = [a_round(1, utility=0.7), a_round(2, utility=0.6)]
    assert best_round(rounds, equal=True) == 1
    assert best_round([a_round(1, utility=0.6)], equal=True) == 0


def test_a_collapsed_round_is_never_returned_nor_one_after_it() -> None:
    rounds = [
        a_round(1, utility=0.75),
        a_round(2, utility=0.8, spread=spreads(distinct=0.4)),
        a_round(3, utility=0.9),
    ]
    assert best_round(rounds) == 1
    assert best_round(rounds, Limits(distinct=0.3)) == 3
    assert best_round([a_round(1, utility=0.8, probes=Probes(None, Share(50, 100)))]) == 1


def test_a_student_is_held_against_the_last_that_went_forward() -> None:
    assert last_forward([]) == 0
    rounds = [a_round(1), a_round(2, gain=Gain(0.5, 1.0)), a_round(3, gain=None)]
    assert last_forward(rounds) == 1
    assert last_forward(rounds[1:]) == 0


@pytest.mark.parametrize(
    "others", [{}, {"gain": None, "judged": None, "copied": None, "spread": None, "budget_left": None}]
)
def test_a_round_is_read_back_as_it_was(others: dict[str, Any]) -> None:
    written = a_round(2, generators={"模板": Offers(9, 4, 0.9, ("请", "please"))}, **others)
    assert Round.from_json(written.as_json()) == written


@pytest.mark.parametrize("text", ["", "{}", '{"number": 1, "x": 2}', "[1]"])
def test_a_damaged_round_is_refused(text: str) -> None:
    with pytest.raises(DamagedFile, match=r"rounds\.jsonl:3: no round"):
        Round.from_json(text, "rounds.jsonl:3")


def test_no_figure_is_nan() -> None:
    with pytest.raises(ValidationError):
        Judged(float("nan"), 0.5, 0.02, 10)
    with pytest.raises(ValidationError):
        a_round(utility=float("nan"))
    with pytest.raises(ValidationError):
        Estimate(float("inf"), 0.1)


@pytest.mark.parametrize(
    ("likelihoods", "best"),
    [((-0.4, -0.2), 2), ((-0.1, -0.2), 1), ((-0.6, -0.7), 0), ((None, None), 0), ((-0.2, -0.2), 2)],
)
def test_of_equal_scores_the_higher_likelihood_is_better(
    likelihoods: tuple[float | None, float | None], best: int
) -> None:
    alone = None if likelihoods[0] is None else -0.5
    told = [
        a_round(number, utility=1.0, anchors=1.0, likelihood=each, anchors_likelihood=alone)
        for number, each in enumerate(likelihoods, start=1)
    ]
    assert best_round(told) == best
