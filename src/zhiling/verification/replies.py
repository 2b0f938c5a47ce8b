"""What a row's reply says and what it was shown, without the words that a template put around them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

import orjson
from pydantic import BaseModel

from zhiling.rows.templates import Library, Unparsed, read_files, reading

Messages = Sequence[Mapping[str, Any]]


def library(root: Path, own_wordings: Sequence[str]) -> Library:
    """The wordings that come with zhiling and those of these files (relative to `root`)."""
    paths = [root / path for path in own_wordings]
    return _read(tuple((path, path.stat().st_mtime_ns if path.is_file() else 0) for path in paths))


def reply_of(messages: Messages, target: str | None, wordings: Library) -> str | Unparsed | None:
    """The reply itself; of a templated row what its template has framed, or why that cannot be read.

    None where nobody replies.

    Raises:
        UnknownName: the row's wording is in no file of wordings.
    """
    said = [turn["text"] or "" for turn in messages if turn["role"] == "assistant"]
    if not said:
        return None
    found = None
    if target and '"template"' in target:
        truth = orjson.loads(target)
        if any(field.get("message", 0) >= len(messages) for field in _fields(truth)):
            return Unparsed("place_outside", f"the row has {len(messages)} messages only")
        found = reading([turn["text"] or "" for turn in messages], truth, wordings)
    if found is None or found.wording.shape != "reply":
        return said[-1]
    told = found.parse(said[-1])
    return said[-1] if isinstance(told, BaseModel) else told


def shown_of(messages: Messages, target: str | None) -> str:
    """What documents, tools and users say before the last reply, joined by line breaks.

    Of a templated row the texts of its example alone.
    """
    if target and '"template"' in target:
        fields = _fields(orjson.loads(target))
        return "\n".join(_field(messages, field) for field in fields if field.get("role") != "system")
    last = max((at for at, turn in enumerate(messages) if turn["role"] == "assistant"), default=len(messages))
    shown = [turn["text"] or "" for turn in messages[:last] if turn["role"] in ("document", "tool", "user")]
    return "\n".join(shown)


def _fields(truth: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    template: Mapping[str, Any] = truth.get("template") or {}
    return template.get("fields", [])


def _field(messages: Messages, field: Mapping[str, Any]) -> str:
    return cast(str, messages[field.get("message", 0)]["text"] or "")[field["start"] : field["end"]]


@lru_cache(maxsize=4)
def _read(stamped: tuple[tuple[Path, int], ...]) -> Library:
    return read_files(path for path, _ in stamped)
