"""How alike questions and replies are, in several views, each corrected for how popular either side is.

A view is a space in which questions and replies have vectors: the encoder's; n-grams weighted by rarity;
topics of single texts (the main directions of their n-grams). In each, a pair gets three numbers: the cosine,
and the mean cosine of the question (the reply) to its nearest replies (questions) of other conversations.
Beside them stand how much of either side's rare n-grams the other side holds, corrected likewise, and the
form of both texts (length, lines, digits, scripts): a poem is not answered by a number.

The cosine to the best rival is no feature: of the given pairs of a table, the wrong ones have better rivals,
and a discriminator that takes them for right learns the opposite.

Source: Lample et al. 2018, eq. 3 (CSLS: 2 · cosine minus the two means); here their weights are learnt.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import polars as pl
from numpy.typing import NDArray

from zhiling.curation.sparse_features import document_frequency, ngram_matrix, weighted
from zhiling.encoders.sparse import require

NEAREST = 10
NEAREST_SHARE = 1 / 16
"""How many texts popularity is told by: this share of a block, and no fewer than `NEAREST`."""
TOPICS = 100
LANDMARKS = 1200
"""Topics are fitted on at most this many texts: more change little and cost with the square."""
LONGEST_NGRAM = 3

Matrix = NDArray[np.float32]


@dataclass(frozen=True)
class View:
    """Vectors of questions and replies of the same rows in one space, dense or sparse."""

    questions: Any
    replies: Any


def centred(vectors: NDArray[np.floating]) -> Matrix:
    """The vectors without their mean, rows of length 1: what all texts of a language share says nothing."""
    moved = vectors - vectors.mean(axis=0)
    lengths = np.linalg.norm(moved, axis=1, keepdims=True)
    return cast(Matrix, (moved / np.where(lengths == 0, 1, lengths)).astype(np.float32))


def ngram_view(questions: Sequence[str], replies: Sequence[str]) -> View:
    """Character 1- to 3-grams, weighted by how rare they are among all questions and replies."""
    left, right = ngram_matrix(questions, LONGEST_NGRAM), ngram_matrix(replies, LONGEST_NGRAM)
    frequency = document_frequency(left, right)
    height = 2 * len(questions)
    return View(weighted(left, frequency, height), weighted(right, frequency, height))


def topic_view(view: View) -> View:
    """Topics in which single texts differ: who is paired with whom has no part in them."""
    texts = require("scipy.sparse").vstack([view.questions[: LANDMARKS // 2], view.replies[: LANDMARKS // 2]])
    return _projected(view, Topics.of(texts, TOPICS))


@dataclass(frozen=True)
class Topics:
    """The strongest directions of some texts: a text's place is `text · textsᵀ · basis`."""

    texts: Any
    basis: NDArray[np.float64]

    @classmethod
    def of(cls, texts: Any, count: int) -> Topics:
        """From the eigenvectors of all cosines: far cheaper than a decomposition of 2**18 columns."""
        height: int = texts.shape[0]
        cosines = (texts @ texts.T).toarray().astype(np.float64)
        first = max(height - count, 0)
        values, vectors = require("scipy.linalg").eigh(cosines, subset_by_index=[first, height - 1])
        # Directions without weight would be noise divided by nothing.
        return cls(texts, vectors / np.sqrt(np.where(values > 1e-6, values, np.inf)))


def _projected(view: View, topics: Topics) -> View:
    def project(rows: Any) -> Matrix:
        return centred((rows @ topics.texts.T).toarray() @ topics.basis)

    return View(project(view.questions), project(view.replies))


def cosines(view: View, rows: NDArray[np.int64]) -> Matrix:
    """Of every question (down) with every reply (across) of some rows, (b, b)."""
    return dense(view.questions[rows] @ view.replies[rows].T)


