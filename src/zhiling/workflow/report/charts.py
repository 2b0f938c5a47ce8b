"""Where everything of a chart stands; the templates draw it as inline SVG."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from zhiling.workflow.report.facts import Histogram, RoundFacts, StepFacts
from zhiling.workflow.report.model_facts import Interval

WIDTH = 560
_BAR_HEIGHT = 150
_ROW_HEIGHT = 30
_LEFT = 116
_RIGHT = 172
_LABEL_CHARACTERS = 17


@dataclass(frozen=True)
class Piece:
    """A rectangle of a bar or histogram; `kind` names its colour, `share` its part of the whole."""

    kind: str
    x: float
    y: float
    width: float
    height: float
    count: int


@dataclass(frozen=True)
class Tick:
    """A place on the axis with its figure."""

    x: float
    text: str


@dataclass(frozen=True)
class Bound:
    """A setting drawn as a line across a histogram; `end` says that its text stands left of it."""

    x: float
    y: float
    text: str
    end: bool


@dataclass(frozen=True)
class HistogramChart:
    """Bars over an axis, with lines at the bounds."""

    width: int
    height: int
    base: float
    pieces: tuple[Piece, ...]
    ticks: tuple[Tick, ...]
    bounds: tuple[Bound, ...]
    most: int
    kinds: tuple[str, ...]
    beyond: int


@dataclass(frozen=True)
class Whisker:
    """A dot with its interval, a label left of it and its figures right of it."""

    label: str
    kind: str
    y: float
    low: float
    mean: float
    high: float
    text: str


@dataclass(frozen=True)
class WhiskerChart:
    """Dots and whiskers on one axis; `zero` is where 0 stands, if it is to be drawn."""

    width: int
    height: int
    left: int
    right: int
    whiskers: tuple[Whisker, ...]
    ticks: tuple[Tick, ...]
    zero: float | None


def stacked(parts: Iterable[tuple[str, int]], whole: int) -> tuple[Piece, ...]:
    """Pieces side by side, as shares of `whole`, in a bar that is 1,000 wide."""
    pieces: list[Piece] = []
    x = 0.0
    for kind, count in parts:
        # what is there stays visible, however small a share it is
        width = max(1000 * count / whole, 2.5) if count and whole else 0.0
        if width:
            pieces.append(Piece(kind, round(x, 1), 0, round(min(width, 1000 - x), 1), 10, count))
        x = min(x + width, 997.5)
    return tuple(pieces)


def funnel(step: StepFacts, whole: int) -> tuple[Piece, ...]:
    """A step's bar: what is still kept after it, and what left there."""
    counts = step.counts
    left = [(kind, counts[kind]) for kind in ("replaced", "rejected", "failed")]
    return stacked([("kept", step.standing - counts["made"]), ("made", counts["made"]), *left], whole)


def histogram_chart(drawn: Histogram) -> HistogramChart:
    """A histogram's bars, axis and bounds."""
    bins = len(next(iter(drawn.series.values())))
    totals = [sum(counts[place] for counts in drawn.series.values()) for place in range(bins)]
    most, step = max([*totals, 1]), WIDTH / bins
    bounds = _bounds(drawn)
    top = 8.0 + 16 * len(bounds)
    base = top + _BAR_HEIGHT
    pieces: list[Piece] = []
    for place in range(bins):
        y = base
        for kind, counts in drawn.series.items():
            height = max(_BAR_HEIGHT * counts[place] / most, 1.5) if counts[place] else 0.0
            y -= height
            if height:
                pieces.append(
                    Piece(
                        kind,
                        round(place * step + 0.75, 1),
                        round(y, 1),
                        round(step - 1.5, 1),
                        round(height, 1),
                        counts[place],
                    )
                )
    ticks = tuple(
        Tick(_scaled(value, drawn.low, drawn.high), _figure(value)) for value in _even(drawn.low, drawn.high)
    )
    kinds = tuple(kind for kind, counts in drawn.series.items() if any(counts))
    return HistogramChart(
        WIDTH, round(base + 24), round(base, 1), tuple(pieces), ticks, bounds, most, kinds, drawn.beyond
    )


