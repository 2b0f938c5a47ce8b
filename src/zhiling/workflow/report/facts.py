"""What the pages show, gathered from a run's folder: plain values, no words and no markup."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from zhiling.workflow.contamination import Contamination


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
class Interval:
    """A figure with its 95 % interval, in [0, 1] or, as a difference, in [-1, 1]."""

    mean: float
    low: float
    high: float
    lower_is_better: bool = False

    @property
    def verdict(self) -> str:
        """What an interval of a difference says: better, worse, or no_difference where 0 lies inside."""
        words = ("worse", "better") if self.lower_is_better else ("better", "worse")
        return words[0] if self.low > 0 else words[1] if self.high < 0 else "no_difference"


Scores = Mapping[str, Mapping[str, Interval]]
"""Arm or pair of arms → metric → figure."""


@dataclass(frozen=True)
class LabelRow:
    """One label: test rows, and F1 of each arm."""

    label: str
    n: int
    f1: Mapping[str, float]


@dataclass(frozen=True)
class ChangedRow:
    """A test row that came out differently after tuning on the run's rows."""

    text: str
    cut: int
    language: str
    truth: str
    answers: Mapping[str, str]


@dataclass(frozen=True)
class EvaluationFacts:
    """Before · control · after on the same test rows.

    Attributes:
        languages: language → test rows, scores, differences.
        changed: better, same, worse → number of rows.
        rows: better, worse → some of them.
        mcnemar: pair of arms → rows that only one of the two has right, and p.
        groups: how many groups of rows were drawn for the intervals; None where rows were.
        tags: of the last arm, precision, recall, F1 and words of each tag and their averages.
    """

    n: int
    seeds: tuple[int, ...]
    arms: Scores
    differences: Scores
    unscored: Mapping[str, int]
    labels: tuple[LabelRow, ...]
    languages: Mapping[str, tuple[int, Scores, Scores]]
    changed: Mapping[str, int]
    rows: Mapping[str, Sequence[ChangedRow]]
    mcnemar: Mapping[str, Mapping[str, Any]] = field(default_factory=dict[str, Mapping[str, Any]])
    groups: int | None = None
    tags: Sequence[Sequence[Any]] = ()


@dataclass(frozen=True)
class ShadedPiece:
    """A word or n-gram with what it adds to an answer's score, and its shade: −4 (against) to 4 (for).

    Attributes:
        gap: what stands before it: nothing, a space, or a line's end where the second text of a pair begins.
    """

    text: str
    score: float
    shade: int
    gap: str = ""


@dataclass(frozen=True)
class ExplainedAnswer:
    """An answer, the words that speak for it, and the training rows nearest to it.

    Attributes:
        note: why there is no attribution.
        explained: what the figures are of; figures: score, baseline, ngrams_total, gap.
        cut: whether the encoder reads only the text's beginning.
    """

    text: str
    language: str
    truth: str
    answer: str
    right: bool
    score: float
    note: str
    explained: str
    figures: Mapping[str, float]
    words: tuple[ShadedPiece, ...]
    ngrams: tuple[ShadedPiece, ...]
    cut: bool
    nearest: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True)
class SliceFacts:
    """A slice of errors; mistakes are (truth, answer, rows)."""

    rows: int
    rate: Interval
    p: float
    terms: tuple[str, ...]
    mistakes: tuple[tuple[str, str, int], ...]
    examples: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True)
class SwapFacts:
    """One kind of swap in one language, on test rows or templates."""

    kind: str
    language: str
    on: str
    originals: int
    pairs: int
    flips: Mapping[str, Interval]
    shift: Mapping[str, Interval]
    added: Interval | None
    examples: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True)
class BehaviourFacts:
    """How the tuned model behaves.

    Attributes:
        looked: whether slices were looked for; rows, of: in how many rows of how many.
        tried: clusters that were tested.
        looked_through: training rows that were compared, of `train_rows`.
        swapped: whether texts were to be swapped; refused: why none was.
        ambiguous: inputs that grammar kept from being swapped.
    """

    looked: bool
    rows: int
    of: int
    rate: float
    tried: int
    slices: tuple[SliceFacts, ...]
    answers: tuple[ExplainedAnswer, ...]
    train_rows: int
    looked_through: int
    swapped: bool
    refused: str
    swaps: tuple[SwapFacts, ...]
    ambiguous: int


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
class ReportFacts:
    """Everything that the pages show of one run."""

    run: str
    state: str
    seed: int
    usd: float
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
