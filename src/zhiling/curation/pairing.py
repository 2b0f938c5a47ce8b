"""Pairing: does the reply fit the question."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import Field

from zhiling.curation.folds import group_folds, group_numbers
from zhiling.curation.pairing_features import (
    View,
    centred,
    joint_topic_view,
    joint_topics,
    ngram_view,
    pair_features,
    topic_view,
)
from zhiling.curation.sparse_features import require
from zhiling.pipeline.step import Context, Measure, Scope
from zhiling.rows.conversation import flatten, has_reply, reply_text

FOLDS = 5
BLOCK_ROWS = 400
"""Rows that are compared with one another; a fold is cut into such blocks, so time is linear in the rows."""
NEGATIVES = 6
SMALL_LANGUAGE = 50
FEWEST_ROWS = 20


class Pairing(Measure):
    """Writes how probable it is that the reply belongs to its question and not to another one, 0 to 1.

    A logistic discriminator per language learns, on other conversations, to tell given pairs from pairs
    drawn at random, by cosines corrected for popularity in several views of the texts. The question is what
    the user said so far, and the conversation before the reply.
    Nearly all random pairs lie below 0.5, and one right pair in ten; below 0.1 two of three are wrong where
    3 % are.
    """

    name: ClassVar[str] = "pairing"
    scope: ClassVar[Scope] = "table"
    cost: ClassVar[str] = "two encodings per row (none with `features: ngrams`), then 5 ms per row"
    limits: ClassVar[str] = (
        "A reply to another question about the same thing fits. Languages of fewer than 50 rows are judged "
        "together, and pass by where that leaves fewer than 20. Languages are those of the source."
    )
    source: ClassVar[str] = "Lample et al. 2018 (CSLS); Deerwester et al. 1990 (topics)"

    features: Literal["encoder", "ngrams", "both"] = Field("both", description="What texts are compared by.")

    def reads(self) -> tuple[str, ...]:
        """Messages, language, and the group for the folds."""
        return ("messages", "language", "group")

    def writes(self) -> dict[str, pl.DataType]:
        """The probability."""
        return {"score": pl.Float64()}

    def uses_encoder(self) -> bool:
        """Unless n-grams alone are asked for."""
        return self.features != "ngrams"

    def applies(self, rows: pl.DataFrame) -> pl.Series:
        """Rows with a reply, where there are enough to compare with."""
        replied = has_reply(rows["messages"])
        frame = pl.DataFrame({"pool": _pools(rows, replied), "owner": group_numbers(rows), "r": replied})
        enough = (pl.col("r").sum() >= FEWEST_ROWS) & (
            pl.col("owner").filter("r").n_unique() >= FEWEST_ROWS // 2
        )
        return frame.select(pl.col("r") & enough.over("pool"))["r"]

    def measure(self, rows: pl.DataFrame, context: Context) -> pl.DataFrame:
        """`score` of each row."""
        order = rows["id"].arg_sort()
        ordered = rows[order]
        pools = _pools(ordered, pl.repeat(value=True, n=rows.height, dtype=pl.Boolean, eager=True))
        score = np.full(rows.height, np.nan)
        for pool in pools.unique().sort():
            chosen = (pools == pool).arg_true()
            score[chosen.to_numpy()] = self._judge(ordered[chosen], context)
        return pl.DataFrame({"score": score})[order.arg_sort()]

    def _judge(self, rows: pl.DataFrame, context: Context) -> NDArray[np.float64]:
        """Cross-fitted probabilities of the rows of one language."""
        folds = group_folds(rows, FOLDS, context)
        groups = group_numbers(rows).to_numpy()
        views = self._views(rows, context)
        generator = context.generator()
        right: list[NDArray[np.float32]] = []
        wrong: list[NDArray[np.float32]] = []
        numbers: list[NDArray[np.int64]] = []
        for held, known in _folds(folds):
            topics = [
                (view, joint_topics(view, known))
                for view in views
                if not isinstance(view.questions, np.ndarray)
            ]
            for block in np.array_split(held, -(-len(held) // BLOCK_ROWS)):
                local = np.arange(len(block))
                same = groups[block][:, None] == groups[block][None]
                tables = [pair_features(view, block, same) for view in views]
                tables += [
                    pair_features(joint_topic_view(view, fit, block), local, same) for view, fit in topics
                ]
                table = np.stack([part for parts in tables for part in parts], axis=-1)
                drawn = [generator.permutation(len(block)) for _ in range(NEGATIVES)]
                right.append(table[local, local])
                wrong.append(np.concatenate([table[local, other][~same[local, other]] for other in drawn]))
                numbers.append(block)
        return _cross_fit(right, wrong, numbers, folds)

    def _views(self, rows: pl.DataFrame, context: Context) -> list[View]:
        said, before = _questions(rows["messages"])
        reply = reply_text(rows["messages"]).to_list()
        views: list[View] = []
        if self.features != "ngrams":
            encode = context.encoder.encode
            views.append(View(centred(encode(said)), centred(encode(reply))))
        if self.features != "encoder":
            for question in (said, before):
                view = ngram_view(question, reply)
                views += [view, topic_view(view)]
        return views


def _pools(rows: pl.DataFrame, replied: pl.Series) -> pl.Series:
    """The language of each row, empty where it has too few replies for a judge of its own."""
    frame = pl.DataFrame({"language": rows["language"].fill_null(""), "replied": replied})
    enough = pl.col("replied").sum().over("language") >= SMALL_LANGUAGE
    return frame.select(pl.when(enough).then("language").otherwise(pl.lit("")).alias("pool"))["pool"]


def _questions(messages: pl.Series) -> tuple[list[str], list[str]]:
    """What the user said before the last reply, and all that was said before it (without the system)."""
    lines = flatten(messages).filter(pl.col("role").is_in(["user", "assistant"]))
    last = pl.col("turn").filter(pl.col("role") == "assistant").max().over("row")
    lines = lines.filter(pl.col("turn") < last).with_columns(pl.col("text").fill_null(""))
    every = pl.DataFrame({"row": pl.Series(np.arange(len(messages)), dtype=pl.UInt32)})
    texts = lines.group_by("row", maintain_order=True).agg(
        said=pl.col("text").filter(pl.col("role") == "user").str.join("\n"),
        before=pl.col("text").str.join("\n"),
    )
    found = every.join(texts, on="row", how="left", maintain_order="left").fill_null("")
    return found["said"].to_list(), found["before"].to_list()


def _folds(folds: NDArray[np.int64]) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """The rows of each fold, and the rows of all others."""
    for fold in np.unique(folds):
        yield np.flatnonzero(folds == fold), np.flatnonzero(folds != fold)


def _cross_fit(
    right: list[NDArray[np.float32]],
    wrong: list[NDArray[np.float32]],
    numbers: list[NDArray[np.int64]],
    folds: NDArray[np.int64],
) -> NDArray[np.float64]:
    """The probability of being right, each row's by a discriminator that was fitted on the other folds."""
    everything = np.concatenate([*right, *wrong])
    mean, spread = everything.mean(axis=0), everything.std(axis=0) + 1e-9
    owner = [int(folds[block[0]]) for block in numbers]
    score = np.zeros(len(folds))
    for fold in sorted(set(owner)):
        good = np.concatenate([part for part, own in zip(right, owner, strict=True) if own != fold])
        bad = np.concatenate([part for part, own in zip(wrong, owner, strict=True) if own != fold])
        truth = np.repeat([1, 0], [len(good), len(bad)])
        judge: Any = require("sklearn.linear_model").LogisticRegression(
            class_weight="balanced", max_iter=1000
        )
        judge.fit((np.concatenate([good, bad]) - mean) / spread, truth)
        for part, block, own in zip(right, numbers, owner, strict=True):
            if own == fold:
                score[block] = judge.predict_proba((part - mean) / spread)[:, 1]
    return score
