"""The pretrained encoder inside a model: its vectors computed once, or its network run at each step."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch.nn.functional import normalize

from zhiling.encoders.local_model import LocalModel, pool
from zhiling.encoders.transformer import TransformerEncoder
from zhiling.training.features import FeaturePart, Inputs
from zhiling.training.tasks.task import Encoded


@dataclass(frozen=True)
class VectorInputs:
    """Finished vectors, shape (n, width)."""

    vectors: torch.Tensor

    def lengths(self) -> Sequence[int]:
        """All 0: vectors need no padding."""
        return [0] * len(self.vectors)

    def take(self, rows: Sequence[int]) -> VectorInputs:
        """The vectors of some texts."""
        return VectorInputs(self.vectors[torch.as_tensor(rows, dtype=torch.int64)])


@dataclass(frozen=True)
class TokenInputs:
    """Token ids of each text; `empty` texts hold nothing but the special tokens."""

    token_ids: tuple[list[int], ...]
    empty: tuple[bool, ...]

    def lengths(self) -> Sequence[int]:
        """Numbers of tokens."""
        return [len(ids) for ids in self.token_ids]

    def take(self, rows: Sequence[int]) -> TokenInputs:
        """The tokens of some texts."""
        return TokenInputs(tuple(self.token_ids[row] for row in rows), tuple(self.empty[row] for row in rows))


class FrozenEncoder(FeaturePart):
    """The encoder's vectors, computed outside the loop and kept in memory: all seeds and arms share them."""

    def __init__(self, encoder: TransformerEncoder) -> None:
        super().__init__()
        self.encoder = encoder
        self.width = encoder.dimension

    def prepare(self, texts: Sequence[str]) -> VectorInputs:
        """The vectors, scaled so that a coordinate has a mean square of 1."""
        return VectorInputs(torch.as_tensor(self.encoder.encode(texts)) * self.width**0.5)

    def forward(self, inputs: Inputs) -> Encoded:
        """The vectors as they are."""
        assert isinstance(inputs, VectorInputs)
        return Encoded(inputs.vectors)


class TunedEncoder(FeaturePart):
    """A copy of the encoder's network that runs, and may be tuned, inside the loop."""

    def __init__(self, model: LocalModel, max_tokens: int | None) -> None:
        super().__init__()
        self.model = model
        self.network = copy.deepcopy(model.network)
        self.width = model.width
        self.max_tokens = min(max_tokens or model.max_tokens, model.max_tokens)

    def prepare(self, texts: Sequence[str]) -> TokenInputs:
        """Token ids, computed once."""
        return TokenInputs(
            tuple(self.model.tokenise(texts, self.max_tokens)), tuple(not text.strip() for text in texts)
        )

    def forward(self, inputs: Inputs) -> Encoded:
        """Vectors and states of tokens; an untuned network gives what `FrozenEncoder` gives."""
        assert isinstance(inputs, TokenInputs)
        padded = self.model.pad(inputs.token_ids)
        mask = padded["attention_mask"]
        states = self.network(**padded).last_hidden_state
        vectors = normalize(pool(states, mask, self.model.pooling), dim=1) * self.width**0.5
        empty = torch.tensor(inputs.empty).unsqueeze(1)
        return Encoded(vectors.masked_fill(empty, 0.0), states, mask)