def pair_features(cosine: Matrix, same: NDArray[np.bool_], replies: NDArray[np.int64]) -> list[Matrix]:
    """Likeness of some pairs, and how popular either side is.

    Args:
        cosine: or another likeness, (b, b), questions down, replies across.
        same: bool (b, b), true for pairs of one conversation: they count for no popularity.
        replies: numbers of the replies that each question is paired with, (b, p).

    Returns:
        Three float32 matrices (b, p): the likeness; the mean likeness of the question to its nearest replies,
        of the reply to its nearest questions. The pair itself is left out of both, as a given pair is:
        otherwise a wrong pair of the table would be told by that alone.
    """
    rows = np.arange(len(cosine))[:, None]
    value, apart = cosine[rows, replies], ~same[rows, replies]
    others = np.where(same, -1, cosine)
    count = max(1, min(len(cosine) - 2, max(NEAREST, round(len(cosine) * NEAREST_SHARE))))
    question = _without(value, apart, _nearest(others, count)[:, rows], count)
    reply = _without(value, apart, _nearest(others.T, count)[:, replies], count)
    return [value, question, reply]


def _nearest(others: Matrix, count: int) -> Matrix:
    """Of each row: the sum of its `count` highest values, the least of them, and the next, (3, b)."""
    ordered = -np.partition(-others, (count - 1, count), axis=1)
    return np.stack([ordered[:, :count].sum(axis=1), ordered[:, count - 1], ordered[:, count]])


def _without(value: Matrix, apart: NDArray[np.bool_], nearest: Matrix, count: int) -> Matrix:
    """The mean of the nearest where `value` is not one of them: the next stands in for it."""
    total, least, following = nearest
    return (total + np.where(apart & (value >= least), following - value, 0)) / np.float32(count)


def csls(cosine: Matrix, same: NDArray[np.bool_]) -> Matrix:
    """The neighbourhood-corrected cosine of every pair, -4 to 4."""
    every = np.broadcast_to(np.arange(len(cosine)), cosine.shape)
    value, question, reply = pair_features(cosine, same, every)
    return 2 * value - question - reply


def coverage_features(view: View, rows: NDArray[np.int64]) -> list[Matrix]:
    """Which share of the question's rare n-grams each reply holds, and the other way round, 0 to 1.

    A cosine falls with the length of either text; a long reply that holds the whole short question should
    not look worse than a short one that holds half of it.
    """
    question, reply = view.questions[rows], view.replies[rows]
    return [coverage(question, reply), coverage(reply, question).T]


def coverage(texts: Any, others: Any) -> Matrix:
    """Which share of each text's rare n-grams each of the others holds, 0 to 1, (texts, others)."""
    return dense(_power(texts, 2) @ _power(others, 0).T)


def form(texts: Sequence[str]) -> Matrix:
    """How each text looks, (n, 6): log length, log lines, shares of digits, Latin, Han, and marks."""
    frame = pl.DataFrame({"text": pl.Series(texts, dtype=pl.String)})
    length = pl.col("text").str.len_chars()

    def share(pattern: str) -> pl.Expr:
        return pl.col("text").str.count_matches(pattern) / length.clip(1)

    return (
        frame.select(
            length.log1p().alias("length"),
            pl.col("text").str.count_matches("\n").log1p().alias("lines"),
            share(r"\p{Nd}").alias("digits"),
            share(r"\p{Latin}").alias("latin"),
            share(r"\p{Han}").alias("han"),
            share(r"[\p{P}\p{S}]").alias("marks"),
        )
        .to_numpy()
        .astype(np.float32)
    )


def form_features(questions: Matrix, replies: Matrix, paired: NDArray[np.int64]) -> list[Matrix]:
    """The form of the question and of the reply of some pairs, each (b, p)."""
    down = [np.broadcast_to(column[:, None], paired.shape) for column in questions.T]
    return down + [column[paired] for column in replies.T]


def dense(product: Any) -> Matrix:
    """The matrix of a product of two views' vectors, sparse or not."""
    return np.asarray(product if isinstance(product, np.ndarray) else product.toarray(), dtype=np.float32)


def _power(matrix: Any, exponent: int) -> Any:
    result = matrix.copy()
    result.data **= exponent
    return result
