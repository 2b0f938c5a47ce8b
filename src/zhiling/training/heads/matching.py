"""How well an answer fits a question: the cosines of mapped vectors, and the n-grams that both share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, cast

import numpy as np
import torch
from torch import nn
from torch.nn.functional import normalize

from zhiling.training.answers.pairs_to_learn import Questions
from zhiling.training.reading.features import Encoded, Prepared
from zhiling.training.settings import TrainSettings
from zhiling.training.tensors import parted

PLACES = 64
"""Places among given candidates that are told apart; all further ones are as the last."""


class Fits(NamedTuple):
    """How well candidates fit each question of a batch."""

    scores: torch.Tensor
    """Shape (questions, candidates), −inf behind the last candidate of a question."""
    answers: tuple[int, ...] | None
    """Numbers of the answers in the columns, while learning from the pool."""


class MatchHead(nn.Module):
    """Scores of candidates, higher is better: (Σ w · cosine of a block + bias of the place) / temperature.

    A block holds the columns of one kind of features. Questions and answers are mapped block by block, by
    I + V / √width each, with V = 0 at first: untrained, the head ranks by the features as they are. Blocks
    that stand last may stay as they are.
    """

    pool: torch.Tensor

    def __init__(self, blocks: Sequence[int], mapped: int, pool: int, settings: TrainSettings) -> None:
        """A new head.

        Args:
            blocks: widths.
            mapped: how many of them, from the first, are mapped.
            pool: how many answers are kept.
            settings: of the training.
        """
        super().__init__()
        self.blocks, self.temperature = list(blocks), settings.temperature
        self.dropout = nn.Dropout(settings.dropout)
        self.question, self.answer = (
            nn.ModuleList(nn.Linear(width, width, bias=False) for width in blocks[:mapped]) for _ in range(2)
        )
        for linear in (*self.question, *self.answer):
            nn.init.zeros_(cast(nn.Linear, linear).weight)
        self.weights = nn.Parameter(torch.ones(len(blocks)))
        self.places = nn.Parameter(torch.zeros(PLACES)) if settings.places else None
        self.register_buffer("pool", torch.zeros(pool, sum(blocks)))

    def mapped(self, vectors: torch.Tensor, maps: nn.ModuleList) -> torch.Tensor:
        """Vectors whose blocks have length 1 each."""
        blocks = list(parted(vectors, self.blocks, dim=1))
        for place, (block, linear) in enumerate(zip(blocks, maps, strict=False)):
            kept = self.dropout(block)
            blocks[place] = normalize(kept + linear(kept) / block.shape[1] ** 0.5, dim=1)
        return torch.cat(blocks, dim=1)

    def fit(self, questions: torch.Tensor, answers: torch.Tensor) -> torch.Tensor:
        """Scores of mapped answers (m) for mapped questions (n), shape (n, m)."""
        weights = self.weights.repeat_interleave(torch.tensor(self.blocks))
        return (questions * weights) @ answers.T / self.temperature

    def keep(self, answers: torch.Tensor) -> None:
        """Keeps the mapped vectors of the pool, in its order."""
        self.pool = self.mapped(answers, self.answer)

    def forward(self, encoded: Encoded, prepared: Prepared) -> Fits:
        """Scores of each question's candidates: those that stand behind it, else the pool.

        While learning from the pool they are the answers at the end of the batch.
        """
        if isinstance(prepared, Questions):
            split = len(prepared)
            questions = self.mapped(encoded.text[:split], self.question)
            answers = self.mapped(encoded.text[split:], self.answer)
            return Fits(self.fit(questions, answers), prepared.answers)
        counts = np.diff(prepared.starts) - 1
        asking = torch.zeros(len(encoded.text), dtype=torch.bool)
        asking[prepared.starts[:-1]] = True
        questions = self.mapped(encoded.text[asking], self.question)
        answers = parted(self.mapped(encoded.text[~asking], self.answer), counts.tolist())
        rows = [
            self._given(question, own) if len(own) else self.fit(question, self.pool)
            for question, own in zip(parted(questions, [1] * len(counts)), answers, strict=True)
        ]
        scores = [row[0] for row in rows]
        return Fits(nn.utils.rnn.pad_sequence(scores, batch_first=True, padding_value=float("-inf")), None)

    def _given(self, question: torch.Tensor, answers: torch.Tensor) -> torch.Tensor:
        """Scores of the mapped candidates that stand behind a question."""
        scores = self.fit(question, answers)
        if self.places is None:
            return scores
        return scores + self.places[torch.arange(len(answers)).clamp(max=PLACES - 1)] / self.temperature
