"""RAFT: the best of what a model wrote are learnt beside the real texts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from zhiling.adversarial.generators.causal_model import LanguageModel
from zhiling.adversarial.generators.updates.rule import Judged


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
