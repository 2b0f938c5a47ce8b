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
from zhiling.workflow.examples import apart_from, tested_groups
from zhiling.workflow.recipe import Recipe
from zhiling.workflow.repeats import TRAIN
from zhiling.workflow.run import Run


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
        """Those of the run's own train part."""
        if self.settings is None:
            return ()
        assigned = self.run.folder.read_frame("split.parquet", ["n", "split"])
        numbers = assigned.filter(pl.col("split") == TRAIN)["n"].sort().to_numpy().astype(np.int64)
        return self._of(numbers, self.settings.unlabelled_rows)

    def of_sources(self) -> tuple[Input, ...]:
        """Those of the sources as they came, none of a group that is tested on."""
        if self.settings is None:
            return ()
        numbers = self.table.sources()
        groups = self.table.read(["group"], numbers)["group"]
        apart = ~groups.is_in(tested_groups(self.recipe, self.run, self.table).implode()).fill_null(False)
        return self._of(numbers[apart.to_numpy()], self.settings.unlabelled_rows)

    def _of(self, numbers: NDArray[np.int64], most: int) -> tuple[Input, ...]:
        """At most so many of those among these rows that have no target and show a text, at random."""
        bare = numbers[self.table.read(["target"], numbers)["target"].is_null().to_numpy()]
        drawn = np.sort(np.random.default_rng(self.recipe.seed).permutation(bare)[:most])
        texts = shown_text(self.table.read(["messages"], drawn)["messages"]).alias("text").to_frame()
        shown = texts.filter(pl.col("text").str.strip_chars() != "")
        apart = apart_from(shown, self.tested, self.recipe.split.near)
        return tuple(map(text_input, apart["text"]))
