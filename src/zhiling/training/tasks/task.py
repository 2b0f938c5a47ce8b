"""What every task provides, so that loop, methods and checkpoints need not know which one they train."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, Self

import torch
from torch import nn

from zhiling.training.examples import Examples, Predictions
from zhiling.training.settings import TrainSettings

Level = Literal["text", "token"]


@dataclass(frozen=True)
class Encoded:
    """What a head reads."""

    text: torch.Tensor
    """One vector per text, shape (batch, width)."""
    tokens: torch.Tensor | None = None
    """The encoder's states, shape (batch, tokens, encoder width); only for tasks of level "token"."""
    mask: torch.Tensor | None = None
    """1 where a token stands, 0 where the batch is padded, shape (batch, tokens)."""


class Task(ABC):
    """One kind of target: its head, its loss, and the way from targets to tensors and back."""

    name: ClassVar[str]
    level: ClassVar[Level] = "text"
    """"token" where the head reads states of tokens: the encoder then runs inside the loop."""

    @classmethod
    @abstractmethod
    def learn(cls, examples: Examples, settings: TrainSettings) -> Self:
        """The task with what it takes from the training targets: the set of labels, for example.

        Raises:
            UsageError: nothing can be learnt from these targets.
        """

    @classmethod
    @abstractmethod
    def restore(cls, state: Mapping[str, object], settings: TrainSettings) -> Self:
        """The task that gave this `state`.

        Raises:
            ValueError: the state is not one of this task's.
        """

    @abstractmethod
    def state(self) -> dict[str, object]:
        """What `learn` took, as JSON values."""

    @abstractmethod
    def head(self, width: int) -> nn.Module:
        """A new head: its forward takes `Encoded` with texts of that width, and gives the outputs."""

    @abstractmethod
    def unknown(self, targets: Sequence[str]) -> dict[str, int]:
        """Targets that this task can never predict, with how often each occurs."""

    @abstractmethod
    def collate(self, targets: Sequence[str]) -> torch.Tensor:
        """The targets of a training batch as a tensor."""

    @abstractmethod
    def loss(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """The mean loss of a batch, a scalar."""

    @abstractmethod
    def decode(self, outputs: torch.Tensor) -> Predictions:
        """The answers that the outputs of any number of texts stand for."""
