"""What the letters of words show: a convolution over their characters, and their shape.

Encoders that fold letters to lower case read `Apple` and `apple` alike.

Source: Ma and Hovy 2016, End-to-end Sequence Labeling via Bi-directional LSTM-CNNs-CRF, section 2.1.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from zhiling.training.reading.features import Window

LETTERS = 4096
"""Rows of the letter table: code points by their remainder, and 0 for padding."""
LONGEST = 16
"""Letters of a word that are read."""
LETTER_WIDTH, SHAPE_WIDTH = 48, 16
SHAPES = ("", "lower", "capital", "capitals", "mixed", "digits", "digits and letters", "marks")
CAREFUL = 0.1
"""What letters add to a token's vector, times this: those vectors are small, and the head's rate is high.
Without it a training at .003 did not learn at all."""


class Letters(nn.ModuleDict):
    """Vectors of words, of LETTER_WIDTH + SHAPE_WIDTH columns."""

    width = LETTER_WIDTH + SHAPE_WIDTH

    def __init__(self) -> None:
        super().__init__(
            {
                "table": nn.Embedding(LETTERS, 24, padding_idx=0),
                "window": nn.Conv1d(24, LETTER_WIDTH, 3, padding=1),
                "shape": nn.Embedding(len(SHAPES), SHAPE_WIDTH),
            }
        )

    def forward(self, rows: Sequence[Sequence[str]], longest: int) -> torch.Tensor:
        """The vector of each word of each row, shape (rows, longest, width); rows are filled with ""."""
        distinct: dict[str, int] = {"": 0}
        places = np.zeros((len(rows), longest), dtype=np.int64)
        for row, words in enumerate(rows):
            places[row, : len(words)] = [distinct.setdefault(word, len(distinct)) for word in words]
        letters = np.zeros((len(distinct), LONGEST), dtype=np.int64)
        for text, row in distinct.items():
            points = [1 + ord(letter) % (LETTERS - 1) for letter in text[:LONGEST]]
            letters[row, : len(points)] = points
        shapes = torch.tensor([shape_of(text) for text in distinct])
        seen = torch.relu(self["window"](self["table"](torch.as_tensor(letters)).mT))
        return torch.cat([seen.amax(dim=2), self["shape"](shapes)], dim=1)[torch.as_tensor(places)]


class LetterInput(nn.Module):
    """What the letters of its word add to each token's vector, before the encoder reads it; at first nothing.

    So the layers of the encoder see letters in their context, not the head alone.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.letters = Letters()
        self.out = nn.Linear(Letters.width, width, bias=False)
        nn.init.zeros_(self.out.weight)

    def forward(self, windows: Sequence[Window], longest: int) -> torch.Tensor:
        """Shape (windows, longest, width): 0 for tokens that no word has."""
        rows = [token_words(window) for window in windows]
        known = torch.tensor([[bool(word) for word in row] + [False] * (longest - len(row)) for row in rows])
        return CAREFUL * self.out(self.letters(rows, longest)) * known.unsqueeze(2)


def token_words(window: Window) -> list[str]:
    """The word of each token; "" for special tokens."""
    found = [""] * len(window.ids)
    for word in window.words:
        found[word.token : word.token + word.tokens] = [word.text] * word.tokens
    return found


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
