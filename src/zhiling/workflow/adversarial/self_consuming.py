"""The control that must collapse: a model that learns from nothing but what it wrote the round before.

If the guards do not stop it, nothing that they let pass elsewhere means anything.

Source: Shumailov et al. 2024, AI models collapse when trained on recursively generated data; Witten & Bell
1991 (how much weight the lower order gets).
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from zhiling.adversarial.guards.copies import copied
from zhiling.adversarial.guards.rounds import Round
from zhiling.adversarial.guards.rules import COLLAPSE, Alarm, alarms
from zhiling.adversarial.guards.spread import spread
from zhiling.workflow.adversarial.bench import Bench, Written
from zhiling.workflow.adversarial.student import answers

ROUNDS = 5
TEMPERATURE = 0.8
MOST_TEXTS, LEAST_TEXTS = 1000, 40
LONGEST = 60
_DRAW = 13
_UNIT = re.compile(r"[\u3400-\u9fff]|[^\s\u3400-\u9fff]+\s*|\s+")
_END = "\0"

Rows = list[tuple[str, str]]
Continuations = tuple[list[str], NDArray[np.float64]]


class NgramModel:
    """A trigram model of words (Chinese: characters) behind a label, sampled cool.

    Args:
        rows: texts and labels; a label stands in the place of the two units before a text.
    """

    def __init__(self, rows: Rows) -> None:
        self._counts: defaultdict[tuple[str, ...], Counter[str]] = defaultdict(Counter)
        self._known: dict[tuple[str, str], Continuations] = {}
        for text, label in rows:
            units = [f"{_END}{label}"] * 2 + _UNIT.findall(text) + [_END]
            for place in range(2, len(units)):
                for size in (1, 2):
                    self._counts[tuple(units[place - size : place])][units[place]] += 1

    def text(self, label: str, rng: np.random.Generator) -> str:
        """A text for a label that was learnt, at most 60 units long."""
        units: list[str] = []
        before = (f"{_END}{label}", f"{_END}{label}")
        while len(units) < LONGEST:
            words, ends = self._continuations(before)
            unit = words[min(int(np.searchsorted(ends, rng.random())), len(words) - 1)]
            if unit == _END:
                break
            units.append(unit)
            before = (before[1], unit)
        return "".join(units)

    def _continuations(self, before: tuple[str, str]) -> Continuations:
        """Units that can follow, and their cumulative probabilities."""
        if before not in self._known:
            seen, lower = self._counts[before], self._counts[before[1:]]
            own = seen.total() / (seen.total() + len(seen))
            chances = {unit: (1 - own) * times / lower.total() for unit, times in lower.items()}
            for unit, times in seen.items():
                chances[unit] += own * times / seen.total()
            cooled = np.array(list(chances.values())) ** (1 / TEMPERATURE)
            self._known[before] = list(chances), np.cumsum(cooled / cooled.sum())
        return self._known[before]


def self_consuming(bench: Bench) -> Written:
    """The rows of the last round, and the guard that stopped the rounds first.

    Each round writes as many rows as there are real texts (1,000 at most); lines get the labels that the
    known rows' student gives them. The student learns from these rows alone.
    """
    real = _real(bench)
    rng = np.random.default_rng([bench.seed, _DRAW])
    rounds: list[Round] = []
    rows, first = real, None
    for number in range(1, ROUNDS + 1):
        rows = _written(rows, rng)
        rounds.append(_figures(number, rows, real, bench))
        first = first or _stopped(rounds, bench)
    made = pl.DataFrame(rows, schema={"text": pl.String, "label": pl.String}, orient="row")
    return Written(made, alone=True, alarm=first)


def _real(bench: Bench) -> Rows:
    """Known rows and lines, each with a label."""
    lines = bench.lines.to_frame("text").sort("text")
    told = pl.Series("label", answers(bench.known, lines["text"], bench.encoder), dtype=pl.String)
    whole = pl.concat([bench.known.sort("text", "label"), lines.with_columns(told)])
    order = np.random.default_rng([bench.seed, _DRAW, 1]).permutation(whole.height)
    return list(whole[np.sort(order[:MOST_TEXTS])].iter_rows())


def _written(rows: Rows, rng: np.random.Generator) -> Rows:
    """As many rows for the same labels; a text without a visible character is none."""
    model = NgramModel(rows)
    places: list[int] = rng.integers(len(rows), size=len(rows)).tolist()
    drawn = [rows[place][1] for place in places]
    texts = [(model.text(label, rng), label) for label in drawn]
    return [(text, label) for text, label in texts if text.strip()]


def _figures(number: int, rows: Rows, real: Rows, bench: Bench) -> Round:
    """What the guards of the rows themselves measure; without dev rows nothing is said of their use."""
    made, theirs = (pl.Series([text for text, _ in each]) for each in (rows, real))
    vectors = bench.encoder.encode(made.to_list()), bench.encoder.encode(theirs.to_list())
    return Round(
        number, len(made), utility=0, anchors=0, copied=copied(made, theirs),
        spread=spread(made, theirs, vectors, bench.seed + number),
    )  # fmt: skip


def _stopped(rounds: Sequence[Round], bench: Bench) -> Alarm | None:
    """The first guard of collapse that stops the rounds."""
    rung = alarms(rounds, bench.block.settings.guards)
    return next((each for each in rung if each.guard in COLLAPSE and each.follows == "stop"), None)
