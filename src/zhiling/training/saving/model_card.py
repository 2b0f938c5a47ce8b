"""The card of a saved model: what it does, what it learnt from, and how zhiling and transformers load it.

A card tells no time and no place, so whoever trains the same again gets the same card.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from importlib import resources
from pathlib import Path
from typing import Any, cast

CARD = "README.md"


def model_card(config: Mapping[str, Any], files: Collection[str], parts: Collection[str]) -> str:
    """The card's Markdown, in both languages.

    Args:
        config: what `config.json` of the model will hold.
        files: the other files of the folder.
        parts: names of the weights that lie in `model.safetensors`.
    """
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    text = resources.files("zhiling.training.saving").joinpath("model_card.md.j2").read_text(encoding="utf-8")
    settings, state = config["settings"], cast(Mapping[str, Any], config["task_state"])
    return environment.from_string(text).render(
        config=config,
        settings=settings,
        encoder=Path(settings["backbone"] or "").name,
        labels=state.get("labels", []),
        licences=sorted({str(name).lower() for name in config["origin"].get("licences", {})}) or ["unknown"],
        has_encoder=any(name.startswith("encoder/") for name in files),
        has_adapter=any(name.startswith("adapter/") for name in files),
        parts=[f"`{name}`" for name in sorted({_part(name) for name in parts})],
    )


def _part(name: str) -> str:
    """The part of the model that a weight belongs to: `head.linear`, `features.parts.0`."""
    pieces = name.split(".")
    return ".".join(pieces[:3] if pieces[0] == "features" else pieces[:2])
