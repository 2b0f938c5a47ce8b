"""Words as states made of the n-grams around them: what reads words where no encoder knows the language."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.utils.rnn import pad_sequence

from zhiling.errors import UsageError
from zhiling.training.reading.features import Cut, Encoded, FeaturePart, Inputs, Segments, Window
from zhiling.training.reading.word_grams import LONGEST_MATCH, TENTHS, grams_of, shared_nearby, shared_runs
from zhiling.training.settings import TrainSettings

DILATIONS = (1, 2, 4, 8)
"""Distances at which each convolution reads, words: together 15 on either side."""
STEP_WIDTH = 16
"""Columns by which a step of the overlap is told."""


class WindowGrams(NamedTuple):
    """The kept n-grams of one window's words, and how long a run each word shares with the other text."""

    places: NDArray[np.int64]
    """Rows of the table, word after word."""
    counts: NDArray[np.int64]
    """How many of them each word has, shape (words,)."""
    shared: NDArray[np.int64]
    """What each word shares with the other text, itself and nearby (see `shared_runs` and `shared_nearby`),
    shape (words, 2); 0 without a second text."""
    segments: NDArray[np.int64]
    """0 for words of the first text, 1 for those of the second, shape (words,)."""


@dataclass(frozen=True)
class NgramTokenInputs:
    """The windows of each sequence with their n-grams."""

    windows: tuple[Window, ...]
    starts: NDArray[np.int64]
    """Where each sequence's windows begin, and the end of the last: shape (n + 1,)."""
    grams: tuple[WindowGrams, ...]

    def lengths(self) -> Sequence[int]:
        """Numbers of words."""
        return [
            sum(len(window.words) for window in self.windows[start:end])
            for start, end in itertools.pairwise(self.starts)
        ]

    def take(self, rows: Sequence[int]) -> NgramTokenInputs:
        """The windows of some sequences."""
        ranges = [range(self.starts[row], self.starts[row + 1]) for row in rows]
        numbers = list(itertools.chain.from_iterable(ranges))
        return NgramTokenInputs(
            tuple(self.windows[number] for number in numbers),
            np.cumsum([0, *map(len, ranges)], dtype=np.int64),
            tuple(self.grams[number] for number in numbers),
        )


class NgramTokens(FeaturePart):
    """A vector per kept n-gram; a word is the sum over those it stands in, read in its context.

    Of a pair each word is told what it shares with the other text: the longest run, how much of the other
    text stands nearby, the words there most like it (aligned by attention), and the other text as a whole.

    Source: Chen et al. 2017, Reading Wikipedia to Answer Open-Domain Questions, section 3.2 (exact match,
    aligned question embedding).
    """

    buckets: torch.Tensor

    def __init__(self, buckets: torch.Tensor, settings: TrainSettings, cut: Cut, *, pairs: bool) -> None:
        super().__init__()
        width = settings.ngram_width
        self.width = 2 * width
        self.cut, self.hashed = cut, settings.ngram_buckets
        self.register_buffer("buckets", buckets)
        self.vectors = nn.EmbeddingBag(len(buckets), width, mode="sum", include_last_offset=True)
        nn.init.normal_(self.vectors.weight, std=width**-0.5)
        self.other = OtherText(width) if pairs else None
        self.dropout = nn.Dropout(settings.dropout)
        self.reader = Reader(self.other.width if self.other else width, self.width, settings.dropout)

    @classmethod
    def learn(cls, sequences: Sequence[Segments], settings: TrainSettings, cut: Cut, *, pairs: bool) -> Self:
        """New vectors for the n-grams of the training texts.

        Raises:
            UsageError: no n-gram occurs in `ngram_min_rows` texts.
        """
        found: Counter[int] = Counter()
        for windows in cut(sequences):
            held = [keys for keys, _ in grams_of(windows, settings.ngram_buckets)]
            found.update(np.unique(np.concatenate(held)).tolist() if held else ())
        kept = sorted(key for key, rows in found.items() if rows >= settings.ngram_min_rows)
        if not kept:
            raise UsageError(
                f"no n-gram occurs in {settings.ngram_min_rows} of the {len(sequences)} training texts",
                hint="Set ngram_min_rows: 1, or features: encoder, or add training rows.",
            )
        return cls(torch.tensor(kept), settings, cut, pairs=pairs)

    def prepare(self, sequences: Sequence[Segments]) -> NgramTokenInputs:
        """Windows, and the kept n-grams of each word in them."""
        cuts = self.cut(sequences)
        windows = [window for each in cuts for window in each]
        buckets = self.buckets.numpy()
        grams: list[WindowGrams] = []
        for window, (keys, counts) in zip(windows, grams_of(windows, self.hashed), strict=True):
            places = np.searchsorted(buckets, keys).clip(max=len(buckets) - 1)
            kept = buckets[places] == keys
            words = np.repeat(np.arange(len(counts)), counts)[kept]
            runs = shared_runs(window.words)
            shared = np.stack([runs, shared_nearby(window.words, runs)], axis=1)
            segments = np.array([word.segment for word in window.words], dtype=np.int64)
            held = np.bincount(words, minlength=len(counts))
            grams.append(WindowGrams(places[kept], held, shared, segments))
        return NgramTokenInputs(tuple(windows), np.cumsum([0, *map(len, cuts)], dtype=np.int64), tuple(grams))

    def forward(self, inputs: Inputs) -> Encoded:
        """States of words where their tokens stand; elsewhere, and as text, the largest over all words."""
        assert isinstance(inputs, NgramTokenInputs)
        words = self.dropout(self._words(inputs.grams))
        counts = torch.tensor([len(each.counts) for each in inputs.grams])
        inside = torch.arange(words.shape[1]) < counts.unsqueeze(1)
        if self.other is not None:
            shared = _padded([torch.as_tensor(each.shared) for each in inputs.grams])
            segments = _padded([torch.as_tensor(each.segments) for each in inputs.grams])
            words = self.other(words, shared, segments, inside)
        states = self.reader(words, inside.unsqueeze(2))
        text = states.masked_fill(~inside.unsqueeze(2), float("-inf")).amax(dim=1)
        text = text.masked_fill(counts.unsqueeze(1) == 0, 0.0)
        places, mask = _token_places(inputs.windows)
        tokens = torch.cat([text.unsqueeze(1), states], dim=1)
        return Encoded(text, tokens.gather(1, places.unsqueeze(2).expand(-1, -1, self.width)), mask)

    def _words(self, grams: Sequence[WindowGrams]) -> torch.Tensor:
        """The sums of each word's n-grams: (windows, most words, width)."""
        places = np.concatenate([each.places for each in grams])
        starts = np.concatenate([[0], np.cumsum(np.concatenate([each.counts for each in grams]))])
        vectors = self.vectors(torch.as_tensor(places), torch.as_tensor(starts))
        return _padded(vectors.split([len(each.counts) for each in grams]))


