"""Retrieve: real lines that nobody has labelled, each with the label of the known rows nearest to it."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import Field

from zhiling.adversarial.features import features
from zhiling.adversarial.real import labelled, with_text
from zhiling.errors import UsageError
from zhiling.pipeline.step import Context, Made, Make
from zhiling.rows.conversation import user_text
from zhiling.rows.target import Labels, spelled

_BLOCK = 2048  # lines whose cosines to all known rows are in memory at once


class Retrieve(Make):
    """Makes a labelled row of each unlabelled line (task `utterance`) that is near enough to a known row.

    The label is the one whose nearest known rows are nearest on average (`neighbours` of each label, fewer
    where it has fewer). In a `repeat`, rows that were accepted before are known too: what is far from every
    anchor comes near step by step.
    """

    name = "retrieve"
    about = ("classification",)
    scope = "table"
    material = True
    recalls = True
    cost: ClassVar[str] = "an encoding a row and a line, and rows · lines · dimension operations"
    limits: ClassVar[str] = (
        "Every line gets one of the known labels: put something behind it that judges the label, as the step "
        "`adversarial` does."
    )
    source: ClassVar[str] = "Cover and Hart 1967, Nearest neighbor pattern classification"

    neighbours: int = Field(
        default=3, ge=1, le=50, description="known rows of a label that a line is compared with"
    )
    least: float = Field(
        default=0.4, ge=-1, le=1, description="mean cosine to them from which a line is taken"
    )

    def reads(self) -> tuple[str, ...]:
        """The labelled rows and the lines."""
        return ("messages", "task", "target", "group", "extra")

    def uses_encoder(self) -> bool:
        """The vectors decide what is near."""
        return True

    def applies(self, rows: pl.DataFrame) -> pl.Series:
        """Labelled texts and lines without a label."""
        return labelled(rows) | (rows["task"] == "utterance").fill_null(value=False)

    def make(self, rows: pl.DataFrame, context: Context) -> Made:
        """A row a line."""
        before = rows.clear() if context.reference is None else context.reference.select(rows.columns)
        known = with_text(pl.concat([rows.filter(labelled(rows)), before.filter(labelled(before))]))
        known = known.unique(["text", "label"], keep="first", maintain_order=True).sort("label", "id")
        lines = rows.filter(rows["task"] == "utterance")
        lines = lines.with_columns(user_text(lines["messages"]).alias("text")).sort("id")
        lines = lines.unique("text", keep="first", maintain_order=True).filter(
            pl.col("text").str.strip_chars() != ""
        )
        lines = lines.join(known, on="text", how="anti", maintain_order="left")
        if not known.height:
            raise UsageError(
                f"step {context.step_id!r} knows no labelled row that a line could be like",
                hint="add a source with labelled rows (task classification)",
            )
        texts = [*known["text"].to_list(), *lines["text"].to_list()]
        vectors = features(texts, context.encoder).encoder
        label, similarity = _nearest(
            vectors[: known.height], known["label"], vectors[known.height :], self.neighbours
        )
        made = lines.with_columns(label, similarity).filter(pl.col("similarity") >= self.least)
        return Made(_rows(made))


def _nearest(
    known: NDArray[np.float32], labels: pl.Series, lines: NDArray[np.float32], count: int
) -> tuple[pl.Series, pl.Series]:
    """The label nearest to each line, and the mean cosine to its `count` nearest rows. `labels` is sorted."""
    names, starts, sizes = np.unique(labels.to_numpy(), return_index=True, return_counts=True)
    best = np.full(len(lines), -1, dtype=np.int64)
    similarity = np.full(len(lines), -np.inf)
    places = list(zip(starts.tolist(), sizes.tolist(), strict=True))
    for start in range(0, len(lines), _BLOCK):
        cosines = lines[start : start + _BLOCK] @ known.T
        means = np.column_stack([_largest(cosines[:, first : first + size], count) for first, size in places])
        best[start : start + _BLOCK] = means.argmax(axis=1)
        similarity[start : start + _BLOCK] = means.max(axis=1)
    return pl.Series("label", names[best], dtype=pl.String), pl.Series("similarity", similarity)


def _largest(cosines: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """The mean of the `count` largest of each row, or of all where there are fewer."""
    count = min(count, cosines.shape[1])
    return np.partition(cosines, -count, axis=1)[:, -count:].mean(axis=1)


def _rows(lines: pl.DataFrame) -> pl.DataFrame:
    """The lines as labelled rows whose parent is the line."""
    truths = {label: spelled(Labels(labels=[label])) for label in lines["label"].unique().to_list()}
    similarity = pl.col("similarity").round(4)
    return lines.select(
        "messages",
        pl.lit("classification").alias("task"),
        pl.col("label").replace_strict(truths, return_dtype=pl.String).alias("target"),
        pl.struct(similarity).struct.json_encode().alias("extra"),
        pl.concat_list("id").alias("parents"),
    )
