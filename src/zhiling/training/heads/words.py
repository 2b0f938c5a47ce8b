"""Words of windows as vectors: the encoder's state of each word's first token, and what its letters show."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from zhiling.training.features import Encoded, Prepared, Word

LETTERS = 4096
"""Rows of the letter table: code points by their remainder, and 0 for padding."""
LONGEST = 16
"""Letters of a word that are read."""
LETTER_WIDTH, SHAPE_WIDTH = 48, 16


class WordStates(nn.Module):
    """The state of each word: (windows, words, width).

    Encoders that fold letters to lower case do not see `Apple` and `apple` apart, so letters are read
    beside them: a convolution over the characters, and the word's shape (capitals, digits, marks).

    Source: Ma and Hovy 2016, End-to-end Sequence Labeling via Bi-directional LSTM-CNNs-CRF, section 2.1.
    """

    def __init__(self, width: int, *, letters: bool, dropout: float) -> None:
        super().__init__()
        self.letters = (
            nn.ModuleDict(
                {
                    "table": nn.Embedding(LETTERS, 24, padding_idx=0),
                    "window": nn.Conv1d(24, LETTER_WIDTH, 3, padding=1),
                    "shape": nn.Embedding(len(SHAPES), SHAPE_WIDTH),
                }
            )
            if letters
            else None
        )
        self.width = width + (LETTER_WIDTH + SHAPE_WIDTH if letters else 0)
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
            states = torch.cat([states, self._read(words, longest)], dim=2)
        return self.dropout(states), counts

    def _read(self, words: Sequence[Sequence[Word]], longest: int) -> torch.Tensor:
        """What the letters of each word say: (windows, words, letters and shape)."""
        assert self.letters is not None
        distinct: dict[str, int] = {"": 0}
        places = np.zeros((len(words), longest), dtype=np.int64)
        for row, each in enumerate(words):
            for column, word in enumerate(each):
                places[row, column] = distinct.setdefault(word.text, len(distinct))
        letters = np.zeros((len(distinct), LONGEST), dtype=np.int64)
        for text, row in distinct.items():
            points = [1 + ord(letter) % (LETTERS - 1) for letter in text[:LONGEST]]
            letters[row, : len(points)] = points
        shapes = torch.tensor([shape_of(text) for text in distinct])
        seen = torch.relu(self.letters["window"](self.letters["table"](torch.as_tensor(letters)).mT))
        table = torch.cat([seen.amax(dim=2), self.letters["shape"](shapes)], dim=1)
        return table[torch.as_tensor(places)]


SHAPES = ("", "lower", "capital", "capitals", "mixed", "digits", "digits and letters", "marks")


def shape_of(text: str) -> int:
    """The number of a word's shape in `SHAPES`; letters without case count as lower."""
    if not text:
        return 0
    if any(letter.isdigit() for letter in text):
        return 6 if any(letter.isalpha() for letter in text) else 5
    if not any(letter.isalpha() for letter in text):
        return 7
    if text == text.lower():
        return 1
    if text == text.upper():
        return 3 if len(text) > 1 else 2
    return 2 if text[0].isupper() and text[1:] == text[1:].lower() else 4