class Reader(nn.Module):
    """Words in their context: a stack of dilated convolutions, each beside what it reads.

    Of passages of 500 words a step with a bidirectional LSTM took five times as long.

    Source: Strubell et al. 2017, Fast and Accurate Entity Recognition with Iterated Dilated Convolutions.
    """

    def __init__(self, width: int, out: int, dropout: float) -> None:
        super().__init__()
        self.enter = nn.Linear(width, out)
        self.layers = nn.ModuleList(nn.Conv1d(out, out, 3, dilation=far, padding=far) for far in DILATIONS)
        self.norms = nn.ModuleList(nn.LayerNorm(out) for _ in DILATIONS)
        self.dropout = nn.Dropout(dropout)

    def forward(self, words: torch.Tensor, inside: torch.Tensor) -> torch.Tensor:
        """(windows, words, width) → (windows, words, out).

        Args:
            words: vectors of words.
            inside: where a word stands, shape (windows, words, 1): what stands elsewhere is not read.
        """
        states = self.enter(words)
        for layer, norm in zip(self.layers, self.norms, strict=True):
            read = layer((states * inside).mT).mT
            states = norm(states + self.dropout(nn.functional.gelu(read)))
        return states


class OtherText(nn.Module):
    """Beside each word of a pair: its shared run, the words of the other text like it, and that text."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.runs = nn.Embedding(1 + LONGEST_MATCH, STEP_WIDTH)
        self.nearby = nn.Embedding(1 + TENTHS, STEP_WIDTH)
        self.likeness = nn.Sequential(nn.Linear(width, width), nn.ReLU())
        self.width = 3 * width + 2 * STEP_WIDTH

    def forward(
        self, words: torch.Tensor, shared: torch.Tensor, segments: torch.Tensor, inside: torch.Tensor
    ) -> torch.Tensor:
        """(windows, words, width) → (windows, words, 3 width + 32).

        Args:
            words: vectors of words.
            shared: of `WindowGrams`, shape (windows, words, 2).
            segments: 0 or 1, shape (windows, words).
            inside: where a word stands, shape (windows, words).
        """
        across = (segments.unsqueeze(2) != segments.unsqueeze(1)) & inside.unsqueeze(1)
        alone = ~across.any(dim=2, keepdim=True)
        keys = self.likeness(words)
        likeness = (keys @ keys.mT / keys.shape[2] ** 0.5).masked_fill(~across, float("-inf"))
        aligned = likeness.masked_fill(alone, 0.0).softmax(dim=2).masked_fill(alone, 0.0) @ words
        shares = across.to(words.dtype)
        whole = shares @ words / shares.sum(dim=2, keepdim=True).clamp(min=1)
        steps = [self.runs(shared[..., 0]), self.nearby(shared[..., 1])]
        return torch.cat([words, *steps, aligned, whole], dim=2)


def _padded(lines: Sequence[torch.Tensor]) -> torch.Tensor:
    """Lines of different length under one another, zeros behind the shorter; at least one place wide."""
    padded = pad_sequence(list(lines), batch_first=True)
    return padded if padded.shape[1] else padded.new_zeros(len(lines), 1, *padded.shape[2:])


def _token_places(windows: Sequence[Window]) -> tuple[torch.Tensor, torch.Tensor]:
    """For each token 1 + the number of the word that begins there, else 0; and where tokens stand."""
    shape = (len(windows), max(len(window.ids) for window in windows))
    places, mask = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
    for row, window in enumerate(windows):
        mask[row, : len(window.ids)] = 1
        for number, word in enumerate(window.words):
            places[row, word.token] = 1 + number
    return torch.as_tensor(places), torch.as_tensor(mask)
