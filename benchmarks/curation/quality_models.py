"""Small models for the benchmark of quality scores, made on the spot: one that writes, one that ranks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from zhiling.llm.batches import padded

VOCABULARY = 3_000
CONTEXT = 512
WIDTH = 96
LONGEST = 128
"""Tokens of a training text; the rest is cut off."""
BATCH = 16
STEPS = 300
PAIR_STEPS = 40
PAIRS_AT_ONCE = 8
Pair = tuple[str, str, str]
"""Question, better reply, worse reply."""


def write_language_model(folder: Path, texts: list[str], seed: int) -> Path:
    """A GPT-2 of two layers and 96 columns with a byte-pair tokenizer, trained on 300 times 16 texts."""
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel

    tokenizer = _tokenizer(texts)
    torch.manual_seed(seed)
    config = GPT2Config(
        vocab_size=len(tokenizer), n_embd=WIDTH, n_layer=2, n_head=2, n_positions=CONTEXT,
        resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0, bos_token_id=1, eos_token_id=1, pad_token_id=0,
    )  # fmt: skip
    network = GPT2LMHeadModel(config)
    told = [ids[:LONGEST] for ids in tokenizer(texts)["input_ids"]]
    optimiser = torch.optim.AdamW(network.parameters(), lr=3e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 3e-3, STEPS)
    order = np.random.default_rng(seed).permutation(len(told))
    for step in range(STEPS):
        chosen = [told[order[(step * BATCH + place) % len(order)]] for place in range(BATCH)]
        batch = padded(chosen, 0, "cpu")
        labels = batch["input_ids"].masked_fill(batch["attention_mask"] == 0, -100)
        optimiser.zero_grad()
        network(**batch, labels=labels).loss.backward()
        optimiser.step()
        schedule.step()
    network.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def write_reward_model(folder: Path, language_model: Path, pairs: list[Pair], seed: int) -> Path:
    """The same network with one output, trained so that the better reply of each pair scores higher.

    Source: the loss of Ouyang et al. 2022, equation 1: -log sigmoid(better - worse).
    """
    import torch
    from transformers import AutoTokenizer, GPT2ForSequenceClassification

    tokenizer = AutoTokenizer.from_pretrained(language_model)
    torch.manual_seed(seed)
    network = GPT2ForSequenceClassification.from_pretrained(language_model, num_labels=1)
    told = [[tokenizer(question, reply)["input_ids"] for reply in both] for question, *both in pairs]
    told = [both for both in told if max(map(len, both)) <= CONTEXT // 2]
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-3)
    draws = np.random.default_rng(seed)
    for _ in range(PAIR_STEPS):
        chosen = [told[place] for place in draws.choice(len(told), PAIRS_AT_ONCE, replace=False)]
        better, worse = (_scores(network, [both[side] for both in chosen]) for side in (0, 1))
        optimiser.zero_grad()
        (-torch.nn.functional.logsigmoid(better - worse).mean()).backward()
        optimiser.step()
    network.eval().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def _scores(network: Any, sequences: list[list[int]]) -> Any:
    return network(**padded(sequences, 0, "cpu")).logits[:, 0]


def _tokenizer(texts: list[str]) -> Any:
    from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    inner = Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=VOCABULARY, special_tokens=["<pad>", "<s>"], show_progress=False,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        ),
    )  # fmt: skip
    inner.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", 1)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=inner, model_max_length=CONTEXT, pad_token="<pad>", bos_token="<s>", eos_token="<s>"
    )
