"""Texts to what a head reads: parts side by side, each with its own inputs, prepared once per text."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Protocol, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn


class Segments(NamedTuple):
    """What an encoder reads at once: a text, or two that it tells apart."""

    first: str
    second: str | None = None


class Word(NamedTuple):
    """A word of a window: its first token, its place in the text of its segment, and its letters."""

    token: int
    start: int
    end: int
    segment: int
    text: str
    tokens: int = 1
    """How many it has, from `token` on."""

    def touches(self, start: int, end: int) -> bool:
        """Whether it shares a character with a piece of its segment's text."""
        return self.start < end and start < self.end


@dataclass(frozen=True)
class Window:
    """A sequence, or a part of a long one, as tokens."""

    ids: Sequence[int]
    types: Sequence[int]
    """0 for tokens of the first segment, 1 for those of the second."""
    words: Sequence[Word] = ()
    """In order; none where the task reads texts as wholes."""

    def cover(self, start: int, end: int, segment: int = 0) -> tuple[int, int] | None:
        """Numbers of the first and the last word of a piece; None where the window does not hold it whole."""
        inside = [
            number
            for number, word in enumerate(self.words)
            if word.segment == segment and word.touches(start, end)
        ]
        if not inside:
            return None
        first, last = inside[0], inside[-1]
        whole = self.words[first].start <= start and end <= self.words[last].end
        return (first, last) if whole else None


Cut = Callable[[Sequence[Segments]], list[list[Window]]]
"""Sequences to the windows of each."""


@dataclass(frozen=True)
class Encoded:
    """What a head reads: one line per window; a sequence has one window unless the task reads tokens."""

    text: torch.Tensor
    """One vector per window, shape (windows, width)."""
    tokens: torch.Tensor | None = None
    """States of tokens, shape (windows, tokens, width)."""
    mask: torch.Tensor | None = None
    """1 where a token stands, 0 where the batch is padded, shape (windows, tokens)."""

    def in_fp32(self) -> Encoded:
        """The same, whatever it was computed in."""
        return replace(
            self, text=self.text.float(), tokens=None if self.tokens is None else self.tokens.float()
        )


class Inputs(Protocol):
    """What a part needs of each sequence: token ids, a vector, n-grams."""

    def lengths(self) -> Sequence[int]:
        """What each sequence costs, in any unit: inputs of like length share a batch."""
        ...

    def take(self, rows: Sequence[int]) -> Inputs:
        """The inputs of some sequences, in the order given."""
        ...


class FeaturePart(nn.Module):
    """One way from texts to vectors."""

    width: int
    """Columns of the vectors."""

    def prepare(self, sequences: Sequence[Segments]) -> Inputs:
        """What `forward` will need of each sequence; done once, outside the loop."""
        raise TypeError(f"{type(self).__name__} must say how it prepares texts")

    def count_cut(self, sequences: Sequence[Segments]) -> int:
        """How many sequences are longer than what is read of one."""
        return 0

    def forward(self, inputs: Inputs) -> Encoded:
        """The vectors of a batch."""
        raise TypeError(f"{type(self).__name__} must say how it encodes a batch")


@dataclass(frozen=True)
class Prepared:
    """The inputs of all parts for the same examples; an example has one sequence, or several."""

    parts: tuple[Inputs, ...]
    starts: NDArray[np.int64]
    """Where each example's sequences begin, and the end of the last: shape (examples + 1,)."""

    def __len__(self) -> int:
        """Number of examples."""
        return len(self.starts) - 1

    @property
    def counts(self) -> list[int]:
        """How many sequences each example has."""
        return np.diff(self.starts).tolist()

    def lengths(self) -> list[int]:
        """What each example costs: the sum over its sequences and the parts."""
        costs = np.sum([part.lengths() for part in self.parts], axis=0)
        ends = np.concatenate([[0], np.cumsum(costs)])
        return (ends[self.starts[1:]] - ends[self.starts[:-1]]).tolist()

    @property
    def windows(self) -> list[list[Window]]:
        """The windows of each example, where its words are read."""
        part = self.parts[0]
        starts = cast(Any, part).starts[self.starts]
        windows = cast(Any, part).windows
        return [list(windows[start:end]) for start, end in itertools.pairwise(starts)]

    def take(self, rows: Sequence[int]) -> Prepared:
        """The inputs of some examples, in the order given."""
        counts = np.diff(self.starts)[rows]
        starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        within = np.arange(int(starts[-1])) - np.repeat(starts[:-1], counts)
        sequences = (np.repeat(self.starts[:-1][rows], counts) + within).tolist()
        return Prepared(tuple(part.take(sequences) for part in self.parts), starts)

    def piece(self, rows: Sequence[int], batch: Sequence[int]) -> Prepared:
        """The inputs of a piece of a batch: of some of its examples, with what these need of the others."""
        return self.take(rows)


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

    def prepare(self, examples: Sequence[Sequence[Segments]]) -> Prepared:
        """What `forward` will need of each example's sequences; equal ones are read once."""
        sequences = [each for example in examples for each in example]
        starts = np.cumsum([0, *map(len, examples)], dtype=np.int64)
        places = {each: place for place, each in enumerate(dict.fromkeys(sequences))}
        parts = tuple(part.prepare(list(places)) for part in self._parts())
        if len(places) < len(sequences):
            parts = tuple(part.take([places[each] for each in sequences]) for part in parts)
        return Prepared(parts, starts)

    def forward(self, inputs: Prepared) -> Encoded:
        """Vectors of shape (windows, width); states of tokens where a part has them."""
        encoded = [part(taken) for part, taken in zip(self.parts, inputs.parts, strict=True)]
        if len(encoded) == 1:
            return encoded[0]
        tokens = [part.tokens for part in encoded if part.tokens is not None]
        return Encoded(
            text=torch.cat([part.text for part in encoded], dim=1),
            tokens=torch.cat(tokens, dim=2) if tokens else None,
            mask=next((part.mask for part in encoded if part.mask is not None), None),
        )
