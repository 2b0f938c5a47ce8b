"""Real, tiny language models with weights trained or drawn on the spot; English and Chinese, byte by byte."""

from __future__ import annotations

from pathlib import Path
from typing import Any

ENGLISH = ["the parcel is on its way", "the card is lost", "reset the password", "the lock has no battery"]
CHINESE = ["包裹已经寄出", "银行卡丢了", "请重置密码", "门锁没有电池"]
TEMPLATE = (
    "{% for m in messages %}{% if m.role not in ['system', 'user', 'assistant'] %}"
    "{{ raise_exception('no role ' + m.role) }}{% endif %}"
    "<{{ m.role }}>{{ m.content }}\n{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}"
)


def byte_tokenizer(
    *, beginning: bool = False, template: str | None = None, padding: bool = True, positions: int = 128
) -> Any:
    """A token a byte, `<s>` (before each text where `beginning`), `</s>` and `<pad>`."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    names = ["<pad>", "<s>", "</s>", *alphabet]
    inner = Tokenizer(models.BPE(vocab={name: number for number, name in enumerate(names)}, merges=[]))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    if beginning:
        inner.post_processor = processors.TemplateProcessing(
            single="<s> $A", pair="<s> $A </s> $B", special_tokens=[("<s>", 1), ("</s>", 2)]
        )
    special = {"bos_token": "<s>", "eos_token": "</s>"} | ({"pad_token": "<pad>"} if padding else {})
    made = PreTrainedTokenizerFast(tokenizer_object=inner, model_max_length=positions, **special)
    made.chat_template = template
    return made


def write_tiny_lm(
    folder: Path, *, kind: str = "gpt2", steps: int = 0, seed: int = 0, **tokenizer: Any
) -> Path:
    """A causal model of 32 columns and 128 positions, trained for some steps on the texts above."""
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

    made = byte_tokenizer(**tokenizer)
    most = made.model_max_length
    state = torch.get_rng_state()
    torch.default_generator.manual_seed(seed)
    if kind == "gpt2":
        network: Any = GPT2LMHeadModel(
            GPT2Config(vocab_size=len(made), n_embd=32, n_layer=2, n_head=2, n_positions=most,
                       bos_token_id=1, eos_token_id=2, resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0)
        )  # fmt: skip
    else:
        network = LlamaForCausalLM(
            LlamaConfig(vocab_size=len(made), hidden_size=32, intermediate_size=64, num_hidden_layers=2,
                        num_attention_heads=2, max_position_embeddings=most, tie_word_embeddings=True)
        )  # fmt: skip
    _train(network, [made(text)["input_ids"] for text in ENGLISH + CHINESE], steps)
    torch.set_rng_state(state)
    network.save_pretrained(folder)
    made.save_pretrained(folder)
    return folder


def _train(network: Any, texts: list[list[int]], steps: int) -> None:
    import torch

    optimiser = torch.optim.AdamW(network.parameters(), lr=5e-3)
    for step in range(steps):
        ids = torch.tensor([texts[step % len(texts)]])
        optimiser.zero_grad()
        network(input_ids=ids, labels=ids).loss.backward()
        optimiser.step()
    network.eval()


def write_tiny_reward(
    folder: Path, *, kind: str = "bert", outputs: int = 1, seed: int = 0, **tokenizer: Any
) -> Path:
    """A reward model with random weights: an encoder of pairs, or a causal network with a score."""
    import torch
    from transformers import (
        BertConfig,
        BertForSequenceClassification,
        GPT2Config,
        GPT2ForSequenceClassification,
    )

    made = byte_tokenizer(**tokenizer)
    most = made.model_max_length
    state = torch.get_rng_state()
    torch.default_generator.manual_seed(seed)
    if kind == "bert":
        network: Any = BertForSequenceClassification(
            BertConfig(vocab_size=len(made), hidden_size=32, num_hidden_layers=2, num_attention_heads=2,
                       intermediate_size=64, max_position_embeddings=most, num_labels=outputs)
        )  # fmt: skip
    else:
        network = GPT2ForSequenceClassification(
            GPT2Config(vocab_size=len(made), n_embd=32, n_layer=2, n_head=2, n_positions=most,
                       num_labels=outputs, pad_token_id=made.pad_token_id, bos_token_id=1, eos_token_id=2)
        )  # fmt: skip
    torch.set_rng_state(state)
    network.eval().save_pretrained(folder)
    made.save_pretrained(folder)
    return folder
