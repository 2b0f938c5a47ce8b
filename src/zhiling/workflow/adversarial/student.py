"""The one student of all arms: a logistic regression on the encoder's frozen vectors."""

from __future__ import annotations

import warnings
from typing import Any

import polars as pl

from zhiling.encoders.sparse import require
from zhiling.pipeline.step import Encoder

C, ITERATIONS = 10, 100
"""Inverse of the penalty, and steps at most, as in benchmarks/adversarial: more of them change no answer of
note and take minutes with 150 labels."""


def answers(rows: pl.DataFrame, asked: pl.Series, encoder: Encoder) -> list[str]:
    """The student's label for each text; labels weigh the same, and equal rows give equal answers.

    Args:
        rows: `text` and `label`, two labels or more.
        asked: texts.
        encoder: gives their vectors.
    """
    if not len(asked):
        return []
    linear: Any = require("sklearn.linear_model")
    student = linear.LogisticRegression(C=C, max_iter=ITERATIONS, class_weight="balanced")
    rows = rows.sort("text", "label")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*(?:failed to converge|max_iter).*")
        student.fit(encoder.encode(rows["text"].to_list()), rows["label"].to_numpy())
    return [str(label) for label in student.predict(encoder.encode(asked.to_list()))]
