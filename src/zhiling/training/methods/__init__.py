"""What of the encoder is tuned: the table of methods, one file each, imported when it is used."""

from __future__ import annotations

METHODS: dict[str, str] = {
    "frozen": "zhiling.training.methods.frozen:Frozen",
    "full": "zhiling.training.methods.full:Full",
    "top_layers": "zhiling.training.methods.top_layers:TopLayers",
}

__all__ = ["METHODS"]
