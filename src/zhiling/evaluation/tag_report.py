"""The report of an arm's tags, in the layout of a classification report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from zhiling.evaluation.metrics.labels import counted_by
from zhiling.evaluation.metrics.tags import OfTags
from zhiling.pipeline.registry import load


def reports_tags(metrics: Sequence[str]) -> bool:
    """Whether scores per label, of an evaluation with these metrics, are scores of tags."""
    counted = counted_by([load("metric", name)() for name in metrics], ())
    return counted is not None and issubclass(counted, OfTags)


def tag_report(scores: dict[str, Any], arm: str) -> list[tuple[str | float, ...]]:
    """Precision, recall, F1 and number of words of each tag that is true somewhere, then their averages.

    Micro: of all words, where the three are the share of right words. Macro: each tag counts the same.
    Weighted: as often as it is true. Means over the seeds.
    """
    tags: dict[str, tuple[float, ...]] = {
        name: (each["n"], *(each["arms"][arm][key] for key in ("precision", "recall", "f1")))
        for name, each in scores["per_label"].items()
    }
    words = sum(size for size, *_ in tags.values())
    # every word has one tag, so the right words are the recalled ones
    right = sum(size * recall for size, _, recall, _ in tags.values()) / words
    macro = [sum(values[column] for values in tags.values()) / len(tags) for column in (1, 2, 3)]
    weighted = [sum(each[0] * each[column] for each in tags.values()) / words for column in (1, 2, 3)]
    return [
        *((name, *figures, size) for name, (size, *figures) in tags.items()),
        ("micro average", right, right, right, words),
        ("macro average", *macro, words),
        ("weighted average", *weighted, words),
    ]
