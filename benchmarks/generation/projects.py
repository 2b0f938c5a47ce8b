"""Projects whose teacher is the fake server: a recipe that has instructions written for texts."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from zhiling.llm.fake_server import FakeServer
from zhiling.workflow.recipe import Recipe
from zhiling.workflow.run import Run

QUIET = {"outage_s": 0.3, "price": {"in": 1, "out": 2}}
BAD, RAISING = "zzbad", "zzraising"
"""Words of a text to which the teacher never replies in JSON, and of one that a broken step raises on."""


def write(
    root: Path, server: FakeServer, texts: Iterable[str], *, step: Mapping[str, Any] | None = None,
    role: Mapping[str, Any] | None = None,
) -> None:  # fmt: skip
    """A file a text, and the recipe; what lies there is written anew."""
    for number, text in enumerate(texts):
        (root / f"{number:04}.txt").write_text(text, encoding="utf-8")
    recipe = {
        "name": "bench",
        "max_failed": 1.0,
        "models": {"teacher": {"endpoint": server.url, "model": "m"} | QUIET | dict(role or {})},
        "sources": [{"id": "texts", "use": "documents", "path": "*.txt"}],
        "steps": [{"id": "asked", "use": "backtranslate", **(step or {})}],
    }
    (root / "recipe.yaml").write_text(json.dumps(recipe), encoding="utf-8")


def text(number: int, words: int = 60) -> str:
    """A text of so many words that no other number has."""
    return f"Note {number}. " + " ".join(f"word{number}x{place}" for place in range(words))


def instruction(body: Mapping[str, Any]) -> str:
    """The teacher's reply: an instruction in JSON, but to a bad text."""
    said = "\n".join(message["content"] for message in body["messages"])
    return "I would rather not." if BAD in said else json.dumps({"instruction": "Write a short note."})


def run(root: Path) -> Run:
    """Runs the recipe up to its rows."""
    return Recipe.load(root / "recipe.yaml").run(until="rows")
