"""A model of matching with other candidates than those of its training rows."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

from zhiling.training.fitted import Fitted
from zhiling.training.model import TaskModel
from zhiling.training.prompting.prompted import Prompted
from zhiling.training.tasks.matching import Matching
from zhiling.training.trained import Trained


def with_answers(fitted: Fitted, answers: tuple[str, ...]) -> Fitted:
    """The model with this pool; it shares its weights with the one that is given."""
    if isinstance(fitted, Prompted):
        return replace(fitted, known=replace(fitted.known, answers=answers))
    trained = cast(Trained, fitted)
    task = replace(cast(Matching, trained.task), answers_known=answers)
    model = TaskModel(task, trained.model.features)
    weights = {name: each for name, each in trained.model.head.state_dict().items() if name != "pool"}
    model.head.load_state_dict(weights, strict=False)
    model.settle()
    return replace(trained, task=task, model=model.eval())
