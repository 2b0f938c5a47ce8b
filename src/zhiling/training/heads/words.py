"""Words of windows as vectors: the encoder's state of each word's first token, and what its letters show."""

from __future__ import annotations

import torch
from torch import nn

from zhiling.training.reading.features import Encoded, Prepared
from zhiling.training.reading.letters import Letters


class WordStates(nn.Module):
    """The state of each word: (windows, words, width), with `letters` what its letters show beside it."""

    def __init__(self, width: int, *, letters: bool, dropout: float) -> None:
        super().__init__()
        self.letters = Letters() if letters else None
        self.width = width + (Letters.width if letters else 0)
        self.dropout = nn.Dropout(dropout)

    def forward(self, encoded: Encoded, prepared: Prepared) -> tuple[torch.Tensor, torch.Tensor]:
        """States, and how many words each window has (int64, shape (windows,))."""
        assert encoded.tokens is not None
        words = [window.words for windows in prepared.windows for window in windows]
        counts = torch.tensor([len(each) for each in words])
        longest = max(1, int(counts.max()))
        first = torch.tensor([[word.token for word in each] + [0] * (longest - len(each)) for each in words])
        states = encoded.tokens.gather(1, first.unsqueeze(2).expand(-1, -1, encoded.tokens.shape[2]))
        if self.letters is not None:
            shown = self.letters([[word.text for word in each] for each in words], longest)
            states = torch.cat([states, shown], dim=2)
        return self.dropout(states), counts
