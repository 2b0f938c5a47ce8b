"""Texts to what a head reads: parts side by side, each with its own inputs, prepared once per text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, cast

import numpy as np
import torch
from torch import nn

from zhiling.training.tasks.task import Encoded


class Inputs(Protocol):
    """What a part needs of each text: token ids, a vector, n-grams."""

    def lengths(self) -> Sequence[int]:
        """What each text costs, in any unit: texts of like length share a batch."""
        ...

    def take(self, rows: Sequence[int]) -> Inputs:
        """The inputs of some texts, in the order given."""
        ...


class FeaturePart(nn.Module):
    """One way from texts to vectors."""

    width: int
    """Columns of the vectors."""

    def prepare(self, texts: Sequence[str]) -> Inputs:
        """What `forward` will need of each text; done once, outside the loop."""
        raise TypeError(f"{type(self).__name__} must say how it prepares texts")

    def forward(self, inputs: Inputs) -> Encoded:
        """The vectors of a batch."""
        raise TypeError(f"{type(self).__name__} must say how it encodes a batch")


@dataclass(frozen=True)
class Prepared:
    """The inputs of all parts for the same texts."""

    parts: tuple[Inputs, ...]

    def lengths(self) -> Sequence[int]:
        """What each text costs: the sum over the parts."""
        return np.sum([part.lengths() for part in self.parts], axis=0).tolist()

    def take(self, rows: Sequence[int]) -> Prepared:
        """The inputs of some texts, in the order given."""
        return Prepared(tuple(part.take(rows) for part in self.parts))


class JoinedFeatures(nn.Module):
    """All parts' vectors, one beside the other."""

    def __init__(self, parts: Sequence[FeaturePart]) -> None:
        super().__init__()
        self.parts = nn.ModuleList(parts)

    def _parts(self) -> Iterator[FeaturePart]:
        """The parts, with their type."""
        for part in self.parts:
            yield cast(FeaturePart, part)

    @property
    def width(self) -> int:
        """Columns of the joined vectors."""
        return sum(part.width for part in self._parts())

    def prepare(self, texts: Sequence[str]) -> Prepared:
        """What `forward` will need of each text."""
        return Prepared(tuple(part.prepare(texts) for part in self._parts()))

    def forward(self, inputs: Prepared) -> Encoded:
        """Vectors of shape (batch, width); states of tokens where a part has them."""
        encoded = [part(taken) for part, taken in zip(self.parts, inputs.parts, strict=True)]
        with_tokens = next((part for part in encoded if part.tokens is not None), None)
        return Encoded(
            text=torch.cat([part.text for part in encoded], dim=1),
            tokens=with_tokens.tokens if with_tokens else None,
            mask=with_tokens.mask if with_tokens else None,
        )
