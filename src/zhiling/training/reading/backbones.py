"""The pretrained encoder inside a model: its vectors computed once, or its network run at each step."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.functional import normalize

from zhiling.encoders.local_model import LocalModel, pool
from zhiling.encoders.transformer import TransformerEncoder
from zhiling.pipeline.registry import load as load_component
from zhiling.training.methods.method import Method
from zhiling.training.reading.attention import use_faster_attention
from zhiling.training.reading.features import Encoded, FeaturePart, Inputs, Segments, Window
from zhiling.training.reading.letters import LetterInput
from zhiling.training.reading.still_layers import given, rest
from zhiling.training.reading.token_memory import memory_of
from zhiling.training.reading.windows import count_longer, cut, pad
from zhiling.training.saving.standard_heads import open_network
from zhiling.training.settings import TrainSettings


@dataclass(frozen=True)
class VectorInputs:
    """Finished vectors, shape (n, width)."""

    vectors: torch.Tensor

    def lengths(self) -> Sequence[int]:
        """All 0: vectors need no padding."""
        return [0] * len(self.vectors)

    def take(self, rows: Sequence[int]) -> VectorInputs:
        """The vectors of some sequences."""
        return VectorInputs(self.vectors[torch.as_tensor(rows, dtype=torch.int64)])


@dataclass(frozen=True)
class TokenInputs:
    """The windows of each sequence; `empty` sequences hold nothing but the special tokens."""

    windows: tuple[Window, ...]
    starts: NDArray[np.int64]
    """Where each sequence's windows begin, and the end of the last: shape (n + 1,)."""
    empty: tuple[bool, ...]
    states: tuple[torch.Tensor, ...] = ()
    """What the layers that do not move say of each window, (tokens, width); empty: not computed before."""

    def lengths(self) -> Sequence[int]:
        """Numbers of tokens."""
        return [
            sum(len(window.ids) for window in self.windows[start:end])
            for start, end in zip(self.starts[:-1], self.starts[1:], strict=True)
        ]

    def take(self, rows: Sequence[int]) -> TokenInputs:
        """The windows of some sequences."""
        taken = [range(self.starts[row], self.starts[row + 1]) for row in rows]
        numbers = list(itertools.chain.from_iterable(taken))
        return TokenInputs(
            tuple(self.windows[number] for number in numbers),
            np.cumsum([0, *map(len, taken)], dtype=np.int64),
            tuple(self.empty[row] for row in rows),
            tuple(self.states[number] for number in numbers) if self.states else (),
        )


class FrozenEncoder(FeaturePart):
    """The encoder's vectors, computed outside the loop and kept in memory: all seeds and arms share them.

    A pair's vector is [u, v, |u - v|, u · v] of the two texts' vectors.

    Source: Conneau et al. 2017, Supervised Learning of Universal Sentence Representations, section 3.1.
    """

    def __init__(self, encoder: TransformerEncoder, *, pairs: bool = False) -> None:
        super().__init__()
        self.encoder, self.pairs = encoder, pairs
        self.width = encoder.dimension * (4 if pairs else 1)

    def prepare(self, sequences: Sequence[Segments]) -> VectorInputs:
        """The vectors, scaled so that a coordinate of a text has a mean square of 1."""
        scale = self.encoder.dimension**0.5
        first = torch.as_tensor(self.encoder.encode([each.first for each in sequences])) * scale
        if not self.pairs:
            return VectorInputs(first)
        second = torch.as_tensor(self.encoder.encode([each.second or "" for each in sequences])) * scale
        return VectorInputs(torch.cat([first, second, (first - second).abs(), first * second], dim=1))

    def count_cut(self, sequences: Sequence[Segments]) -> int:
        """Texts that are longer than the encoder reads; a pair's texts are read one by one."""
        model = self.encoder.load()
        longest = min(self.encoder.max_tokens or model.max_tokens, model.max_tokens)
        texts = [Segments(text) for each in sequences for text in each if text is not None]
        return count_longer(model.tokenizer, texts, longest)

    def forward(self, inputs: Inputs) -> Encoded:
        """The vectors as they are."""
        assert isinstance(inputs, VectorInputs)
        return Encoded(inputs.vectors)


