"""The rules: what the figures of the rounds so far mean, what follows, and which round to return.

    told = alarms(rounds, Limits())
    if any(alarm.follows == "stop" for alarm in told):
        best = best_round(rounds)

A share or ratio beyond its bound is always told. Something follows only where its 95 % interval lies beyond
the bound too: of 20 rows one bad one more or less is chance.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass as plain
from dataclasses import replace
from itertools import takewhile
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from zhiling.adversarial.guards.figures import LEAST_ROWS, Estimate, Fraction, Share
from zhiling.adversarial.guards.rounds import Round
from zhiling.adversarial.guards.shift import Shift

Guard = Literal[
    "gain", "distinct", "vendi", "exact", "grams", "repeats", "accepted_few", "accepted_most", "leak",
    "real_probes", "bad_probes", "judge", "labels", "topics", "lengths", "budget", "unmeasured",
    "gone", "none_left", "few_real",
]  # fmt: skip
Follows = Literal["stop", "drop", "tell"]

COPIES: tuple[Guard, ...] = ("exact", "grams", "repeats")
COLLAPSE: frozenset[Guard] = frozenset(("distinct", "vendi", *COPIES))
"""Guards of the rows themselves: where one says stop, the round is never returned."""


class Limits(BaseModel):
    """Bounds of the guards."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    patience: int = Field(default=2, ge=1, description="rounds without a gain of one error that stop")
    distinct: float = Field(default=0.8, ge=0, description="least distinct-2 over that of as many real rows")
    vendi: float = Field(default=0.9, ge=0, description="least Vendi score over that of as many real rows")
    copies: Fraction = Field(default=0.05, description="share of copies beyond that of real rows")
    accepted_least: float = Field(
        default=0.05, ge=0, le=1, description="least share of a generator's rows to accept"
    )
    accepted_most: float = Field(
        default=0.9,
        ge=0,
        le=1,
        description="largest share of a generator's rows to accept where planted bad rows pass, too",
    )
    real_probes: float = Field(
        default=0.8, ge=0, le=1, description="least share of hidden real rows to accept"
    )
    bad_probes: float = Field(
        default=0.05, ge=0, le=1, description="largest share of planted bad rows to accept"
    )
    leak: float = Field(default=0.95, ge=0.5, le=1, description="AUC at which a generator gives itself away")
    leak_rounds: int = Field(default=2, ge=1, description="rounds at that AUC that drop the generator")
    shift: float = Field(
        default=0.25, ge=0, le=1, description="distance of labels or topics beyond the floor"
    )
    length: float = Field(default=2.0, ge=1, description="times that the median may be longer or shorter")


@plain(frozen=True)
class Alarm:
    """A guard that rang.

    Attributes:
        round: in which it rang.
        guard: which.
        value: what it measured; of `unmeasured` how many figures are missing, of `gone` the round.
        bound: what it should have been at most, or at least.
        follows: the loop stops, the generator is dropped, or it is only told.
        generator: whose rows it is about; None: all.
        features: what gives the generator away, strongest first; of `unmeasured` the missing figures, of
            `gone` the cause.
    """

    round: int
    guard: Guard
    value: float
    bound: float
    follows: Follows
    generator: str | None = None
    features: tuple[str, ...] = ()


def alarms(rounds: Sequence[Round], limits: Limits | None = None) -> list[Alarm]:
    """What rings in the newest of the rounds; the earlier ones are what it is held against.

    Those that stop come first, then those that drop a generator.

    Args:
        rounds: in order; none: nothing rings.
        limits: the bounds.
    """
    if not rounds:
        return []
    limits = limits or Limits()
    found = [*_of_rows(rounds[-1], limits), *_of_probes(rounds[-1], limits), *_of_shifts(rounds[-1], limits)]
    found += [*_of_generators(rounds, limits), *_of_gain(rounds, limits), *_of_the_rest(rounds[-1])]
    return sorted(found, key=lambda alarm: ("stop", "drop", "tell").index(alarm.follows))


OUTSIDE: frozenset[Guard] = frozenset(("budget", "none_left"))
"""Guards that end the rounds for what is not in the rows: they might have been useful yet."""


def best_round(rounds: Sequence[Round], limits: Limits | None = None, *, equal: bool = False) -> int:
    """The number of the round with the best student; 0: the anchors alone are best.

    Of students that have as many dev rows right, the one is better that gives their labels the higher
    probability, and of equal ones the later: on six dev rows many a student has all of them right. Rows
    add up over the rounds, so a round whose collapse guards say stop is out, and all rounds after it.

    Args:
        rounds: in order.
        limits: the bounds.
        equal: whether a student counts that is only as good as that of the anchors: where the rounds ended
            for what is `OUTSIDE` of the rows, nothing says that these are useless.
    """
    sound = takewhile(lambda last: not _collapsed(rounds[:last], limits), range(1, len(rounds) + 1))
    better = [each for each in (rounds[last - 1] for last in sound) if _helps(each, equal)]
    return max(better, key=lambda each: (*_merit(each), each.number)).number if better else 0


def _helps(round_: Round, equal: bool) -> bool:
    """Whether its student is better than that of the anchors alone, or `equal`ly good where that counts."""
    if equal and round_.utility == round_.anchors:
        return True
    return _merit(round_) > (round_.anchors, _known(round_.anchors_likelihood))


def _merit(round_: Round) -> tuple[float, float]:
    return round_.utility, _known(round_.likelihood)


def _known(likelihood: float | None) -> float:
    return -math.inf if likelihood is None else likelihood


def _collapsed(rounds: Sequence[Round], limits: Limits | None) -> bool:
    return any(rung.guard in COLLAPSE and rung.follows == "stop" for rung in alarms(rounds, limits))


