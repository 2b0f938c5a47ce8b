"""Questions with the answers that they are learnt from: their own, and wrong ones that look alike."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from zhiling.training.reading.features import Prepared

QUESTIONS_AT_ONCE = 256


@dataclass(frozen=True)
class Questions(Prepared):
    """Questions, and behind them the answers that any of them is learnt from: together they are a batch.

    Attributes:
        drawn: numbers of each question's answers: its own, then hard negatives.
        answers: numbers of the answers that stand behind the questions.
    """

    drawn: tuple[tuple[int, ...], ...] = ()
    answers: tuple[int, ...] = ()

    def __len__(self) -> int:
        """Number of questions."""
        return len(self.drawn)

    def lengths(self) -> list[int]:
        """What each question costs."""
        return super().lengths()[: len(self)]

    def take(self, rows: Sequence[int]) -> Questions:
        """Some questions with their answers, each answer once."""
        return self.piece(rows, rows)

    def piece(self, rows: Sequence[int], batch: Sequence[int]) -> Questions:
        """Some questions of a batch with the answers of all: in pieces the negatives are the same."""
        wanted = sorted({answer for row in batch for answer in self.drawn[row]})
        places = {answer: len(self) + place for place, answer in enumerate(self.answers)}
        taken = super().take([*rows, *(places[answer] for answer in wanted)])
        return Questions(taken.parts, taken.starts, tuple(self.drawn[row] for row in rows), tuple(wanted))


def mined(
    scores: Callable[[int, int], NDArray[np.float32]], right: Sequence[Collection[int]], count: int
) -> list[tuple[int, ...]]:
    """For each question the numbers of its best-scored wrong answers.

    Args:
        scores: (first, last) → scores of all answers for these questions, shape (last − first, answers).
        right: numbers of the answers that must not be drawn for a question.
        count: how many, at most.

    Source: Karpukhin et al. 2020, Dense Passage Retrieval, section 3.2 (hard negatives beside in-batch ones).
    """
    found: list[tuple[int, ...]] = []
    for start in range(0, len(right) if count else 0, QUESTIONS_AT_ONCE):
        end = min(start + QUESTIONS_AT_ONCE, len(right))
        block = scores(start, end)
        for row, known in enumerate(right[start:end]):
            block[row, list(known)] = -np.inf
        kept = min(count, block.shape[1])
        best = np.argpartition(-block, kept - 1, axis=1)[:, :kept]
        for row, places in enumerate(best):
            found.append(tuple(int(place) for place in places if np.isfinite(block[row, place])))
    return found or [()] * len(right)


def in_pieces(encode: Callable[[Prepared], torch.Tensor], prepared: Prepared) -> torch.Tensor:
    """The vectors of many sequences, some at once and without gradients."""
    with torch.no_grad():
        return torch.cat(
            [
                encode(prepared.take(range(start, min(start + QUESTIONS_AT_ONCE, len(prepared)))))
                for start in range(0, len(prepared), QUESTIONS_AT_ONCE)
            ]
        )
