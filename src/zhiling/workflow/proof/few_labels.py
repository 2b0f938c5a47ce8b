"""Rows without a label, for `train.few_labels`: of the train part, and of the sources for the control."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from zhiling.pipeline.fingerprint import matching
from zhiling.pipeline.table import RowTable
from zhiling.rows.conversation import shown_text
from zhiling.training import Examples, Input, text_input
from zhiling.training.few_labels.settings import FewLabelSettings
from zhiling.workflow.proof.examples import apart_from, part_numbers, tested_groups
from zhiling.workflow.proof.repeats import TRAIN
from zhiling.workflow.recipe import Recipe
from zhiling.workflow.run import Run

PASSAGE = "passage"
"""The task of rows that are a part of a document: raw material, but nobody said it."""


def few_labels_of(recipe: Recipe) -> FewLabelSettings | None:
    """The section of `train`, its file found; names that the evaluation knows are known here too."""
    asked = recipe.train.few_labels if recipe.train else None
    if asked is None:
        return None
    names = asked.label_names or (recipe.evaluate.label_names if recipe.evaluate else None)
    if names is not None:
        names = str(matching([names], recipe.root, what="label_names")[0])
    return asked.model_copy(update={"label_names": names})


@dataclass(frozen=True)
class Unlabelled:
    """Finds the rows without a label that an arm may learn from.

    Attributes:
        settings: tell how many at most; unset: none are wanted.
        tested: no row equal or near to one of these is taken.
    """

    recipe: Recipe
    run: Run
    table: RowTable
    settings: FewLabelSettings | None
    tested: Examples

    def of_train_part(self) -> tuple[Input, ...]:
        """Those of the run's own train part, and kept utterances, which no part holds."""
        if self.settings is None:
            return ()
        own = part_numbers(self.run, TRAIN)
        return self._of(np.concatenate([own, self.table.kept(material=True)]), self.settings.unlabelled_rows)

    def of_sources(self) -> tuple[Input, ...]:
        """Those of the sources as they came."""
        return self._of(self.table.sources(), self.settings.unlabelled_rows) if self.settings else ()

    def _of(self, numbers: NDArray[np.int64], most: int) -> tuple[Input, ...]:
        """At most so many of those among these rows that have no target and show a text, at random.

        None is of a group that is tested on, and none is a passage of a document.
        """
        facts = self.table.read(["target", "task", "group"], np.sort(numbers))
        tested = tested_groups(self.recipe, self.run, self.table).implode()
        bare = facts.select(
            pl.col("target").is_null()
            & (pl.col("task") != PASSAGE).fill_null(True)
            & ~pl.col("group").is_in(tested).fill_null(False)
        ).to_series()
        drawn = np.random.default_rng(self.recipe.seed).permutation(np.sort(numbers)[bare.to_numpy()])[:most]
        texts = shown_text(self.table.read(["messages"], np.sort(drawn))["messages"]).alias("text").to_frame()
        shown = texts.filter(pl.col("text").str.strip_chars() != "")
        apart = apart_from(shown, self.tested, self.recipe.split.near)
        return tuple(map(text_input, apart["text"]))