def last_forward(rounds: Sequence[Round]) -> int:
    """The round whose student the next one's is held against: the last with a gain of one standard error.

    0: the student of the anchors alone. Held against the round before, a student that gains half an error
    each round would be stopped for standing still.
    """
    return next((each.number for each in reversed(rounds) if each.gain is not None and each.gain.forward), 0)


def _beyond(
    number: int, guard: Guard, figure: Share | Estimate, bound: float, most: bool, follows: Follows = "stop"
) -> Iterator[Alarm]:
    """An alarm where the figure is above (`most`) or below its bound."""
    if (figure.value > bound) if most else (figure.value < bound):
        certain = figure.low > bound if most else figure.high < bound
        yield Alarm(number, guard, figure.value, bound, follows if certain else "tell")


def _of_rows(now: Round, limits: Limits) -> Iterator[Alarm]:
    """Collapse: rows alike, or copied. Where all of them are lines of a log, the log is so: that is told."""
    follows: Follows = "tell" if now.written == 0 else "stop"
    if now.spread is not None:
        yield from _beyond(now.number, "distinct", now.spread.distinct, limits.distinct, False, follows)
        if now.spread.vendi is not None:
            yield from _beyond(now.number, "vendi", now.spread.vendi, limits.vendi, False, follows)
    if now.copied is not None:
        for guard in COPIES:
            made, real = getattr(now.copied, guard), getattr(now.copied, f"real_{guard}")
            yield from _beyond(now.number, guard, made, real.value + limits.copies, True, follows)


def _of_probes(now: Round, limits: Limits) -> Iterator[Alarm]:
    if now.probes is None:
        return
    if now.probes.real is not None:
        # Good rows that are rejected cost rows, not quality; with five real rows a label many are.
        yield from _beyond(now.number, "real_probes", now.probes.real, limits.real_probes, False, "tell")
    if now.probes.bad is not None:
        yield from _beyond(now.number, "bad_probes", now.probes.bad, limits.bad_probes, True)


def _of_shifts(now: Round, limits: Limits) -> Iterator[Alarm]:
    """What is told and stops nothing."""
    if now.judged is not None and now.judged.alarm:
        side = 1 if now.judged.auc > now.judged.floor else -1
        bound = now.judged.floor + side * 2 * now.judged.floor_error
        yield Alarm(now.number, "judge", now.judged.auc, bound, "tell")
    shifts: tuple[tuple[Guard, Shift | None], ...] = (("labels", now.labels), ("topics", now.topics))
    for guard, shift in shifts:
        if shift is not None and shift.distance > shift.floor + max(limits.shift, 2 * shift.floor_error):
            yield Alarm(now.number, guard, shift.distance, shift.floor + limits.shift, "tell")
    if now.lengths is not None and not 1 / limits.length <= now.lengths.ratio <= limits.length:
        bound = limits.length if now.lengths.ratio > 1 else 1 / limits.length
        yield Alarm(now.number, "lengths", now.lengths.ratio, bound, "tell")


def _of_generators(rounds: Sequence[Round], limits: Limits) -> Iterator[Alarm]:
    now = rounds[-1]
    follows: Follows
    for name, cause in sorted(now.gone.items()):
        yield Alarm(now.number, "gone", float(now.number), 0.0, "drop", name, (cause,))
    if now.writing == 0:
        yield Alarm(now.number, "none_left", 0.0, 1.0, "stop")
    for name, offers in sorted(now.generators.items()):
        share = offers.share
        if share is not None:
            few = _beyond(now.number, "accepted_few", share, limits.accepted_least, False, "drop")
            follows = "drop" if _blind(now, limits) else "tell"
            most = _beyond(now.number, "accepted_most", share, limits.accepted_most, True, follows)
            yield from (replace(rung, generator=name) for rung in (*few, *most))
        if offers.auc is not None and offers.auc > limits.leak:
            follows = "drop" if _leaked(rounds, name, limits) else "tell"
            yield Alarm(now.number, "leak", offers.auc, limits.leak, follows, name, offers.features)


def _blind(now: Round, limits: Limits) -> bool:
    """Whether nothing shows that acceptance tells wrong rows; where it does, all of a generator may pass."""
    bad = now.probes.bad if now.probes is not None else None
    return bad is None or bad.value > limits.bad_probes


def _leaked(rounds: Sequence[Round], name: str, limits: Limits) -> bool:
    """Whether the generator gave itself away in each of the last rounds in which it was judged."""
    judged = [each.generators[name].auc for each in rounds if name in each.generators]
    aucs = [auc for auc in judged if auc is not None][-limits.leak_rounds :]
    return len(aucs) == limits.leak_rounds and all(auc > limits.leak for auc in aucs)


def _of_gain(rounds: Sequence[Round], limits: Limits) -> Iterator[Alarm]:
    gains = [each.gain for each in rounds][-limits.patience :]
    known = [each for each in gains if each is not None]
    if len(known) == limits.patience and not any(each.forward for each in known):
        yield Alarm(rounds[-1].number, "gain", known[-1].points, known[-1].error, "stop")


def _of_the_rest(now: Round) -> Iterator[Alarm]:
    if now.budget_left is not None and now.budget_left <= 0:
        yield Alarm(now.number, "budget", now.budget_left, 0.0, "stop")
    if now.known is not None and now.known < LEAST_ROWS:
        yield Alarm(now.number, "few_real", float(now.known), float(LEAST_ROWS), "tell")
    if now.missing:
        yield Alarm(now.number, "unmeasured", float(len(now.missing)), 0.0, "tell", features=now.missing)
