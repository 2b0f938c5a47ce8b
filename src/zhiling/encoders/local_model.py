"""A transformer read from a local folder: its tokenizer, its network, and how it pools."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from zhiling.errors import DamagedFile, UsageError
from zhiling.llm.location import content_hash
from zhiling.llm.pretrained import read_pretrained, require, silent

if TYPE_CHECKING:
    import torch

Pooling = Literal["mean", "cls", "max"]
_POOLINGS: dict[str, Pooling] = {
    "cls": "cls",
    "cls_token": "cls",
    "max": "max",
    "max_tokens": "max",
    "mean": "mean",
    "mean_tokens": "mean",
}
_FOLLOWED_MODULES = ("Transformer", "Pooling", "Normalize")
LONGEST_DEFAULT = 512


@dataclass(frozen=True)
class LocalModel:
    """A network ready to run on texts, in evaluation mode; shared by all that read the same folder."""

    folder: Path
    tokenizer: Any
    network: torch.nn.Module
    pooling: Pooling
    width: int
    """Columns of a token's state."""
    max_tokens: int
    """The longest input that the model was made for, in tokens."""

    def tokenise(self, texts: Sequence[str], max_tokens: int) -> list[list[int]]:
        """Token ids of each text with the special tokens, cut to `max_tokens`."""
        if not texts:
            return []
        encoded = self.tokenizer(list(texts), truncation=True, max_length=max_tokens)
        return cast(list[list[int]], encoded["input_ids"])

    def pad(self, token_ids: Sequence[Sequence[int]]) -> dict[str, torch.Tensor]:
        """`input_ids` and `attention_mask` of a batch, int64, shape (batch, longest)."""
        padded = self.tokenizer.pad({"input_ids": [list(ids) for ids in token_ids]}, return_tensors="pt")
        return {name: padded[name] for name in ("input_ids", "attention_mask")}


def pool(states: torch.Tensor, mask: torch.Tensor, pooling: Pooling) -> torch.Tensor:
    """One vector per text from its tokens' states: (batch, tokens, width) → (batch, width).

    Args:
        states: last hidden states.
        mask: 1 where a token stands, 0 where the batch is padded, shape (batch, tokens).
        pooling: mean over the tokens, the first token, or the largest value per column.
    """
    if pooling == "cls":
        return states[:, 0]
    present = mask.unsqueeze(-1).to(states.dtype)
    if pooling == "max":
        return states.masked_fill(present == 0, float("-inf")).amax(dim=1)
    return (states * present).sum(dim=1) / present.sum(dim=1).clamp(min=1)


def load_local_model(folder: Path) -> LocalModel:
    """The model in a folder, loaded once per process and content.

    Raises:
        MissingExtra: torch or transformers is not installed.
        DamagedFile: a file of the model cannot be read.
        UsageError: the folder asks for a pooling that is not supported.
    """
    return _load(folder.resolve(), content_hash(folder))


@lru_cache(maxsize=4)
def _load(folder: Path, _content: str) -> LocalModel:
    """The model in a folder; the content hash is only there to notice changed files."""
    pooling = _pooling(folder)
    tokenizer, network, _ = read_pretrained(folder, "AutoModel")
    config = cast(Any, network).config
    if tokenizer.pad_token is None:
        raise UsageError(
            "the tokenizer has no padding token, so texts of different length cannot share a batch",
            place=str(folder),
            hint='Set "pad_token" in tokenizer_config.json.',
        )
    return LocalModel(
        folder=folder,
        tokenizer=tokenizer,
        network=network,
        pooling=pooling,
        width=int(config.hidden_size),
        max_tokens=_max_tokens(folder, config),
    )


def _json(file: Path) -> Any:
    """The content of a JSON file.

    Raises:
        DamagedFile: it is no JSON.
    """
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DamagedFile(f"no JSON: {error}", place=str(file), hint="Fetch the model again.") from error


def _pooling(folder: Path) -> Pooling:
    """The pooling that a sentence-transformers folder declares; the mean where it declares none."""
    modules = folder / "modules.json"
    if not modules.is_file():
        return "mean"
    pooling: Pooling = "mean"
    for module in _json(modules):
        kind = str(module["type"]).rpartition(".")[2]
        if kind not in _FOLLOWED_MODULES:
            raise UsageError(
                f"module {kind!r} is not supported",
                place=str(modules),
                hint=f"Supported are {', '.join(_FOLLOWED_MODULES)}: another model is needed.",
            )
        if kind == "Pooling":
            pooling = _pooling_mode(folder / module["path"] / "config.json")
    return pooling


def _pooling_mode(file: Path) -> Pooling:
    """The pooling that one file declares, in the old form (a flag per mode) or the new one (a name)."""
    config = _json(file)
    modes = [
        key.removeprefix("pooling_mode_")
        for key, on in config.items()
        if key.startswith("pooling_mode_") and on
    ]
    declared = config.get("pooling_mode")
    if isinstance(declared, str):
        modes = [declared]
    if len(modes) != 1 or modes[0] not in _POOLINGS:
        raise UsageError(
            f"pooling {modes!r} is not supported",
            place=str(file),
            hint=f"Supported is exactly one of {', '.join(sorted(_POOLINGS))}.",
        )
    return _POOLINGS[modes[0]]


def _max_tokens(folder: Path, config: Any) -> int:
    """The longest input in tokens: as sentence-transformers declares it, else the network's positions."""
    positions = int(getattr(config, "max_position_embeddings", LONGEST_DEFAULT))
    # RoBERTa-like networks count positions from the padding id on: that many are not usable.
    if getattr(config, "model_type", "") in {"roberta", "xlm-roberta", "camembert"}:
        positions -= int(config.pad_token_id) + 1
    declared = folder / "sentence_bert_config.json"
    wanted = _json(declared).get("max_seq_length") if declared.is_file() else None
    return min(positions, int(wanted or LONGEST_DEFAULT))


def save_local_model(model: LocalModel, folder: Path) -> None:
    """Writes network, tokenizer and pooling as a folder that this module and sentence-transformers read."""
    folder.mkdir(parents=True, exist_ok=True)
    with silent(require("transformers")):
        network = cast(Any, model.network)
        network.save_pretrained(folder)
        model.tokenizer.save_pretrained(folder)
    modules = [("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize")]
    listed = [
        {"idx": number, "name": str(number), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for number, (path, kind) in enumerate(modules)
    ]
    pooling: dict[str, object] = {"word_embedding_dimension": model.width}
    for mode in ("cls_token", "mean_tokens", "max_tokens"):
        pooling[f"pooling_mode_{mode}"] = _POOLINGS[mode] == model.pooling
    for path in ("1_Pooling", "2_Normalize"):
        (folder / path).mkdir()
    _write_json(folder / "modules.json", listed)
    _write_json(folder / "1_Pooling" / "config.json", pooling)
    _write_json(
        folder / "sentence_bert_config.json", {"max_seq_length": model.max_tokens, "do_lower_case": False}
    )


def _write_json(file: Path, content: object) -> None:
    """Writes a JSON file."""
    file.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
