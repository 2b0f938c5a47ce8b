"""The student of an ablation: trained once per arm and seed, its answers stored by the hash of its rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson
import polars as pl

from zhiling.evaluation.metrics.metric import Metric
from zhiling.pipeline.store import Project, write_bytes
from zhiling.training import Examples, TrainSettings, train
from zhiling.workflow.proof.proof import arm_key
from zhiling.workflow.recipe import Recipe

_PLAIN = {"method": "frozen", "prompting": None, "few_labels": None}
_NGRAMS = {"features": "ngrams", "backbone": None, **_PLAIN}


def student_settings(recipe: Recipe, *, ngrams: bool) -> TrainSettings:
    """The recipe's `train` with its encoder frozen, or n-grams alone."""
    settings = recipe.train or TrainSettings.model_validate({"features": "ngrams"})
    if ngrams:
        return settings.model_copy(update=_NGRAMS)
    return settings.located(recipe.root).model_copy(update=_PLAIN)


@dataclass(frozen=True)
class Student:
    """What trains and answers.

    Attributes:
        project: where a run may hold equal answers already.
        folder: where answers are stored.
        tested: the rows that every arm answers.
    """

    project: Project
    folder: Path
    settings: TrainSettings
    metric: Metric
    tested: Examples

    def answers(self, parts: tuple[Examples, Examples], seed: int) -> Sequence[str]:
        """A label per tested row, from disk where an equal arm was trained before.

        Raises:
            UsageError: no examples, or fewer than two labels.
        """
        key = arm_key(self.settings, (self.metric.name, seed), parts, self.tested)[:16]
        file = self.folder / f"{key}.json"
        if file.is_file():
            return orjson.loads(file.read_bytes())
        labels = self._known(key)
        if labels is None:
            trained = train(self.settings, parts, seed=seed, evaluate=self.metric.score)
            labels = list(trained.answer(self.tested).answers)
        write_bytes(file, orjson.dumps(labels))
        return labels

    def _known(self, key: str) -> list[str] | None:
        """The answers of an equal arm of a run's own evaluation."""
        for run in reversed(self.project.run_paths()):
            arm = run / "evaluation" / "arms" / key
            if (arm / "facts.json").is_file():
                return pl.read_parquet(arm / "predictions.parquet", columns=["label"])["label"].to_list()
        return None
