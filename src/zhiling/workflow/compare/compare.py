"""Two models side by side on the same rows: what became better or worse, and in which parts of the rows."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import polars as pl

from zhiling.evaluation import compare_arms
from zhiling.evaluation.answered import Told
from zhiling.evaluation.scores import Changed, Scores, SliceScores
from zhiling.workflow.compare.sides import Side

FIRST, SECOND = "A", "B"
LENGTHS = (20, 50, 100, 200, 500)
"""In characters: where one bucket ends and the next begins."""
MOST_LABELS = 30
METRICS: dict[str, tuple[str, ...]] = {
    '{"labels"': ("micro_f1", "macro_f1"),
    '{"spans"': ("entity_f1", "entity_macro_f1"),
    '{"relations"': ("triple_f1", "triple_macro_f1"),
    '{"answers"': ("exact_match", "answer_f1"),
    '{"choice"': ("accuracy",),
}
"""By the beginning of a truth: what is measured where nothing is asked for."""
RANKED = ("mrr", "recall_at_1")
LABELLED = ("accuracy", "macro_f1")


@dataclass(frozen=True)
class Row:
    """A row that the two sides answer differently well, in words."""

    id: str
    text: str
    language: str
    truth: str
    answers: Mapping[str, str]


@dataclass(frozen=True)
class SideBySide:
    """What `side_by_side` found.

    Attributes:
        names: A and B as they were given.
        scores: of both; the difference is that of B to A.
        slices: label, language, length (in characters) or source → value → scores, and how rows changed.
        rows: better and worse → some of the rows that B answers better or worse than A.
        labels_left_out: labels that have no slice, as they are too many: how many.
    """

    names: Mapping[str, str]
    scores: Scores
    slices: Mapping[str, Mapping[str, tuple[SliceScores, Changed]]]
    rows: Mapping[str, tuple[Row, ...]]
    labels_left_out: int

    def as_dict(self) -> dict[str, Any]:
        """Plain dicts and lists, for JSON."""
        return {
            "names": dict(self.names),
            **self.scores.as_json(),
            "slices": {
                kind: {
                    value: {**dataclasses.asdict(scores), "changed": dataclasses.asdict(changed)}
                    for value, (scores, changed) in parts.items()
                }
                for kind, parts in self.slices.items()
            },
            "rows": {kind: [dataclasses.asdict(row) for row in rows] for kind, rows in self.rows.items()},
            "labels_left_out": self.labels_left_out,
        }


def side_by_side(
    first: Side, second: Side, *, metrics: Sequence[str] = (), examples: int = 5, resamples: int = 2000
) -> SideBySide:
    """B beside A on the same rows.

    Args:
        first: A.
        second: B.
        metrics: names; unset: what fits the truth.
        examples: how many better and worse rows are told, each.
        resamples: of the bootstrap.

    Raises:
        UsageError: the two do not answer the same rows, or no row has an answer of both.
        UnknownName: no metric has this name.
    """
    rows, other = first.rows, second.aligned(first)
    found = compare_arms(
        {FIRST: {0: first.told}, SECOND: {0: other}},
        rows,
        metrics=metrics or fitting(rows.truth, first.told),
        pairs=[(SECOND, FIRST)],
        resamples=resamples,
    )
    labels, left_out = _labels(rows.truth)
    kinds = {
        "label": labels,
        "language": rows.languages,
        "length": [length_of(text) for text in rows.texts],
        "source": rows.sources,
    }
    return SideBySide(
        names={FIRST: first.name, SECOND: second.name},
        scores=found.scores,
        slices={kind: found.slices(values) for kind, values in kinds.items() if values},
        rows={kind: tuple(islice(_rows(found.rows, first, kind), examples)) for kind in ("better", "worse")},
        labels_left_out=left_out,
    )


def fitting(truth: Sequence[str], told: Told) -> tuple[str, ...]:
    """The metrics that fit these truths, by their shape."""
    start = next((start for start in METRICS if truth and truth[0].startswith(start)), None)
    if start == '{"answers"':
        ranking = any('"score"' in (answer or "") for answer in told.answers)
        return RANKED if ranking else METRICS[start]
    if start is not None:
        return METRICS[start]
    return ("pearson", "r_squared") if _are_numbers(truth) else LABELLED


def _are_numbers(truth: Iterable[str]) -> bool:
    """Whether truths are numbers, not labels that are called 1, 2, 3: one has a fraction."""
    values = set(truth)
    try:
        numbers = [float(value) for value in values]
    except ValueError:
        return False
    return bool(numbers) and any("." in value for value in values)


def length_of(text: str) -> str:
    """The bucket of a text: `20–49` characters."""
    low = max((edge for edge in LENGTHS if len(text) >= edge), default=0)
    high = next((edge for edge in LENGTHS if len(text) < edge), None)
    return f"{low}+" if high is None else f"{low}–{high - 1}"


def _labels(truth: Sequence[str]) -> tuple[list[str], int]:
    """The label of each row, "" where it has no slice: a rare one, several, or none at all."""
    labels = ["" if each.startswith("{") else each for each in truth]
    if _are_numbers(label for label in labels if label) or not any(labels):
        return [], 0
    counts = Counter(label for label in labels if label)
    kept = {label for label, _ in counts.most_common(MOST_LABELS)}
    return [label if label in kept else "" for label in labels], len(counts) - len(kept)


def _rows(table: pl.DataFrame, side: Side, kind: str) -> Iterable[Row]:
    """The rows of a kind, in words."""
    for row in table.filter(pl.col("change") == kind).iter_rows(named=True):
        answers = {name: side.in_words(row["id"], row[f"predicted.{name}"]) for name in (FIRST, SECOND)}
        yield Row(row["id"], row["text"], row["language"], side.in_words(row["id"], row["truth"]), answers)
