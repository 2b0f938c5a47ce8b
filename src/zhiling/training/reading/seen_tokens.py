"""While a model is tuned, its table of token vectors holds only the tokens that the training texts have.

A vocabulary has some 30,000 tokens, and a few thousand of them occur. The gradient of all others is 0, yet
clearing it, clipping it and AdamW pass over them at each step: of MiniLM, half of all weights, and a fifth of
the time of a step in bf16.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, cast

import torch
from torch import nn
from torch.nn.functional import embedding

from zhiling.training.model import TaskModel
from zhiling.training.reading.backbones import TokenInputs
from zhiling.training.reading.features import Prepared

SHARE = 0.5
"""Where more of the table than this is seen, it stays as it is."""


class SeenTokens(nn.Module):
    """Tuned vectors of the tokens that are seen; all others are looked up in the table they came from.

    Deviation: the table's other rows stay as they are, where AdamW would shrink them by their decay alone.
    """

    places: torch.Tensor

    def __init__(self, table: nn.Embedding, seen: torch.Tensor) -> None:
        super().__init__()
        self.weight = nn.Parameter(table.weight.detach()[seen], requires_grad=table.weight.requires_grad)
        places = torch.full((len(table.weight),), -1)
        places[seen] = torch.arange(len(seen))
        self.register_buffer("places", places, persistent=False)
        self.seen = seen
        self._whole = (table,)  # not a module of this one: its weights do not move

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """The vectors of the tokens; the padding's gets no gradient, as in the table."""
        (table,) = self._whole
        places = self.places[ids]
        known = places >= 0
        padding = None if table.padding_idx is None else int(self.places[table.padding_idx])
        vectors = embedding(places.clamp(min=0), self.weight, padding)
        if known.all():
            return vectors
        return torch.where(known.unsqueeze(-1), vectors, table(ids).detach())

    def whole(self) -> nn.Embedding:
        """The table with the tuned vectors in their places."""
        (table,) = self._whole
        with torch.no_grad():
            table.weight[self.seen] = self.weight
        return table


@contextmanager
def only_seen_tokens(model: TaskModel, inputs: Prepared) -> Generator[None]:
    """The model's encoder with such a table, where its table is tuned; afterwards with the whole one."""
    tuned = model.tuned_encoder()
    network = cast(Any, tuned.network if tuned else nn.Identity())
    table = network.get_input_embeddings() if tuned else None
    tokens = inputs.parts[0]
    if not isinstance(table, nn.Embedding) or not table.weight.requires_grad:
        yield
        return
    assert isinstance(tokens, TokenInputs)
    occurring = {token for window in tokens.windows for token in window.ids}
    seen = torch.tensor(sorted(occurring | {table.padding_idx or 0}))
    if len(seen) > SHARE * len(table.weight):
        yield
        return
    small = SeenTokens(table, seen)
    network.set_input_embeddings(small)
    try:
        yield
    finally:
        network.set_input_embeddings(small.whole())
