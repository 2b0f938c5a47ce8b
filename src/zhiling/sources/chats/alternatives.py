"""Other answers to a row's prompt, beside the one that stands in its messages."""

from __future__ import annotations

from typing import Any


def rejected_reply(text: str) -> dict[str, Any]:
    """An answer that must not be preferred: what the assistant would say in its place."""
    return {"messages": [{"role": "assistant", "text": text}], "kind": "rejected"}
