"""What the pages show, gathered from a run's folder: plain values, no words and no markup."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from zhiling.adversarial.guards.rounds import Round
from zhiling.adversarial.guards.rules import Alarm
from zhiling.workflow.contamination import Contamination
from zhiling.workflow.report.model_facts import BehaviourFacts, EvaluationFacts


@dataclass(frozen=True)
class Excerpt:
    """A row as the pages show it.

    Attributes:
        turns: role and text of each message, texts cut to a bound.
        cut: characters left out of each text.
    """

    id: str
    place: str
    label: str
    split: str
    turns: tuple[tuple[str, str], ...]
    cut: tuple[int, ...]


@dataclass(frozen=True)
class Example:
    """A row with what a step said of it, and beside it the row that explains that.

    Attributes:
        related: as the ledger says it; its row, where this run holds it, is `beside`.
        detail: the last lines of a failure's message and traceback.
        withheld: the row's text and detail are left out, since the step took personal data out of it.
    """

    row: Excerpt
    score: float | None
    related: str
    beside: Excerpt | None
    detail: str
    withheld: bool


@dataclass(frozen=True)
class Reason:
    """Why rows left (or were flagged, or sent to review) at a step, with some of them.

    Attributes:
        verdict: reject, failed, replaced, flag, review, attempt or made.
        name: the reason or failure class; empty where the verdict needs none.
    """

    verdict: str
    name: str
    count: int
    examples: tuple[Example, ...]


@dataclass(frozen=True)
class Histogram:
    """Counts of a number in bins of equal width; stacked where there are several series.

    Attributes:
        low: left edge of the first bin.
        high: right edge of the last bin.
        series: name → count per bin.
        bounds: setting → its value, drawn as a line.
        beyond: values outside of low to high, counted in the outer bins.
    """

    low: float
    high: float
    series: Mapping[str, tuple[int, ...]]
    bounds: Mapping[str, float] = field(default_factory=dict[str, float])
    beyond: int = 0


@dataclass(frozen=True)
class Column:
    """What a step measured in one column: a histogram of numbers, or the most frequent values."""

    name: str
    histogram: Histogram | None
    values: tuple[tuple[str, int], ...]
    distinct: int


@dataclass(frozen=True)
class Quarter:
    """A quarter of the rows by length in tokens, both ends included, and their median score."""

    shortest: int
    longest: int
    rows: int
    median: float


@dataclass(frozen=True)
class LengthBias:
    """How far a quality score follows length.

    Attributes:
        part: what the score ranks: reply or question.
        correlation: rank correlation (Spearman) of score and length in tokens, -1 to 1.
        rows: how many were scored.
        quarters: the rows in four parts by length; fewer where many have the same one.
    """

    part: str
    correlation: float
    rows: int
    quarters: tuple[Quarter, ...]


@dataclass(frozen=True)
class RoundFacts:
    """One round of an adversarial loop, and the guards that rang in it."""

    figures: Round
    alarms: tuple[Alarm, ...]


@dataclass(frozen=True)
class StepFacts:
    """One line of the recipe; rounds of `repeat` are added up.

    Attributes:
        seen: rows that it judged or read; the others passed by.
        counts: kept, rejected, failed, replaced, made, attempts.
        standing: rows kept after it.
        standing_before: rows kept before it.
        settings: as resolved; `given` names those that the recipe sets.
        contamination: which evaluation texts removed rows, and what chance would remove, of `decontaminate`.
        length: how far the score of a measure of quality follows length.
        guarded: the rounds of an adversarial loop.
    """

    id: str
    use: str
    kind: str
    seen: int
    counts: Mapping[str, int]
    standing_before: int
    standing: int
    seconds: float
    reused: int
    rounds: int
    key: str
    settings: Mapping[str, Any]
    given: frozenset[str]
    reasons: tuple[Reason, ...]
    scores: Histogram | None
    columns: tuple[Column, ...]
    contamination: Contamination | None = None
    length: LengthBias | None = None
    guarded: tuple[RoundFacts, ...] = ()


@dataclass(frozen=True)
class SourceFacts:
    """One source: rows read, items that could not be read."""

    id: str
    use: str
    rows: int
    bad: int
    seconds: float
    reused: int
    key: str
    settings: Mapping[str, Any]
    given: frozenset[str]


@dataclass(frozen=True)
class RowFacts:
    """The exported rows: how they spread, and some of them.

    Attributes:
        tables: language, task, source, label → most frequent values with counts.
        distinct: number of values of each of these.
        lengths: question and reply → histogram of tokens (words; characters of Chinese).
        parts: rows per split part.
        sample: some rows, drawn by id, so that the same run shows the same ones.
    """

    exported: int
    material: int
    waiting: int
    tables: Mapping[str, tuple[tuple[str, int], ...]]
    distinct: Mapping[str, int]
    lengths: Mapping[str, Histogram]
    parts: Mapping[str, int]
    sample: tuple[Excerpt, ...]


@dataclass(frozen=True)
class LicenceFacts:
    """Rows of one source under one licence (empty: none stated)."""

    source: str
    licence: str
    rows: int
    exported: int


@dataclass(frozen=True)
class BadItem:
    """An item of a source that could not be read."""

    source: str
    place: str
    cls: str
    message: str
    excerpt: str


@dataclass(frozen=True)
class BadFacts:
    """All items that could not be read: how many per source and class, and the first of them."""

    count: int
    classes: tuple[tuple[str, str, int], ...]
    items: tuple[BadItem, ...]


@dataclass(frozen=True)
class DiversityLine:
    """The rows that stood after a step, measured on a sample.

    Attributes:
        id: the step; empty: as the sources gave them.
        rows: how many stood there.
        figures: name of a measure → its value; None where it cannot be told. Empty: too few rows.
    """

    id: str
    rows: int
    figures: Mapping[str, float | None]


@dataclass(frozen=True)
class DiversityCells:
    """Exported rows of one task and language by length.

    Attributes:
        counts: rows per length, in the order of `DiversityFacts.lengths`.
        reference_counts: the same of the reference; all 0 without one.
    """

    task: str
    language: str
    rows: int
    counts: tuple[int, ...]
    reference_rows: int
    reference_counts: tuple[int, ...]


@dataclass(frozen=True)
class DiversityFacts:
    """How diverse the rows are from stage to stage, beside a reference.

    Attributes:
        size: rows of every sample; 0 where nothing could be measured.
        encoder: name of the encoder that made the vectors.
        given: whether the recipe names it; otherwise n-grams are hashed.
        lines: the rows of the sources, then those after each step that changed them.
        reference: the figures of the reference; None where there is none.
        reference_name: the file, as the recipe names it; empty: none is named.
        problem: why the reference or the vectors could not be had; empty: they could.
        cells: task × language × length of the exported rows, the largest first, and how many there are.
    """

    size: int
    encoder: str
    given: bool
    lines: tuple[DiversityLine, ...]
    reference: DiversityLine | None
    reference_name: str
    problem: str
    lengths: tuple[str, ...]
    cells: tuple[DiversityCells, ...]
    distinct_cells: int


@dataclass(frozen=True)
class CallsFacts:
    """What model calls were expected to take, and took: calls, tokens and usd by name.

    Attributes:
        estimate: low, likely and high of each; empty where the run began before there was one.
        spent: what came; of calls that have no answer, the most that they can cost.
    """

    estimate: Mapping[str, Sequence[float]]
    spent: Mapping[str, float]


@dataclass(frozen=True)
class ReportFacts:
    """Everything that the pages show of one run."""

    run: str
    state: str
    seed: int
    usd: float
    calls: CallsFacts | None
    counts: Mapping[str, Any]
    gates: Sequence[Mapping[str, Any]]
    sources: tuple[SourceFacts, ...]
    steps: tuple[StepFacts, ...]
    rows: RowFacts
    diversity: DiversityFacts
    split: Mapping[str, Any] | None
    exports: Sequence[Mapping[str, Any]]
    train: Mapping[str, Any] | None
    evaluation: EvaluationFacts | None
    behaviour: BehaviourFacts | None
    bad: BadFacts
    licences: tuple[LicenceFacts, ...]
    recipe: str
    versions: Mapping[str, str]
    host: Mapping[str, Any]
