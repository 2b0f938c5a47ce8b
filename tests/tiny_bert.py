"""A real, tiny BERT with random weights, written on the spot: every path of a large one in milliseconds."""

from __future__ import annotations

import json
from pathlib import Path

WORDS = [
    "card",
    "lost",
    "my",
    "the",
    "where",
    "is",
    "parcel",
    "reset",
    "password",
    "how",
    "?",
    "密",
    "码",
    "快",
    "递",
]


def write_tiny_bert(folder: Path, *, pooling: str | None = None, layers: int = 2, seed: int = 0) -> Path:
    """A model folder: 32 columns, 2 heads, 64 positions; a pooling is declared only if named."""
    import torch
    from transformers import BertConfig, BertModel, BertTokenizer

    folder.mkdir(parents=True)
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
    (folder / "vocab.txt").write_text("\n".join(vocabulary) + "\n", encoding="utf-8")
    numbers = {word: number for number, word in enumerate(vocabulary)}
    BertTokenizer(vocab=numbers).save_pretrained(folder)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        num_hidden_layers=layers,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
    )
    state = torch.get_rng_state()
    torch.default_generator.manual_seed(seed)
    BertModel(config).save_pretrained(folder)
    torch.set_rng_state(state)
    if pooling:
        write_pooling(folder, {f"pooling_mode_{pooling}": True})
    return folder


def write_pooling(folder: Path, config: dict[str, object], kind: str = "Pooling") -> None:
    """The files by which sentence-transformers declares a second module."""
    modules = [
        {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
        {"idx": 1, "name": "1", "path": "1_Pooling", "type": f"sentence_transformers.models.{kind}"},
    ]
    (folder / "modules.json").write_text(json.dumps(modules), encoding="utf-8")
    (folder / "1_Pooling").mkdir(exist_ok=True)
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(config), encoding="utf-8")
