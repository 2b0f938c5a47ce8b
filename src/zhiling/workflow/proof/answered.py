"""Answers of a model as a table that is stored, and as what arms are compared by."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from zhiling.evaluation.answered import Told
from zhiling.evaluation.metrics.metric import Probabilities
from zhiling.evaluation.scores import TestRows
from zhiling.training import Examples, Predictions

STORED = {"id": pl.String, "label": pl.String, "score": pl.Float64, "scores": pl.List(pl.Float32)}


def answers_frame(ids: tuple[str, ...], predicted: Predictions) -> pl.DataFrame:
    """`id`, `label` (the answer), `score` (how sure of it), `scores` of all classes, null without classes."""
    scores = predicted.scores.tolist() if predicted.classes else [None] * len(ids)
    columns = {"id": ids, "label": predicted.answers, "score": predicted.best_scores, "scores": scores}
    return pl.DataFrame(columns, schema=STORED)


def told_of(frame: pl.DataFrame, classes: Sequence[str]) -> Told:
    """The answers of a stored table.

    Args:
        frame: see `answers_frame`.
        classes: the columns of its scores; none where the task has none.
    """
    scores = np.array(frame["scores"].to_list(), dtype=np.float64) if classes else None
    sure = Probabilities(frame["score"].to_numpy().astype(np.float64), scores, tuple(classes))
    return Told(frame["label"].to_list(), sure)


def test_rows(tested: Examples) -> TestRows:
    """Examples as rows that arms are compared on; one without a group is a group of its own."""
    groups = tuple(group or id for group, id in zip(tested.groups, tested.ids, strict=True))
    sources = tuple(source or "" for source in tested.sources)
    return TestRows(
        tested.ids, tested.texts, tested.targets, tested.languages, groups, sources if any(sources) else ()
    )
