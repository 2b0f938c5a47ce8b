"""What every update rule is given and gives: a generator that learns from what was judged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from zhiling.adversarial.generators.causal_model import LanguageModel


@dataclass(frozen=True)
class Judged:
    """What a model wrote in a round, and what judges say of it.

    Attributes:
        texts: that it wrote.
        labels: that it wrote them for.
        rewards: of each, the higher the better, shape (n,); NaN where a check refuses it.
    """

    texts: Sequence[str]
    labels: Sequence[str]
    rewards: NDArray[np.float64]


class UpdateRule(Protocol):
    """Makes a model of the next round from this one's."""

    def update(self, model: LanguageModel, judged: Judged, anchors: Judged, seed: int) -> LanguageModel:
        """The model that has learnt from the verdicts; the one given stays as it is.

        Args:
            model: wrote the texts.
            judged: texts and verdicts.
            anchors: the real labelled texts.
            seed: of order and dropout.
        """
        ...
