"""A transformer with a head of one number: higher for a right text than for a wrong one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from zhiling.rows.target import CHOICE, spelled
from zhiling.rows.target import Choice as Chosen
from zhiling.rows.templates import Turn
from zhiling.training import Examples, Input, TrainSettings, train

if TYPE_CHECKING:
    from zhiling.training.model import TaskModel

Floats = NDArray[np.float64]

_TASKS = {
    "cross_entropy": "zhiling.training.tasks.scalar:CrossEntropy",
    "bradley_terry": "zhiling.training.tasks.scalar:BradleyTerry",
}
_RATE = 1e-3  # of the head
_DROPOUT = 0.1
_DEV = 8  # one comparison of so many chooses the epoch
_CENTRED = 128  # comparisons that tell where the numbers of a model lie


class TransformerSettings(BaseModel):
    """Which encoder is tuned, how, and by which loss."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str = Field(description="the encoder: a folder, or package:NAME/folder")
    loss: Literal["cross_entropy", "bradley_terry"] = Field(
        default="cross_entropy",
        description="cross_entropy: each text judged alone; bradley_terry: the right one above a wrong one",
    )
    method: str = Field(
        default="frozen",
        description="what of the encoder is tuned, as in `train`: frozen reads the two texts of a pair apart "
        "and tunes the head alone; top_layers, lora or full let them meet, and want thousands of rows",
    )
    layers: int = Field(default=2, ge=1, description="with method top_layers: how many, from the top")
    epochs: int = Field(
        default=20, ge=1, description="most passes over the comparisons; four that do not help are the last"
    )
    batch_size: int = Field(default=32, ge=1, description="comparisons of a step")
    encoder_learning_rate: float = Field(default=1e-4, gt=0, description="of the tuned layers")
    folds: int = Field(default=3, ge=2, description="models; each learns without one of so many parts")

    def training(self) -> TrainSettings:
        """What a training of one model is told."""
        own = self.model_dump(include={"method", "layers", "epochs", "batch_size", "encoder_learning_rate"})
        return TrainSettings.model_validate(
            own
            | {"task": _TASKS[self.loss], "features": "encoder", "backbone": self.path}
            | {"learning_rate": _RATE, "dropout": _DROPOUT}
        )


class Comparison(NamedTuple):
    """A right text and a wrong one, of the same prompt or of none ("")."""

    prompt: str
    right: str
    wrong: str


@dataclass(frozen=True)
class Scorer:
    """A tuned model; its numbers are centred between right and wrong texts, with deviation 1.

    Attributes:
        model: with a head of one number.
        middle: mean of the numbers of what it learnt from.
        deviation: of the same.
    """

    model: TaskModel
    middle: float
    deviation: float

    @classmethod
    def fit(cls, comparisons: Sequence[Comparison], settings: TransformerSettings, seed: int) -> Scorer:
        """Learns which text of each comparison is the right one; one of eight chooses the epoch.

        Raises:
            MissingExtra: torch or transformers is not installed.
            MissingInput: there is no encoder at the path.
            StepFailed: the loss is no longer a number.
        """
        draws = np.random.default_rng(seed)
        examples = _examples(comparisons, draws)
        order: list[int] = draws.permutation(len(examples)).tolist()
        dev = order[: max(1, len(order) // _DEV)]
        rest = order[len(dev) :] or dev
        parts = examples.take(rest), examples.take(dev)
        tuned: Any = train(settings.training(), parts, seed=seed, evaluate=_share_right)
        raw = cls(tuned.model, 0.0, 1.0)
        some = [comparisons[place] for place in rest[:_CENTRED]]
        both = [each.right for each in some] + [each.wrong for each in some]
        seen = raw.scores([each.prompt for each in some] * 2, both)
        return cls(tuned.model, float(seen.mean()), float(seen.std()) or 1.0)

    def scores(self, prompts: Sequence[str], texts: Sequence[str]) -> Floats:
        """A number for each text, the higher the better; shape (n,)."""
        if not texts:
            return np.empty(0)
        from zhiling.training.tasks.scalar import numbers

        inputs = [_input(prompt, [text]) for prompt, text in zip(prompts, texts, strict=True)]
        return (numbers(self.model, inputs).numpy() - self.middle) / self.deviation


def _examples(comparisons: Sequence[Comparison], draws: np.random.Generator) -> Examples:
    """Comparisons as training reads them; the right text stands first or second by chance."""
    places = draws.integers(0, 2, len(comparisons)).tolist()
    inputs = [
        _input(each.prompt, (each.wrong, each.right) if place else (each.right, each.wrong))
        for each, place in zip(comparisons, places, strict=True)
    ]
    return Examples(
        ids=tuple(map(str, range(len(inputs)))), inputs=tuple(inputs),
        targets=tuple(spelled(Chosen(choice=place)) for place in places), languages=("und",) * len(inputs),
    )  # fmt: skip


def _input(prompt: str, options: Sequence[str]) -> Input:
    asked = [Turn("user", prompt)] if prompt else []
    return (*asked, *(Turn("user", option, CHOICE) for option in options))


def _share_right(truth: Sequence[str], told: Sequence[str]) -> float:
    return float(np.mean([one == other for one, other in zip(truth, told, strict=True)]))
