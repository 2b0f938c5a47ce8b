"""What the pages show of a model: its scores, and how it behaves; plain values, no words and no markup."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


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
