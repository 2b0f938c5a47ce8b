"""An encoder that has read on in unlabelled text of the domain before a task is learnt on it.

Source: Gururangan et al. 2020, Don't Stop Pretraining: Adapt Language Models to Domains and Tasks.
"""

from __future__ import annotations

import copy
import dataclasses
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import torch
from torch import nn
from torch.nn.functional import normalize

from zhiling.encoders.local_model import LocalModel, load_local_model, pool, save_local_model
from zhiling.errors import StepFailed, UsageError
from zhiling.llm.pretrained import require
from zhiling.training.fit import seeded
from zhiling.training.objectives import contrastive, cross_entropy
from zhiling.training.running.loop import bucketed_batches
from zhiling.training.running.optimisers import build_schedule
from zhiling.training.saving.replaced import replaced
from zhiling.training.tensors import as_list
from zhiling.training.transfer.continued_settings import Continued

HIDDEN = 0.15
"""Share of the tokens that are guessed."""
HEAD_RATE = 1e-3
"""Learning rate of what is new, where the encoder's is far lower."""
WARMUP = 0.1
CLIP_NORM = 1.0
LONGEST = 128
"""Tokens of a text that are read, at most."""

Told = Callable[[int, float], None]
"""Called after each epoch with its number, from 1, and the mean loss."""


def read_on(
    source: Path, texts: Sequence[str], settings: Continued, folder: Path, *, seed: int, told: Told
) -> None:
    """Writes the encoder of `source`, after it has read the texts, to `folder`, whole or not at all.

    Args:
        source: a model's folder; it stays as it is.
        texts: unlabelled, at least two.
        settings: objective, epochs, rates.
        folder: where the new encoder goes; it is made.
        seed: of order, dropout and what is hidden.
        told: see `Told`.

    Raises:
        UsageError: fewer than two texts, or an encoder that the objective does not fit.
        StepFailed: the loss became NaN or infinite.
    """
    texts = [text for text in dict.fromkeys(texts) if text.strip()]
    if len(texts) < 2:
        raise UsageError(
            f"{len(texts)} unlabelled texts to read on in; at least two are needed",
            hint="Name a file: train: {continued: {texts: …}}.",
        )
    model = load_local_model(source)
    with seeded(seed):
        drawn: list[int] = as_list(torch.randperm(len(texts))[: settings.most])
        ids = model.tokenise([texts[row] for row in drawn], min(LONGEST, model.max_tokens))
        objective = _OBJECTIVES[settings.objective](model)
        _train(objective, ids, settings, told)
    with replaced(folder) as new:
        save_local_model(dataclasses.replace(model, network=objective.network.eval()), new)


def _train(objective: Objective, ids: Sequence[Sequence[int]], settings: Continued, told: Told) -> None:
    """All epochs; the rate rises for a tenth of the steps, and falls to 0."""
    encoder = {id(weight) for weight in objective.network.parameters()}
    groups = [
        {"params": list(objective.network.parameters()), "lr": settings.learning_rate},
        {
            "params": [weight for weight in objective.parameters() if id(weight) not in encoder],
            "lr": HEAD_RATE,
        },
    ]
    optimiser = torch.optim.AdamW([group for group in groups if group["params"]])
    steps = settings.epochs * -(-len(ids) // settings.batch_size)
    schedule = build_schedule(optimiser, steps, warmup=WARMUP)
    lengths = [len(each) for each in ids]
    objective.train()
    for epoch in range(1, settings.epochs + 1):
        total = 0.0
        for rows in bucketed_batches(lengths, settings.batch_size):
            optimiser.zero_grad()
            loss = objective([ids[row] for row in rows])
            loss.backward()
            nn.utils.clip_grad_norm_(objective.parameters(), CLIP_NORM)
            optimiser.step()  # pyright: ignore[reportUnknownMemberType]
            schedule.step()
            total += loss.item() * len(rows)
        mean = total / len(ids)
        if not math.isfinite(mean):
            raise StepFailed(
                f"reading on stopped: the loss became {mean!r}; it must be a finite number",
                hint="Lower train.continued.learning_rate.",
            )
        told(epoch, mean)


class Objective(nn.Module):
    """A copy of an encoder with what it learns from a batch of texts."""

    def __init__(self, model: LocalModel) -> None:
        super().__init__()
        self.model = model
        self.network = cast(Any, copy.deepcopy(model.network)).requires_grad_(True)

    def forward(self, ids: Sequence[Sequence[int]]) -> torch.Tensor:
        """The mean loss of a batch of texts as token ids, a scalar."""
        raise TypeError(f"{type(self).__name__} must say what it learns")


class Masked(Objective):
    """Hidden words are guessed over the encoder's own table of embeddings: mean cross-entropy, in nats.

    Source: Devlin et al. 2019, BERT, section 3.1 (task 1: 15 % of the tokens, 80/10/10).
    """

    def __init__(self, model: LocalModel) -> None:
        super().__init__(model)
        table = self.network.get_input_embeddings().weight
        if model.tokenizer.mask_token is None or table.shape[1] != model.width:
            raise UsageError(
                "the encoder has no mask token, or embeddings of another width than its states: hidden words "
                "cannot be guessed",
                place=str(model.folder),
                hint="Set train.continued.objective: contrastive.",
            )
        self.hide = require("transformers").DataCollatorForLanguageModeling(
            model.tokenizer, mlm_probability=HIDDEN
        )
        self.turn = nn.Sequential(nn.Linear(model.width, model.width), nn.GELU(), nn.LayerNorm(model.width))
        self.bias = nn.Parameter(torch.zeros(len(table)))

    def forward(self, ids: Sequence[Sequence[int]]) -> torch.Tensor:
        """The loss over the hidden tokens; 0 where a batch is so short that none was."""
        batch = self.hide([{"input_ids": list(each)} for each in ids])
        states = self.network(
            input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]
        ).last_hidden_state
        hidden = batch["labels"] >= 0
        if not hidden.any():
            return states.sum() * 0
        scores = self.turn(states[hidden]) @ self.network.get_input_embeddings().weight.T + self.bias
        return cross_entropy(scores, batch["labels"][hidden])


class Contrastive(Objective):
    """A text is known again among the batch's under another dropout: InfoNCE, in nats.

    Source: Gao, Yao and Chen 2021, SimCSE, section 3 (unsupervised).
    """

    def forward(self, ids: Sequence[Sequence[int]]) -> torch.Tensor:
        """The loss over the texts of the batch; 0 for a single one."""
        padded = self.model.pad(ids)
        one, other = (
            normalize(
                pool(self.network(**padded).last_hidden_state, padded["attention_mask"], self.model.pooling)
            )
            for _ in range(2)
        )
        return contrastive(one, other)


_OBJECTIVES: dict[str, type[Objective]] = {"masked": Masked, "contrastive": Contrastive}
