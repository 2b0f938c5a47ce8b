"""What a row's reply says and what it was shown, without the words that a template put around them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

import orjson
from pydantic import BaseModel, ValidationError

from zhiling.rows.target import Place, Template
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
    template = template_of(target)
    if template is None or isinstance(template, Unparsed):
        return said[-1] if template is None else template
    if any(field.message >= len(messages) for field in template.fields):
        return Unparsed("place_outside", f"the row has {len(messages)} messages only")
    texts = [turn["text"] or "" for turn in messages]
    found = reading(texts, {"template": template.model_dump()}, wordings)
    if found is None or found.wording.shape != "reply":
        return said[-1]
    told = found.parse(said[-1])
    return said[-1] if isinstance(told, BaseModel) else told


def shown_of(messages: Messages, target: str | None) -> str:
    """What documents, tools and users say before the last reply, joined by line breaks.

    Of a templated row the texts of its example alone.
    """
    template = template_of(target)
    if isinstance(template, Template):
        fields = (field for field in template.fields if field.role != "system")
        return "\n".join(_piece(messages, field) for field in fields)
    last = max((at for at, turn in enumerate(messages) if turn["role"] == "assistant"), default=len(messages))
    shown = [turn["text"] or "" for turn in messages[:last] if turn["role"] in ("document", "tool", "user")]
    return "\n".join(shown)


def template_of(target: str | None) -> Template | Unparsed | None:
    """How a row was templated; None where it was not; in words why what its target tells is no template."""
    if not target or '"template"' not in target:
        return None
    truth: Any = orjson.loads(target)
    told = cast(dict[str, Any], truth).get("template") if isinstance(truth, dict) else None
    try:
        return None if told is None else Template.model_validate(told)
    except ValidationError as error:
        return Unparsed("broken_template", f"{error.errors(include_url=False)[0]['msg']}: {told!r:.60}")


def _piece(messages: Messages, place: Place) -> str:
    return cast(str, messages[place.message]["text"] or "")[place.start : place.end]


@lru_cache(maxsize=4)
def _read(stamped: tuple[tuple[Path, int], ...]) -> Library:
    return read_files(path for path, _ in stamped)
