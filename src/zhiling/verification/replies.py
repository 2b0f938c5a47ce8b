"""What a row's reply says and what it was shown, without the words that a template put around them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple, cast

import orjson
from pydantic import BaseModel, ValidationError

from zhiling.rows.target import Place, Template
from zhiling.rows.templates import Library, Unparsed, read_files, reading

Messages = Sequence[Mapping[str, Any]]


def library(root: Path, own_wordings: Sequence[str]) -> Library:
    """The wordings that come with zhiling and those of these files (relative to `root`)."""
    paths = [root / path for path in own_wordings]
    return _read(tuple((path, path.stat().st_mtime_ns if path.is_file() else 0) for path in paths))


class Exchange(NamedTuple):
    """What a reply was made from, what it says, and the row's target, decoded (`{}` where it has none)."""

    shown: str
    said: str
    truth: Mapping[str, Any]


def exchange_of(messages: Messages, target: str | None, wordings: Library) -> Exchange | Unparsed:
    """A row's source and reply without what a template put around them, or why they cannot be read.

    Raises:
        UnknownName: the row's wording is in no file of wordings.
    """
    try:
        told: Any = orjson.loads(target or "null")
    except orjson.JSONDecodeError as error:
        return Unparsed("broken_target", f"its target is no JSON: {error.msg}")
    truth = cast(dict[str, Any], told) if isinstance(told, dict) else {}
    template = _template_of(truth)
    if isinstance(template, Unparsed):
        return template
    reply = reply_of(messages, template, wordings)
    if isinstance(reply, Unparsed):
        return reply
    return Exchange(_shown_of(messages, template), reply or "", truth)


def reply_of(messages: Messages, template: Template | None, wordings: Library) -> str | Unparsed | None:
    """The reply itself; of a templated row what its template has framed, or why that cannot be read.

    None where nobody replies.

    Raises:
        UnknownName: the row's wording is in no file of wordings.
    """
    if template is not None and any(field.message >= len(messages) for field in template.fields):
        return Unparsed("place_outside", f"the row has {len(messages)} messages only")
    said = [turn["text"] or "" for turn in messages if turn["role"] == "assistant"]
    if not said:
        return None
    if template is None:
        return said[-1]
    texts = [turn["text"] or "" for turn in messages]
    found = reading(texts, {"template": template}, wordings)
    if found is None or found.wording.shape != "reply":
        return said[-1]
    told = found.parse(said[-1])
    return said[-1] if isinstance(told, BaseModel) else told


class Piece(NamedTuple):
    """A message of an example, or its text inside of a template's prompt."""

    role: str
    text: str
    name: str | None = None


def pieces_of(messages: Messages, template: Template | None) -> list[Piece]:
    """A row's messages; of a templated row those of its example, as far as they are there."""
    if template is None:
        return [Piece(turn["role"] or "", turn["text"] or "", turn["name"]) for turn in messages]
    return [
        Piece(field.role, _piece(messages, field), field.name)
        for field in template.fields
        if field.message < len(messages)
    ]


def _shown_of(messages: Messages, template: Template | None) -> str:
    """What documents, tools and users say before the last reply, joined by line breaks.

    Of a templated row the texts of its example alone.
    """
    pieces = pieces_of(messages, template)
    if template is not None:
        return "\n".join(piece.text for piece in pieces if piece.role != "system")
    last = max((at for at, piece in enumerate(pieces) if piece.role == "assistant"), default=len(pieces))
    return "\n".join(piece.text for piece in pieces[:last] if piece.role in ("document", "tool", "user"))


def _template_of(truth: Mapping[str, Any]) -> Template | Unparsed | None:
    """How a row was templated; None where it was not; in words why what its target tells is no template."""
    told = truth.get("template")
    try:
        return None if told is None else Template.model_validate(told)
    except ValidationError as error:
        return Unparsed("broken_template", f"{error.errors(include_url=False)[0]['msg']}: {told!r:.60}")


def _piece(messages: Messages, place: Place) -> str:
    return cast(str, messages[place.message]["text"] or "")[place.start : place.end]


@lru_cache(maxsize=4)
def _read(stamped: tuple[tuple[Path, int], ...]) -> Library:
    return read_files(path for path, _ in stamped)
