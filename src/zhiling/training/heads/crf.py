"""A linear-chain conditional random field: which tag follows which, learnt with the tags themselves.

Source: Lafferty, McCallum and Pereira 2001, Conditional Random Fields; Lample et al. 2016, Neural
Architectures for Named Entity Recognition, section 2.2.
"""

from __future__ import annotations

import torch
from torch import nn

from zhiling.training.tensors import as_list


class Crf(nn.Module):
    """Scores of tags before, between and after words."""

    def __init__(self, tags: int) -> None:
        super().__init__()
        self.first = nn.Parameter(torch.zeros(tags))
        self.between = nn.Parameter(torch.zeros(tags, tags))
        self.last = nn.Parameter(torch.zeros(tags))

    def loss(self, emissions: torch.Tensor, tags: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
        """−ln p(tags | words) of each sequence, in nats, shape (n,).

        p(y | x) = exp s(x, y) / Σ_y' exp s(x, y') with
        s = first[y₁] + Σ emissions[t, y_t] + Σ between[y_{t−1}, y_t] + last[y_T].
        Anchor: T ln K where every score is 0.

        Args:
            emissions: float, shape (n, words, tags).
            tags: int64, shape (n, words); whatever stands behind a sequence's end is not read.
            counts: words of each sequence, at least 1, shape (n,).
        """
        return self._total(emissions, counts) - self._score(emissions, tags, counts)

    def loss_to(self, emissions: torch.Tensor, beliefs: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
        """The mean of −ln p(tags | words) over tags drawn word by word from beliefs, in nats, shape (n,).

        −E_q ln p(y | x) = ln Σ_y exp s(x, y) − E_q s(x, y), where q is a distribution of each word's tag by
        itself. Anchors: `loss` where each word's belief is one tag; T ln K where every score is 0.

        Args:
            emissions: float, shape (n, words, tags).
            beliefs: q, of the same shape; each word's sum to 1, and are 0 behind a sequence's end.
            counts: words of each sequence, at least 1, shape (n,).
        """
        moved = torch.einsum("npi,ij,npj->n", beliefs[:, :-1], self.between, beliefs[:, 1:])
        ends = beliefs[torch.arange(len(counts)), counts - 1]
        expected = (
            beliefs[:, 0] @ self.first + (beliefs * emissions).sum(dim=(1, 2)) + moved + ends @ self.last
        )
        return self._total(emissions, counts) - expected

    def marginals(self, emissions: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
        """p(tag of a word | all words), of the emissions' shape; 0 behind a sequence's end.

        They are the gradient of ln Σ_y exp s(x, y) in the emissions.
        """
        with torch.inference_mode(False), torch.enable_grad():
            scores = emissions.detach().clone().float().requires_grad_()
            (found,) = torch.autograd.grad(self._total(scores, counts.clone()).sum(), scores)
        return found

    def _score(self, emissions: torch.Tensor, tags: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
        """s(x, y), shape (n,)."""
        inside = self._inside(emissions, counts)
        said = emissions.gather(2, tags.unsqueeze(2)).squeeze(2).masked_fill(~inside, 0).sum(dim=1)
        moved = self.between[tags[:, :-1], tags[:, 1:]].masked_fill(~inside[:, 1:], 0).sum(dim=1)
        ends = tags.gather(1, (counts - 1).unsqueeze(1)).squeeze(1)
        return self.first[tags[:, 0]] + said + moved + self.last[ends]

    def _total(self, emissions: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
        """Ln Σ_y exp s(x, y) by the forward algorithm, shape (n,)."""
        inside = self._inside(emissions, counts)
        sums = self.first + emissions[:, 0]
        for word in range(1, emissions.shape[1]):
            grown = torch.logsumexp(sums.unsqueeze(2) + self.between, dim=1) + emissions[:, word]
            sums = torch.where(inside[:, word].unsqueeze(1), grown, sums)
        return torch.logsumexp(sums + self.last, dim=1)

    def decode(self, emissions: torch.Tensor, counts: torch.Tensor) -> list[list[int]]:
        """The best tags of each sequence (Viterbi)."""
        inside = self._inside(emissions, counts)
        best = self.first + emissions[:, 0]
        steps: list[torch.Tensor] = []
        stay = torch.arange(emissions.shape[2]).expand(len(emissions), -1)
        for word in range(1, emissions.shape[1]):
            values, origins = (best.unsqueeze(2) + self.between).max(dim=1)
            now = inside[:, word].unsqueeze(1)
            best = torch.where(now, values + emissions[:, word], best)
            steps.append(torch.where(now, origins, stay))
        tags = [(best + self.last).argmax(dim=1)]
        for origins in reversed(steps):
            tags.append(origins.gather(1, tags[-1].unsqueeze(1)).squeeze(1))
        paths: list[list[int]] = as_list(torch.stack(tags[::-1], dim=1))
        return [path[:count] for path, count in zip(paths, as_list(counts), strict=True)]

    @staticmethod
    def _inside(emissions: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
        """Where a word stands, bool, shape (n, words)."""
        return torch.arange(emissions.shape[1]) < counts.unsqueeze(1)