def curves(rounds: Sequence[RoundFacts]) -> list[tuple[str, tuple[tuple[float, float], ...]]]:
    """Name and points of each curve over the rounds: the student with and without the rows, diversity.

    From 0 at the bottom (y = 110) to 1 at the top (y = 10); what is above 1 stands at the top. Rounds without
    a figure are left out.
    """
    told = [each.figures for each in rounds]
    figures = {
        "student": [each.utility for each in told],
        "without": [each.anchors for each in told],
        "distinct_pairs": [each.spread.distinct.value if each.spread else None for each in told],
    }
    step = (WIDTH - 40) / max(len(told) - 1, 1)
    return [
        (
            name,
            tuple(
                (round(20 + step * place, 1), round(110 - 100 * min(value, 1.0), 1))
                for place, value in enumerate(values)
                if value is not None
            ),
        )
        for name, values in figures.items()
    ]


def _bounds(drawn: Histogram) -> tuple[Bound, ...]:
    placed = sorted(drawn.bounds.items(), key=lambda item: item[1])
    found: list[Bound] = []
    for place, (name, value) in enumerate(placed):
        x = _scaled(value, drawn.low, drawn.high)
        found.append(Bound(x, 12 + 16 * place, f"{name} {_figure(value)}", x > WIDTH / 2))
    return tuple(found)


def whisker_chart(
    rows: Sequence[tuple[str, str, Interval, str]], *, around_zero: bool = False
) -> WhiskerChart:
    """Dots and whiskers, one row each.

    Args:
        rows: label, kind (its colour), figure, and what to write beside it.
        around_zero: the figures are differences: the axis is drawn around 0.
    """
    low, high = min(row[2].low for row in rows), max(row[2].high for row in rows)
    if around_zero:
        low, high = min(low, -0.01), max(high, 0.01)
    room = max(0.02, 0.08 * (high - low))
    low, high = (low - room, high + room) if around_zero else (max(0.0, low - room), min(1.0, high + room))
    values = _even(low, high, percent=True)
    low, high = min(low, values[0]), max(high, values[-1])

    def place(value: float) -> float:
        return round(_LEFT + (WIDTH - _LEFT - _RIGHT) * (value - low) / (high - low), 1)

    whiskers = tuple(
        Whisker(
            _fitting(label),
            kind,
            20 + _ROW_HEIGHT * number,
            place(figure.low),
            place(figure.mean),
            place(figure.high),
            text,
        )
        for number, (label, kind, figure, text) in enumerate(rows)
    )
    ticks = tuple(
        Tick(place(value), _points(value) if around_zero else f"{100 * value:.4g} %") for value in values
    )
    height = 20 + _ROW_HEIGHT * len(rows) + 16
    return WhiskerChart(
        WIDTH, height, _LEFT, WIDTH - _RIGHT, whiskers, ticks, place(0) if around_zero else None
    )


def value_bars(values: Sequence[tuple[str, int]]) -> list[tuple[str, int, tuple[Piece, ...]]]:
    """Value, count and bar of each; the longest fills the line."""
    most = max((count for _, count in values), default=0)
    return [(value, count, stacked([("kept", count)], most)) for value, count in values]


def share_bars(counts: Mapping[str, int]) -> tuple[Piece, ...]:
    """Shares of train, dev and test in one bar."""
    return stacked(counts.items(), sum(counts.values()))


def _scaled(value: float, low: float, high: float) -> float:
    return round(WIDTH * (value - low) / (high - low), 1)


def _even(low: float, high: float, *, percent: bool = False) -> list[float]:
    """About five round numbers from `low` to `high`."""
    span = high - low
    power = 10.0 ** math.floor(math.log10(span / 5))
    step = next(factor * power for factor in (1, 2, 5, 10) if span / (factor * power) <= 6)
    step = max(step, 0.01) if percent else step
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [number * step for number in range(first, last + 1)] or [low]


def _figure(value: float) -> str:
    rounded = round(value, 10)
    return f"{rounded:,.0f}" if abs(rounded) >= 1000 else f"{rounded:.4g}"


def _points(value: float) -> str:
    rounded = round(100 * value, 6)
    return "0" if rounded == 0 else f"{rounded:+.4g}"


def _fitting(label: str) -> str:
    return label if len(label) <= _LABEL_CHARACTERS else label[: _LABEL_CHARACTERS - 1] + "…"
