"""What the arms' answers say: accuracy with intervals, differences to the controls, diversity, cost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray

from zhiling.adversarial.guards.rules import Alarm
from zhiling.curation.diversity_measures import distinct_n, vendi_score
from zhiling.evaluation.metrics.metric import Floats, Scorer
from zhiling.evaluation.scores import Difference, Interval
from zhiling.evaluation.statistics import Draw, Resampled, bootstrap
from zhiling.pipeline.step import Encoder
from zhiling.workflow.adversarial.arms import ARMS, CONTROLS, Arm, Kind
from zhiling.workflow.adversarial.trials import SeedTrials, State

RESAMPLES = 2000
COMPARED_ROWS, LEAST_ROWS = 1000, 20
"""Rows of each arm whose diversity is compared: as many of every arm, and of fewer it means nothing."""


@dataclass(frozen=True)
class ArmScore:
    """One line of the table; figures are means over the seeds.

    Attributes:
        arm: its name.
        kind: control, baseline, mode or sweep.
        draws: whether it takes as many rows as it is told.
        state: done where at least one seed was; else failed or left out.
        note: why, and of how many seeds; see `Trial.note`.
        seeds: that were done.
        accuracy: on the test rows, with a 95 % interval over rows (whole groups) and seeds.
        differences: control → accuracy less the control's on the same rows and seeds.
        rows: that the arm made.
        wrong: share of wrong labels among those whose truth is known; None: none is known.
        distinct: distinct-2 of as many rows of every arm; None: too few.
        vendi: Vendi score of the same rows.
        cpu_s: CPU seconds.
        calls: questions to models.
        alarms: of an arm that must be stopped, by seed: the guard that did; None: none did.
    """

    arm: str
    kind: Kind
    draws: bool
    state: State
    note: str = ""
    seeds: int = 0
    accuracy: Interval | None = None
    differences: Mapping[str, Difference] = field(default_factory=dict[str, Difference])
    rows: float = 0
    wrong: float | None = None
    distinct: float | None = None
    vendi: float | None = None
    cpu_s: float = 0
    calls: float = 0
    alarms: tuple[Alarm | None, ...] = ()


class Scored:
    """All arms of all seeds.

    Args:
        seeds: what was taken.
        encoder: of the rows whose diversity is measured.
    """

    def __init__(self, seeds: Sequence[SeedTrials], encoder: Encoder) -> None:
        self._seeds, self._encoder = seeds, encoder
        self._known: dict[tuple[int, ...], Resampled] = {}

    def arms(self) -> tuple[ArmScore, ...]:
        """A line an arm, in their order."""
        return tuple(self._score(arm) for arm in ARMS if arm.name in self._seeds[0].trials)

    def _score(self, arm: Arm) -> ArmScore:
        name = arm.name
        trials = [each.trials[name] for each in self._seeds]
        done = [each for each in trials if each.state == "done"]
        missing = next((each for each in trials if each.state != "done"), None)
        note = missing.note if missing else ""
        if not done:
            return ArmScore(name, arm.kind, arm.draws, missing.state if missing else "failed", note)
        judged = sum(each.judged for each in done)
        distinct, vendi = self._diversity(name)
        return ArmScore(
            name, arm.kind, arm.draws, "done", note, len(done),
            accuracy=self._resampled(self._done[name]).interval(name),
            differences=dict(self._differences(name)),
            rows=float(np.mean([each.rows for each in done])),
            wrong=sum(each.wrong for each in done) / judged if judged else None,
            distinct=distinct,
            vendi=vendi,
            cpu_s=float(np.mean([each.cpu_s for each in done])),
            calls=float(np.mean([each.calls for each in done])),
            alarms=tuple(each.alarm for each in done) if arm.kind == "collapse" else (),
        )  # fmt: skip

    def _differences(self, name: str) -> Iterator[tuple[str, Difference]]:
        for control in CONTROLS:
            both = tuple(seed for seed in self._done[name] if seed in self._done.get(control, ()))
            if control != name and both:
                yield control, self._resampled(both).difference(name, control)

    # ---- resampling ----

    @cached_property
    def _done(self) -> Mapping[str, tuple[int, ...]]:
        """Arm → places of the seeds that were done."""
        return {
            name: tuple(at for at, each in enumerate(self._seeds) if each.trials[name].state == "done")
            for name in self._seeds[0].trials
        }

    @cached_property
    def _units(self) -> pl.DataFrame:
        """Every row that some seed tests on, once: `unit`, `owner`, `place`."""
        tested = pl.concat([each.tested.select("unit", "owner") for each in self._seeds])
        return tested.unique("unit", maintain_order=True).with_row_index("place")

    def _resampled(self, seeds: tuple[int, ...]) -> Resampled:
        """The accuracy of the arms that were done with all these seeds.

        Rows are drawn among all that some seed tests on, once for all arms, so differences are paired.
        """
        if seeds not in self._known:
            scorers = {
                name: [self._scorer(name, seed) for seed in seeds]
                for name, done in self._done.items()
                if set(seeds) <= set(done)
            }
            owners = self._units["owner"]
            groups = owners.to_list() if owners.n_unique() < len(owners) else None
            draw = Draw(len(owners), self._seeds[0].seed, RESAMPLES, groups)
            self._known[seeds] = bootstrap(scorers, draw)
        return self._known[seeds]

    def _scorer(self, name: str, seed: int) -> Scorer:
        """The accuracy of one seed's student under weights of all units."""
        trials = self._seeds[seed]
        tested = trials.tested.join(self._units, on="unit", how="left", maintain_order="left")
        places: NDArray[np.int64] = tested["place"].to_numpy().astype(np.int64)
        told = pl.Series(list(trials.trials[name].answers), dtype=pl.String)
        right = (told == tested["label"]).to_numpy().astype(np.float64)

        def score(weights: Floats) -> Floats:
            own = weights[:, places]
            drawn = own.sum(axis=1)
            # of a handful of test rows a resample may hold none of this seed's; all of them stand for it
            own = np.where(drawn[:, None] > 0, own, 1.0)
            return own @ right / own.sum(axis=1)

        return score

    # ---- diversity ----

    @cached_property
    def _compared(self) -> int:
        """As many rows of every arm as that has which made the fewest, but for those with hardly any."""
        counts = [rows.height for each in self._seeds for rows in each.made.values()]
        return min([count for count in counts if count >= LEAST_ROWS] + [COMPARED_ROWS])

    def _diversity(self, name: str) -> tuple[float | None, float | None]:
        """Distinct-2 and Vendi score, means over the seeds with enough rows."""
        found: list[tuple[float, float]] = []
        for each in self._seeds:
            rows = each.made[name]
            if rows.height >= max(self._compared, LEAST_ROWS):
                order = np.random.default_rng([each.seed, rows.height]).permutation(rows.height)
                texts = rows["text"].gather(order[: self._compared])
                found.append((distinct_n(texts, 2), vendi_score(self._encoder.encode(texts.to_list()))))
        if not found:
            return None, None
        distinct, vendi = np.mean(found, axis=0).tolist()
        return distinct, vendi