class TunedEncoder(FeaturePart):
    """A copy of the encoder's network that runs, and may be tuned, inside the loop."""

    def __init__(
        self, model: LocalModel, settings: TrainSettings, *, words: bool = False, letters: bool = False
    ) -> None:
        super().__init__()
        self.model, self.words = model, words
        self.letters = LetterInput(model.width) if letters else None
        self.method: Method = load_component("method", settings.method)()
        self.opened: str | None = None
        """Where a standard head's last layer goes in the network; None: the network ends in states."""
        if settings.head == "standard" and not words:
            found = open_network(model)
            network, self.opened, self.width = found.network, found.place, found.width
        else:
            network, self.width = copy.deepcopy(model.network), model.width
        if settings.precision != "fp32":
            use_faster_attention(network)
        self.network = self.method.apply(network, settings)
        if settings.encoder_dropout is not None:
            for module in self.network.modules():
                if isinstance(module, nn.Dropout):
                    module.p = settings.encoder_dropout
        max_tokens = settings.max_tokens
        self.max_tokens = min(max_tokens or model.max_tokens, model.max_tokens)

    def cut(self, sequences: Sequence[Segments]) -> list[list[Window]]:
        """The windows of each sequence; those that were cut before in this process are remembered."""
        tokenizer, longest, words = self.model.tokenizer, self.max_tokens, self.words

        def anew(some: Sequence[Segments]) -> list[list[Window]]:
            return cut(tokenizer, some, longest, words=words)

        return memory_of(tokenizer).windows((longest, words), sequences, anew)

    def prepare(self, sequences: Sequence[Segments]) -> TokenInputs:
        """Tokens, computed once; long sequences are cut, or in windows where words are read."""
        cuts = self.cut(sequences)
        return TokenInputs(
            tuple(window for windows in cuts for window in windows),
            np.cumsum([0, *map(len, cuts)], dtype=np.int64),
            tuple(not (each.first.strip() or (each.second or "").strip()) for each in sequences),
        )

    def count_cut(self, sequences: Sequence[Segments]) -> int:
        """Sequences that are longer than the encoder reads; none where words are read, window by window."""
        return 0 if self.words else count_longer(self.model.tokenizer, sequences, self.max_tokens)

    def forward(self, inputs: Inputs) -> Encoded:
        """Vectors and states of tokens; an untuned network gives what `FrozenEncoder` gives of one text."""
        assert isinstance(inputs, TokenInputs)
        output, mask = self.run(inputs.windows, inputs.states)
        if self.opened:
            return Encoded(output.logits)
        states = output.last_hidden_state[:, -mask.shape[1] :]  # behind learnt prompts
        vectors = normalize(pool(states, mask, self.model.pooling), dim=1) * self.width**0.5
        empty = torch.tensor(np.repeat(inputs.empty, np.diff(inputs.starts))).unsqueeze(1)
        return Encoded(vectors.masked_fill(empty, 0.0), states, mask)

    def run(self, windows: Sequence[Window], known: Sequence[torch.Tensor] = ()) -> tuple[Any, torch.Tensor]:
        """The network's output for windows, padded to the longest, and their mask.

        Args:
            windows: a batch.
            known: what the still layers say of each window; none: they compute it.
        """
        padded = pad(self.model.tokenizer, windows)
        if not self.method.reads_pairs:  # which would drop them with a warning
            padded.pop("token_type_ids", None)
        mask = padded["attention_mask"]
        if self.letters is not None:
            vectors = cast(Any, self.network).get_input_embeddings()(padded.pop("input_ids"))
            padded["inputs_embeds"] = vectors + self.letters(windows, mask.shape[1])
        with given(self.network, known):
            return self.network(**padded), mask

    def train(self, mode: bool = True) -> Self:
        """Layers that do not move stay in evaluation mode: they have no dropout."""
        super().train(mode)
        if mode and self.letters is None:
            rest(self.network)
        return self
