"""Where a recipe answers from prompts: its own section of `train`, and the arm *before* of `evaluate`."""

from __future__ import annotations

from zhiling.pipeline.fingerprint import matching
from zhiling.training import TrainSettings
from zhiling.training.prompting.settings import PromptSettings
from zhiling.workflow.recipe import Recipe
from zhiling.workflow.settings import EvaluateSettings


def prompting_of(recipe: Recipe) -> PromptSettings | None:
    """The section of `train`, with what the recipe says elsewhere, all its files found."""
    if recipe.train is None or recipe.train.prompting is None:
        return None
    return _whole(recipe.train.prompting, recipe)


def before_of(recipe: Recipe, settings: TrainSettings) -> TrainSettings:
    """The arm before any tuning, as settings of a training that tunes nothing."""
    evaluate = recipe.evaluate or EvaluateSettings.model_validate({})
    return settings.model_copy(update={"prompting": _whole(evaluate.before, recipe)})


def _whole(asked: PromptSettings, recipe: Recipe) -> PromptSettings:
    names = asked.label_names or (recipe.evaluate.label_names if recipe.evaluate else None)
    if names is not None:
        names = str(matching([names], recipe.root, what="label_names")[0].relative_to(recipe.root))
    encoder = asked.encoder or (dict(recipe.encoder) if recipe.encoder else None)
    return asked.model_copy(update={"label_names": names, "encoder": encoder}).located(recipe.root)
