"""Features and head in one network, and how it answers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import cast

import torch
from torch import nn

from zhiling.training.backbones import TunedEncoder
from zhiling.training.features import FeaturePart, JoinedFeatures, Prepared


class TaskModel(nn.Module):
    """Prepared texts to the outputs of a head."""

    def __init__(self, features: JoinedFeatures, head: nn.Module) -> None:
        super().__init__()
        self.features = features
        self.head = head

    def forward(self, inputs: Prepared) -> torch.Tensor:
        """The head's outputs for a batch."""
        return self.head(self.features(inputs))

    def prepare(self, texts: Sequence[str]) -> Prepared:
        """What `forward` needs of each text; done once per text."""
        return self.features.prepare(texts)

    def outputs(self, inputs: Prepared, batch_size: int) -> torch.Tensor:
        """The outputs for any number of texts, in their order, without gradients or dropout."""
        self.eval()
        lengths = inputs.lengths()
        order = sorted(range(len(lengths)), key=lengths.__getitem__)
        with torch.inference_mode():
            pieces = [
                self(inputs.take(order[start : start + batch_size]))
                for start in range(0, len(order), batch_size)
            ]
            together = torch.cat(pieces)
        back = torch.empty(len(order), dtype=torch.int64)
        back[torch.tensor(order)] = torch.arange(len(order))
        return together[back]

    def tuned_encoder(self) -> TunedEncoder | None:
        """The encoder that runs inside the model, if there is one."""
        return next((part for part in self._parts() if isinstance(part, TunedEncoder)), None)

    def own_state(self) -> dict[str, torch.Tensor]:
        """Copies of all weights but a tuned encoder's: what is saved beside it."""
        return {
            name: value.detach().clone()
            for name, value in self.state_dict().items()
            if ".network." not in name
        }

    def tuned_state(self) -> dict[str, torch.Tensor]:
        """Copies of the weights that training moves."""
        return {
            name: weight.detach().clone() for name, weight in self.named_parameters() if weight.requires_grad
        }

    def tuned_weights(self) -> int:
        """How many numbers training moves."""
        return sum(weight.numel() for weight in self.parameters() if weight.requires_grad)

    def _parts(self) -> Iterator[FeaturePart]:
        """The feature parts, with their type."""
        for part in self.features.parts:
            yield cast(FeaturePart, part)
