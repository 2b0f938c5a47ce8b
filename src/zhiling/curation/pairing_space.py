"""What a pairing is judged by: all views of questions and replies, and their features pair by pair."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from zhiling.curation.pairing_features import (
    Matrix,
    View,
    centred,
    cosines,
    coverage_features,
    csls,
    form,
    form_features,
    ngram_view,
    pair_features,
    topic_view,
)
from zhiling.curation.pairing_judge import NEAREST, RANDOM, Candidates
from zhiling.pipeline.step import Encoder
from zhiling.rows.conversation import Role, flatten, reply_text


@dataclass(frozen=True)
class Texts:
    """What is compared, row by row: what the user said, all that stood before the reply, the reply."""

    said: Sequence[str]
    before: Sequence[str]
    reply: Sequence[str]


def pair_texts(
    messages: pl.Series, context: Sequence[Role] = ("user", "assistant"), *, last_turn: bool = False
) -> Texts:
    """What the user said before the last reply, all that the roles of `context` said before it, the reply.

    Args:
        messages: of each row.
        context: roles that count, the user among them.
        last_turn: only the user's last turn counts as said.
    """
    lines = flatten(messages).filter(pl.col("role").is_in(context))
    last = pl.col("turn").filter(pl.col("role") == "assistant").max().over("row")
    lines = lines.filter(pl.col("turn") < last).with_columns(pl.col("text").fill_null(""))
    every = pl.DataFrame({"row": pl.Series(np.arange(len(messages)), dtype=pl.UInt32)})
    said = pl.col("text").filter(pl.col("role") == "user")
    texts = lines.group_by("row", maintain_order=True).agg(
        said=said.last() if last_turn else said.str.join("\n"),
        before=pl.col("text").str.join("\n"),
    )
    found = every.join(texts, on="row", how="left", maintain_order="left").fill_null("")
    return Texts(found["said"].to_list(), found["before"].to_list(), reply_text(messages).to_list())


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
            # Before a first reply nothing but the question stands: a second look at it would say nothing new.
            asked = [texts.said] if list(texts.said) == list(texts.before) else [texts.said, texts.before]
            self._sparse = [ngram_view(question, texts.reply) for question in asked]
            self._views += [each for view in self._sparse for each in (view, topic_view(view))]
            self._forms = form(texts.said), form(texts.reply)

    def candidates(
        self,
        rows: NDArray[np.int64],
        folds: NDArray[np.int64],
        same: NDArray[np.bool_],
        generator: np.random.Generator,
    ) -> tuple[list[Candidates], Matrix]:
        """Given and wrong pairs of a block of rows, fold by fold; the corrected cosines of the given ones.

        Args:
            rows: the rows of the block, (b,).
            folds: the fold of each; the wrong pairs of a fold are within it.
            same: bool (b, b), true for pairs that are no wrong ones.
            generator: draws the random replies.
        """
        corrected = csls(cosines(self._views[0], rows), same)
        parts: list[Candidates] = []
        pool = reply_pool(corrected, same, folds, generator)
        own = np.arange(len(rows))[:, None]
        table = self._features(rows, same, np.concatenate([own, pool], axis=1))
        usable = ~same[own, pool]
        for fold in np.unique(folds):
            held = np.flatnonzero(folds == fold)
            right, wrong = table[held, 0], table[held, 1:]
            parts.append(Candidates(rows[held], int(fold), right, wrong, usable[held], rows[pool[held]]))
        return parts, corrected.diagonal()

    def _features(
        self, rows: NDArray[np.int64], same: NDArray[np.bool_], replies: NDArray[np.int64]
    ) -> Matrix:
        """Features (b, p, f) of the pairs of each question with `replies` (b, p), numbered in the block."""
        likeness = [cosines(view, rows) for view in self._views]
        likeness += [each for view in self._sparse for each in coverage_features(view, rows)]
        parts = [each for matrix in likeness for each in pair_features(matrix, same, replies)]
        if self._forms is not None:
            questions, answers = self._forms
            parts += form_features(questions[rows], answers[rows], replies)
        return np.stack(parts, axis=-1)


def reply_pool(
    corrected: Matrix, same: NDArray[np.bool_], folds: NDArray[np.int64], generator: np.random.Generator
) -> NDArray[np.int64]:
    """Of each row, other replies of its fold: random ones, then those with the highest corrected cosine.

    A fold may have fewer rows than the pool: the rest is filled with the row itself, which is not usable.
    """
    pool = np.tile(np.arange(len(folds))[:, None], RANDOM + NEAREST)
    for fold in np.unique(folds):
        held = np.flatnonzero(folds == fold)
        inside = np.ix_(held, held)
        nearest = np.argsort(np.where(same[inside], np.inf, -corrected[inside]), axis=1, kind="stable")
        nearest = nearest[:, :NEAREST]
        random = np.stack([generator.permutation(len(held)) for _ in range(RANDOM)], axis=1)
        pool[held, :RANDOM] = held[random]
        pool[held, RANDOM : RANDOM + nearest.shape[1]] = held[nearest]
    return pool
