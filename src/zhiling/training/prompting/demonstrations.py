"""Which training rows demonstrate the task for an input: near ones, some at random, or always the same."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zhiling.errors import UsageError
from zhiling.training.examples import Examples
from zhiling.training.inputs import Input, shown_text
from zhiling.training.prompting.settings import PromptSettings

Vectors = NDArray[np.float32]


@dataclass(frozen=True)
class Demonstrations:
    """Rows to choose from.

    Attributes:
        pool: training examples; none where the task is answered zero-shot.
        seed: of random choices.
    """

    pool: Examples
    settings: PromptSettings
    seed: int

    @classmethod
    def of(cls, train: Examples, settings: PromptSettings, seed: int) -> Demonstrations:
        """All training rows that may be chosen.

        Raises:
            UsageError: an id of `fixed` is no training row's, or there is no row to choose.
        """
        if not settings.demonstrations:
            return cls(train.take([]), settings, seed)
        if settings.choose == "fixed":
            places = {id: place for place, id in enumerate(train.ids)}
            missing = [id for id in settings.fixed if id not in places]
            if missing:
                raise UsageError(
                    f"fixed demonstrations {missing!r:.200} are no ids of training rows",
                    hint="`zhiling rows` prints ids; the row must be in the train part.",
                )
            return cls(train.take([places[id] for id in settings.fixed]), settings, seed)
        if not len(train):
            raise UsageError(
                f"shots={settings.shots}, and the train part has no row",
                hint="Set shots: 0, or look at the split.",
            )
        return cls(train, settings, seed)

    @property
    def by_nearness(self) -> bool:
        """Whether vectors are needed to choose."""
        return self.settings.choose == "nearest" and len(self.pool) > 0

    def chosen(self, inputs: Sequence[Input], cosines: NDArray[np.float32] | None) -> list[list[int]]:
        """Numbers of the rows for each input, the least near first.

        Args:
            inputs: what is to be answered.
            cosines: of inputs and rows, shape (inputs, rows), where rows are chosen by nearness.
        """
        count = min(self.settings.demonstrations, len(self.pool))
        if self.settings.choose == "fixed" or (count == len(self.pool) and cosines is None):
            return [list(range(len(self.pool)))] * len(inputs)
        if cosines is not None:
            return [order[:count][::-1] for order in np.argsort(-cosines, axis=1, kind="stable").tolist()]
        return [
            np.random.default_rng([self.seed, _number(turns)]).permutation(len(self.pool))[:count].tolist()
            for turns in inputs
        ]


def _number(turns: Input) -> int:
    """A number of the input alone: what else is asked, and in which order, decides nothing."""
    digest = hashlib.blake2b(shown_text(turns).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big")
