"""How alike questions and replies are, in several views, each corrected for how popular either side is.

A view is a space in which questions and replies have vectors: the encoder's; n-grams weighted by rarity;
topics of single texts (the main directions of their n-grams); and topics of question and reply together,
fitted on other conversations. In each, all pairs of a block of rows get five numbers: the cosine, the mean
cosine of the question (the reply) to its nearest replies (questions) of other conversations, and the cosine
to the nearest of all. Beside the views stand how much of either side's rare n-grams the other side holds,
and the form of both texts (length, lines, digits, scripts): a poem is not answered by a number.

Source: Lample et al. 2018, eq. 3 (CSLS: 2 · cosine minus the two means); here their weights are learnt.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import polars as pl
from numpy.typing import NDArray

from zhiling.curation.sparse_features import document_frequency, ngram_matrix, require, unit_rows, weighted

NEAREST = 10
TOPICS = 100
JOINT_TOPICS = 60
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


def joint_topics(view: View, known: NDArray[np.int64]) -> Topics:
    """Topics of question and reply taken together, fitted on the pairs `known` only."""
    chosen = known[:LANDMARKS]
    return Topics.of(unit_rows(view.questions[chosen] + view.replies[chosen]), JOINT_TOPICS)


def joint_topic_view(view: View, topics: Topics, rows: NDArray[np.int64]) -> View:
    """The rows of a block in joint topics."""
    return _projected(View(view.questions[rows], view.replies[rows]), topics)


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


def pair_features(view: View, rows: NDArray[np.int64], same: NDArray[np.bool_]) -> list[Matrix]:
    """Cosine, popularities and best rivals of every question with every reply of a block.

    Args:
        view: vectors of all rows.
        rows: the rows of the block.
        same: bool (rows, rows), true for pairs of one conversation: they count for no popularity.

    Returns:
        Five float32 matrices (rows, rows), questions down, replies across: the cosine; the mean cosine of
        the question to its nearest replies, of the reply to its nearest questions; the highest of either.
    """
    cosine = _dense(view.questions[rows] @ view.replies[rows].T)
    others = np.where(same, -1, cosine)
    count = min(NEAREST, len(rows) - 1)
    question = np.sort(others, axis=1)[:, -count:]
    reply = np.sort(others, axis=0)[-count:]
    given = [question.mean(axis=1)[:, None], reply.mean(axis=0)[None], question[:, -1:], reply[-1:]]
    return [cosine, *(np.broadcast_to(each, cosine.shape) for each in given)]


def csls(features: Sequence[Matrix]) -> Matrix:
    """The neighbourhood-corrected cosine, -4 to 4, of the matrices of `pair_features`."""
    cosine, question, reply = features[:3]
    return 2 * cosine - question - reply


def coverage_features(view: View, rows: NDArray[np.int64]) -> list[Matrix]:
    """Which share of the question's rare n-grams each reply holds, and the other way round, 0 to 1.

    A cosine falls with the length of either text; a long reply that holds the whole short question should
    not look worse than a short one that holds half of it.
    """
    question, reply = view.questions[rows], view.replies[rows]
    shared = _dense(_power(question, 2) @ _power(reply, 0).T)
    back = _dense(_power(question, 0) @ _power(reply, 2).T)
    return [shared, back]


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


def form_features(questions: Matrix, replies: Matrix, rows: NDArray[np.int64]) -> list[Matrix]:
    """The form of the question and of the reply of every pair of a block."""
    shape = (len(rows), len(rows))
    down = [np.broadcast_to(column[:, None], shape) for column in questions[rows].T]
    return down + [np.broadcast_to(column[None], shape) for column in replies[rows].T]


def _dense(product: Any) -> Matrix:
    return np.asarray(product if isinstance(product, np.ndarray) else product.toarray(), dtype=np.float32)


def _power(matrix: Any, exponent: int) -> Any:
    result = matrix.copy()
    result.data **= exponent
    return result
