"""What of the encoder is tuned: the table of methods, imported when it is used."""

from __future__ import annotations

_ROOM = "zhiling.training.methods"

METHODS: dict[str, str] = {
    "bitfit": f"{_ROOM}.bitfit:BitFit",
    "dora": f"{_ROOM}.low_rank:Dora",
    "frozen": f"{_ROOM}.frozen:Frozen",
    "full": f"{_ROOM}.full:Full",
    "gradual": f"{_ROOM}.gradual:Gradual",
    "ia3": f"{_ROOM}.ia3:Ia3",
    "lora": f"{_ROOM}.low_rank:Lora",
    "p_tuning": f"{_ROOM}.soft_prompts:PTuning",
    "prefix": f"{_ROOM}.soft_prompts:Prefix",
    "prompt": f"{_ROOM}.soft_prompts:PromptTuning",
    "top_layers": f"{_ROOM}.top_layers:TopLayers",
}

__all__ = ["METHODS"]
