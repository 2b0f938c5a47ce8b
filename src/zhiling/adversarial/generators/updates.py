"""How a generator learns from what was judged: a rule a class, one line in `UPDATES`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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


@dataclass(frozen=True)
class Raft:
    """Reward-ranked fine-tuning: the best of each label are learnt beside the real texts, which always stay.

    Source: Dong et al. 2023, RAFT: Reward rAnked FineTuning for Generative Foundation Model Alignment.
    Deviation: the best are taken within each label, so that an easy one does not crowd out the others, and
    the real texts are learnt along, as a model that is fed on itself alone collapses.

    Attributes:
        keep: texts of a label that are learnt, at most; None: all that no check refuses.
    """

    keep: int | None = None

    def update(self, model: LanguageModel, judged: Judged, anchors: Judged, seed: int) -> LanguageModel:
        """The model after as many steps as it was tuned with, on the best and the real texts."""
        best = self.best(judged)
        texts = [*anchors.texts, *(judged.texts[at] for at in best)]
        labels = [*anchors.labels, *(judged.labels[at] for at in best)]
        return model.tuned(texts, labels, model.settings.tuning, seed)

    def best(self, judged: Judged) -> list[int]:
        """Numbers of the texts with the highest rewards of their label, of equal ones the first; sorted."""
        rewards = np.asarray(judged.rewards, dtype=np.float64)
        count: dict[str, int] = {}
        best: list[int] = []
        for at in map(int, np.argsort(-rewards, kind="stable")):
            label = judged.labels[at]
            taken = count.get(label, 0)
            if np.isnan(rewards[at]) or (self.keep is not None and taken == self.keep):
                continue
            count[label] = taken + 1
            best.append(at)
        return sorted(best)


UPDATES: Mapping[str, UpdateRule] = {"raft": Raft()}
"""The rules that a generator's setting `update` names."""
