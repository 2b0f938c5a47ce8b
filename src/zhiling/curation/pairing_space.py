"""What a pairing is judged by: all views of questions and replies, and their features pair by pair."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zhiling.curation.pairing_features import (
    Matrix,
    Topics,
    View,
    centred,
    coverage_features,
    csls,
    form,
    form_features,
    joint_topic_view,
    joint_topics,
    ngram_view,
    pair_features,
    topic_view,
)
from zhiling.curation.pairing_judge import NEAREST, RANDOM, Candidates
from zhiling.pipeline.step import Encoder


@dataclass(frozen=True)
class Texts:
    """What is compared, row by row: what the user said, all that stood before the reply, the reply."""

    said: Sequence[str]
    before: Sequence[str]
    reply: Sequence[str]


class PairSpace:
    """The views of some rows.

    Args:
        texts: of all rows.
        encoder: for a view of meanings; None: n-grams only.
        ngrams: whether there are views of n-grams and form as well.
    """

    def __init__(self, texts: Texts, encoder: Encoder | None, *, ngrams: bool) -> None:
        self._views: list[View] = []
        self._sparse: list[View] = []
        self._forms: tuple[Matrix, Matrix] | None = None
        if encoder is not None:
            self._views.append(
                View(centred(encoder.encode(texts.said)), centred(encoder.encode(texts.reply)))
            )
        if ngrams:
            self._sparse = [ngram_view(question, texts.reply) for question in (texts.said, texts.before)]
            self._views += [each for view in self._sparse for each in (view, topic_view(view))]
            self._forms = form(texts.said), form(texts.reply)

    def topics(self, known: NDArray[np.int64]) -> list[Topics]:
        """Topics of question and reply together, fitted on the pairs `known` only."""
        return [joint_topics(view, known) for view in self._sparse]

    def table(
        self, rows: NDArray[np.int64], same: NDArray[np.bool_], topics: Sequence[Topics]
    ) -> tuple[Matrix, Matrix]:
        """Features (b, b, f) of every question with every reply of a block; the corrected cosine (b, b)."""
        local = np.arange(len(rows))
        parts = [pair_features(view, rows, same) for view in self._views]
        corrected = csls(parts[0])
        for view, fit in zip(self._sparse, topics, strict=True):
            parts.append(pair_features(joint_topic_view(view, fit, rows), local, same))
        parts += [coverage_features(view, rows) for view in self._sparse]
        if self._forms is not None:
            parts.append(form_features(*self._forms, rows))
        return np.stack([matrix for group in parts for matrix in group], axis=-1), corrected


def candidates(
    rows: NDArray[np.int64],
    fold: int,
    same: NDArray[np.bool_],
    tables: tuple[Matrix, Matrix],
    generator: np.random.Generator,
) -> Candidates:
    """The given pairs of a block, and for each row a pool of random and of nearest other replies."""
    table, corrected = tables
    count = len(rows)
    local = np.arange(count)[:, None]
    random = np.stack([generator.permutation(count) for _ in range(RANDOM)], axis=1)
    nearest = np.argsort(np.where(same, -np.inf, corrected), axis=1, kind="stable")[:, ::-1][:, :NEAREST]
    # A block may have fewer rows than the pool: the rest is filled with the row itself, which is not usable.
    filled = np.concatenate([random, nearest, np.tile(local, NEAREST - nearest.shape[1])], axis=1)
    return Candidates(rows, fold, table[local[:, 0], local[:, 0]], table[local, filled], ~same[local, filled])
