"""Continuations of one prompt by a causal language model: how likely each is, and the likeliest.

The prompt is computed once for all of them: 77 labels after 400 tokens cost about one prompt, not 77.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from zhiling.llm.batches import Ids, batches, padded
from zhiling.llm.causal import BATCH_TOKENS, CausalLM
from zhiling.llm.conversation import PLAIN_BREAK
from zhiling.llm.pretrained import require

if TYPE_CHECKING:
    import torch


def log_probabilities_after(
    model: CausalLM, prompt: Ids, continuations: Sequence[Ids], *, batch_tokens: int = BATCH_TOKENS
) -> NDArray[np.float64]:
    """Ln P(continuation | prompt) of each, in nats, float64, shape (continuations,).

    Equal to what `CausalLM.score` gives for prompt and continuation together, within 1e-4.

    Args:
        model: the model.
        prompt: tokens, at least one.
        continuations: tokens of each, at least one.
        batch_tokens: tokens per batch, the prompt's included.

    Raises:
        ValueError: the prompt or a continuation has no token.
    """
    if not prompt or not all(continuations):
        raise ValueError("a prompt and its continuations have at least one token each")
    torch = require("torch")
    with torch.inference_mode():
        first, cache = _read(model, prompt)
        if cache is None:  # a network that keeps no states that could be shared
            spans = [model.reply_span(prompt, ids) for ids in continuations]
            return model.score(spans, batch_tokens=batch_tokens).sums
        found = np.array([float(first[ids[0]]) for ids in continuations])
        longer = [place for place, ids in enumerate(continuations) if len(ids) > 1]
        # a batch holds the prompt's states once per continuation
        padding = [[0] * len(prompt) + list(continuations[place]) for place in longer]
        for places in batches(padding, batch_tokens):
            chosen = [longer[place] for place in places]
            found[chosen] += _rest(model, (len(prompt), cache), [continuations[place] for place in chosen])
    return found


def _read(model: CausalLM, prompt: Ids) -> tuple[torch.Tensor, Any]:
    """Ln p of the token that comes next, and the states of the prompt; None where they cannot be shared."""
    transformers = require("transformers")
    device = next(model.network.parameters()).device
    told = model.network(**padded([prompt], 0, device), use_cache=True)
    cache = told.past_key_values
    shared = type(cache) is transformers.DynamicCache
    return told.logits[0, -1].double().log_softmax(dim=0), cache if shared else None


def _rest(model: CausalLM, read: tuple[int, Any], continuations: Sequence[Ids]) -> list[float]:
    """Ln P of all tokens but the first, after prompt and first token."""
    torch = require("torch")
    length, states = read
    device = next(model.network.parameters()).device
    inputs = padded([ids[:-1] for ids in continuations], 0, device)
    mask = torch.cat(
        [
            torch.ones((len(continuations), length), dtype=torch.int64, device=device),
            inputs["attention_mask"],
        ],
        dim=1,
    )
    cache = copy.deepcopy(states)
    cache.batch_repeat_interleave(len(continuations))
    logits = model.network(input_ids=inputs["input_ids"], attention_mask=mask, past_key_values=cache).logits
    sums: list[float] = []
    for row, ids in enumerate(continuations):
        logs = logits[row, : len(ids) - 1].double().log_softmax(dim=1)
        targets = torch.as_tensor(ids[1:], device=device)
        sums.append(float(logs.gather(1, targets[:, None]).sum()))
    return sums


def written_after(model: CausalLM, prompt: Ids, max_tokens: int, *, ending: str) -> str:
    """The likeliest continuation, token by token, up to `ending`, the mark of the end or `max_tokens`.

    Args:
        model: the model.
        prompt: tokens, at least one.
        max_tokens: of the continuation; none is written where it is below 1.
        ending: a text that ends a reply; it is not part of what is given back.
    """
    if max_tokens < 1:
        return ""
    torch, tokenizer = require("torch"), model.tokenizer
    device = next(model.network.parameters()).device
    inputs = padded([prompt], 0, device)
    cache: Any = None
    written: list[int] = []
    stop = ending.strip() or PLAIN_BREAK  # a reply may have several lines
    with torch.inference_mode():
        while len(written) < max_tokens:
            ids = inputs["input_ids"] if cache is None else torch.tensor([[written[-1]]], device=device)
            told = model.network(input_ids=ids, past_key_values=cache, use_cache=True)
            cache = told.past_key_values
            token = int(told.logits[0, -1].argmax())
            if token == tokenizer.eos_token_id:
                break
            written.append(token)
            text = cast(str, tokenizer.decode(written, skip_special_tokens=False))
            if stop in text:
                return text.partition(stop)[0]
    return cast(str, tokenizer.decode(written, skip_special_tokens=True))
