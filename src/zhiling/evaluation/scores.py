"""The result of an evaluation as values, and as the JSON that `zhiling evaluate --json` prints."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from zhiling.errors import UsageError

Verdict = Literal["better", "worse", "no difference"]


@dataclass(frozen=True)
class TestRows:
    """The rows that all arms answer, in columns of equal length."""

    __test__ = False

    ids: tuple[str, ...]
    texts: tuple[str, ...]
    truth: tuple[str, ...]
    languages: tuple[str, ...]
    groups: tuple[str, ...] = ()
    """The conversation or document of each row; none: each row stands alone."""
    sources: tuple[str, ...] = ()
    """Where each row comes from; none: not known."""

    def __post_init__(self) -> None:
        lengths = {len(self.ids), len(self.texts), len(self.truth), len(self.languages)}
        lengths |= {len(column) for column in (self.groups, self.sources) if column}
        if len(lengths) != 1:
            raise UsageError(f"ids, texts, truth and languages must have one length, got {sorted(lengths)!r}")

    def take(self, places: Sequence[int]) -> TestRows:
        """Some of the rows, in the order given."""
        return TestRows(
            *(
                tuple(column[place] for place in places) if column else ()
                for column in (self.ids, self.texts, self.truth, self.languages, self.groups, self.sources)
            )
        )

    @property
    def clusters(self) -> tuple[str, ...] | None:
        """The groups where any holds two rows; None where each row stands alone."""
        return self.groups if len(set(self.groups)) < len(self.groups) else None

    def __len__(self) -> int:
        """Number of rows."""
        return len(self.ids)


@dataclass(frozen=True)
class Interval:
    """A score with its 95 % interval."""

    mean: float
    """Over the seeds, on the test rows as they are."""
    low: float
    """2.5th percentile of the resamples."""
    high: float
    """97.5th percentile of the resamples."""


@dataclass(frozen=True)
class Difference(Interval):
    """How much higher one arm scores than another."""

    verdict: Verdict
    """"no difference" where 0 lies inside the interval."""


@dataclass(frozen=True)
class LabelScore:
    """One arm on one label, as means over the seeds, each in [0, 1]."""

    precision: float
    recall: float
    f1: float


@dataclass(frozen=True)
class LabelScores:
    """All arms on one label."""

    n: int
    """Test rows with this label."""
    arms: Mapping[str, LabelScore]


@dataclass(frozen=True)
class McNemar:
    """McNemar's test of an arm beside another, see `statistics.mcnemar`."""

    arm_only: int
    """Rows that only the arm has right."""
    other_only: int
    """Rows that only the other has right."""
    p: float
    """How likely so uneven a split is where both are equally good, two-sided."""


@dataclass(frozen=True)
class SliceScores:
    """All arms on some of the rows."""

    n: int
    arms: Mapping[str, Mapping[str, Interval]]
    """Arm → metric → score; an arm without the probabilities that a metric needs has no such score."""
    differences: Mapping[str, Mapping[str, Difference]]
    """"after-control" → metric → difference."""


@dataclass(frozen=True)
class Changed:
    """Rows by what became of them from one arm to another, by the majority over the seeds."""

    better: int
    same: int
    worse: int


@dataclass(frozen=True)
class Scores:
    """All arms on all rows, per label and per language."""

    n: int
    """Rows that every arm and seed answered: only those are compared."""
    unscored: Mapping[str, int]
    """Arm → rows without an answer from at least one seed. They are left out, never counted as wrong."""
    seeds: tuple[int, ...]
    arms: Mapping[str, Mapping[str, Interval]]
    differences: Mapping[str, Mapping[str, Difference]]
    per_label: Mapping[str, LabelScores]
    per_language: Mapping[str, SliceScores]
    changed: Changed | None
    """From control to after; None where one of the two arms is missing."""
    mcnemar: Mapping[str, McNemar] = field(default_factory=dict[str, McNemar])
    """"after-control" → the test of the answers of most seeds; right is what scores 1 by the first metric."""
    groups: int | None = None
    """How many groups were drawn instead of rows for every interval; None where rows were."""
    lower_is_better: tuple[str, ...] = ()
    """Metrics of which 0 is best."""

    def as_json(self) -> dict[str, object]:
        """The object of `evaluation/scores.json`: plain dicts, lists, numbers and strings."""
        values = dataclasses.asdict(self)
        return {**values, "seeds": list(self.seeds), "lower_is_better": list(self.lower_is_better)}


def verdict(low: float, high: float) -> Verdict:
    """What an interval of a difference says. Anchors: (-.01, .02) "no difference"; (.01, .02) "better"."""
    if low > 0:
        return "better"
    return "worse" if high < 0 else "no difference"
