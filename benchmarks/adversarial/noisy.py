"""adversarial.2: logs as they are: few lines of most labels, lines of no label, known rows that are wrong.

    OMP_NUM_THREADS=1 python benchmarks/adversarial/noisy.py [dev] [SET ...]

Of each label five rows are known, and a tenth of all known rows has the label of another one. The lines are
long-tailed: of the label of rank r (ranks are drawn) as many as the most frequent one has, over r to the
power .8, two at least; a fifth of all lines comes from the other set and has none of the labels. Arms and
student are those of `few_shot.py`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from few_shot import DATA, PER_ROUND, ROUNDS, SEEDS, SETS, SHOTS, Arms, Found, Labelled, drawn, loop, parts
from frozen import Frozen
from record import record, row

WRONG, OUTSIDE = 0.1, 0.2
SLOPE, LEAST = 0.8, 2
NOBODY = ""
"""The true label of a line from the other set."""
GENERATOR = {"use": "label_propagation", "features": "both", "confidence": 0}
T4 = 2.776
"""Of Student's t with 4 degrees of freedom, 95 % within."""


def long_tailed(lines: Labelled, seed: int) -> Labelled:
    """Lines of each label, fewer the lower its rank."""
    draws = np.random.default_rng([seed, 1])
    labels = sorted({label for _, label in lines})
    ranks = dict(zip(labels, draws.permutation(len(labels)).tolist(), strict=True))
    most = max(sum(label == each for _, each in lines) for label in labels)
    left = {label: max(LEAST, round(most * (rank + 1) ** -SLOPE)) for label, rank in ranks.items()}
    kept: Labelled = []
    for place in draws.permutation(len(lines)).tolist():
        text, label = lines[place]
        left[label] -= 1
        if left[label] >= 0:
            kept.append((text, label))
    return kept


def with_strangers(lines: Labelled, others: Labelled, seed: int) -> Labelled:
    """The lines, and so many of the other set that these are a fifth of all."""
    draws = np.random.default_rng([seed, 2])
    count = round(len(lines) * OUTSIDE / (1 - OUTSIDE))
    chosen = draws.permutation(len(others))[:count].tolist()
    known = {text for text, _ in lines}
    return [*lines, *((others[each][0], NOBODY) for each in chosen if others[each][0] not in known)]


def with_errors(known: Labelled, seed: int) -> Labelled:
    """The known rows, a tenth of which has another row's label."""
    draws = np.random.default_rng([seed, 3])
    labels = sorted({label for _, label in known})
    wrong = set(draws.permutation(len(known))[: round(WRONG * len(known))].tolist())
    told: Labelled = []
    for place, (text, label) in enumerate(known):
        others = [each for each in labels if each != label]
        told.append((text, others[int(draws.integers(len(others)))] if place in wrong else label))
    return told


class NoisyArms(Arms):
    """The arms that matter here."""

    def run(self) -> dict[str, dict[str, float]]:
        """Accuracy, rows, share of right labels and CPU seconds of each arm."""
        looped = self._told("loop", lambda: self._steps(loop([GENERATOR], ROUNDS, PER_ROUND)))
        self._told("filter once", lambda: self._steps(loop([GENERATOR], 1, PER_ROUND)))
        self._told("known rows", list)
        self._told("label propagation", lambda: self._steps([self._step("label_propagation")]))
        self._told("all labels propagated", lambda: self._steps([{"id": "all", **GENERATOR}]))
        inside = [(text, label) for text, label in self.hidden if label != NOBODY]
        self._told("true labels", lambda: self._some(inside, len(looped)))
        return self.found


def figures(name: str, found: Sequence[Found], scored: int) -> Iterator[dict[str, Any]]:
    """The loop less the filter once."""
    mean = {
        arm: {key: float(np.mean([each[arm][key] for each in found])) for key in told}
        for arm, told in found[0].items()
    }
    beside = {arm: round(told["accuracy"], 4) for arm, told in mean.items()}
    beside |= {
        f"{arm}, {key}": round(mean[arm][key], 3)
        for arm in ("loop", "filter once", "label propagation")
        for key in ("rows", "right", "cpu_s")
    }
    leads = [each["loop"]["accuracy"] - each["filter once"]["accuracy"] for each in found]
    middle, spread = float(np.mean(leads)), T4 * float(np.std(leads, ddof=1)) / len(leads) ** 0.5
    yield row(
        f"adversarial.2{'ab'[SETS.index(name)]}",
        f"the loop less a filter once, {name}, long-tailed and noisy logs",
        round(middle, 4), 0.02, "higher", low=round(middle - spread, 4), high=round(middle + spread, 4),
        n=scored, unit="accuracy", data=name, beside=beside,
        note="mean of five draws, 95 % interval over draws; the student is that of adversarial.1",
    )  # fmt: skip


def main() -> None:
    """Measures and records each set."""
    if not DATA.exists():
        raise SystemExit(f"{DATA} is not here: nothing can be measured")
    dev = sys.argv[1:2] == ["dev"]
    for name in sys.argv[1 + dev :] or SETS:
        pool, scored = parts(name, "dev" if dev else "test")
        others, _ = parts(SETS[1 - SETS.index(name)], "dev")
        found: list[Found] = []
        for seed in SEEDS[:2] if dev else SEEDS:
            known, lines = drawn(pool, SHOTS, seed)
            lines = with_strangers(long_tailed(lines, seed), others, seed)
            print(name, seed, len(known), len(lines), len(scored), file=sys.stderr, flush=True)
            found.append(NoisyArms(with_errors(known, seed), lines, scored, seed).run())
            Frozen.save()
        if not dev:
            print(record("adversarial", list(figures(name, found, len(scored)))), file=sys.stderr)


if __name__ == "__main__":
    main()
