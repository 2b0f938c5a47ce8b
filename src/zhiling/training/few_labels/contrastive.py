"""Tuning the encoder by contrast: seeds of a label come together, those of others apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import torch
from torch import nn
from torch.nn.functional import normalize

from zhiling.encoders.semi_supervised.seeds import Vectors
from zhiling.training.examples import Examples
from zhiling.training.fit import build_encoder_part
from zhiling.training.model import TaskModel
from zhiling.training.objectives import supervised_contrastive
from zhiling.training.reading.features import Encoded, JoinedFeatures, Prepared
from zhiling.training.reading.seen_tokens import only_seen_tokens
from zhiling.training.running.loop import Material, Training, run_epoch
from zhiling.training.settings import TrainSettings
from zhiling.training.tasks.classification import Classification

TEMPERATURE = 0.05


class ProxyHead(nn.Module):
    """A direction per class that texts are compared with, beside the other texts of the batch."""

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.proxies = nn.Parameter(torch.zeros(classes, width))

    def forward(self, encoded: Encoded, prepared: Prepared) -> torch.Tensor:
        """Cosines divided by the temperature, (n, classes + n); −inf from a text to itself."""
        with torch.autocast("cpu", enabled=False):  # the third digit of a cosine counts
            texts = normalize(encoded.text.float(), dim=1)
            keys = torch.cat([normalize(self.proxies, dim=1), texts])
            logits = texts @ keys.T / TEMPERATURE
            own = torch.arange(len(texts))
            return logits.index_put((own, len(self.proxies) + own), torch.tensor(float("-inf")))


class Contrast(Classification):
    """Every text of a batch with every other, and with every class: no list of pairs is drawn.

    A batch of n texts compares n (n − 1 + K) times, and encodes n times; pairs encode twice a comparison.
    With one proxy per class even a class with one seed in the batch has something to come near to.

    Source: Tunstall et al. 2022, Efficient Few-Shot Learning Without Prompts; Khosla et al. 2020, Supervised
    Contrastive Learning; Cui et al. 2021, Parametric Contrastive Learning (the proxies).
    """

    name: ClassVar[str] = "contrast"

    def head(self, width: int) -> nn.Module:
        """A proxy per label."""
        return ProxyHead(width, len(self.labels))

    def loss(self, outputs: torch.Tensor, truths: Sequence[int]) -> torch.Tensor:
        """The supervised contrastive loss, in nats."""
        numbers = torch.tensor(truths)
        proxies = numbers.unsqueeze(1) == torch.arange(len(self.labels))
        mates = (numbers.unsqueeze(1) == numbers) & ~torch.eye(len(numbers), dtype=torch.bool)
        return supervised_contrastive(outputs, torch.cat([proxies, mates], dim=1))


def tune(
    settings: TrainSettings, task: Classification, seeds: Examples, prototypes: Vectors
) -> JoinedFeatures:
    """The encoder's features, tuned on the seeds; torch's generator decides order and dropout.

    Args:
        settings: of the tuning: its method, epochs, batch size and rates.
        task: with all labels.
        seeds: what is learnt from.
        prototypes: where the proxies start, of the encoder as it is, shape (classes, width).
    """
    contrast = Contrast(task.labels, settings)
    model = TaskModel(contrast, JoinedFeatures([build_encoder_part(settings, contrast)]))
    with torch.no_grad():
        model.get_parameter("head.proxies").copy_(torch.as_tensor(np.ascontiguousarray(prototypes)))
    inputs = contrast.material(model, seeds)
    material = Material(seeds, inputs, contrast.truths(seeds, inputs))
    with only_seen_tokens(model, inputs):
        training = Training.start(model, settings, len(seeds))
        for epoch in range(1, settings.epochs + 1):
            model.begin_epoch(epoch, settings)
            run_epoch(training, material)
    model.eval()
    return model.features
