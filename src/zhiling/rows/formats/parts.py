"""The content of a message as a list of parts: OpenAI's (`text`, `image_url`, …) and LLaMA-Factory v1's.

A text is the parts' texts in a row; media stand at their offset in it. What that does not tell (a border
between two texts, `detail` of an image) goes to the message's notes, so that the same parts can be written.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, cast

from zhiling.rows.formats.checks import object_of, text_of, wrong_type
from zhiling.rows.formats.draft import Media, Message, Unreadable
from zhiling.rows.formats.tool_calls import bare, read_bare

PartKeys = Literal["openai", "values"]

_TEXTS = frozenset({"text", "input_text", "output_text"})
_THOUGHTS = frozenset({"reasoning", "thinking", "reasoning_text"})
_KINDS = {
    "image_url": "image", "image": "image", "input_image": "image", "audio_url": "audio", "audio": "audio",
    "input_audio": "audio", "video_url": "video", "video": "video",
}  # fmt: skip
_DATA_AUDIO = "data:audio/"
_ADDRESS = frozenset({"url", "path", "data", "format"})


@dataclass
class Content:
    """What the parts of one message hold."""

    texts: list[str] = field(default_factory=list[str])
    reasoning: list[str] = field(default_factory=list[str])
    media: list[Media] = field(default_factory=list[Media])
    details: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    calls: list[Any] = field(default_factory=list[Any])
    cuts: list[int] = field(default_factory=list[int])
    length: int = 0

    def message(self, role: str) -> Message:
        """The message that these parts make; nothing said at all is no text."""
        notes: dict[str, Any] = {}
        places = {media.at for media in self.media}
        if cuts := [cut for cut in self.cuts if cut not in places and cut < self.length]:
            notes["cuts"] = cuts
        if any(self.details):
            notes["details"] = self.details
        return Message(
            role,
            "".join(self.texts) if self.texts or self.media or not (self.calls or self.reasoning) else None,
            "".join(self.reasoning) if self.reasoning else None,
            tuple(self.media),
            read_bare(self.calls) if self.calls else None,
            notes=notes or None,
        )


def read_parts(role: str, parts: Sequence[Any]) -> Message:
    """The message of these parts.

    Raises:
        Unreadable: a part of a kind that the record has no place for (`unknown_part`), or broken inside.
    """
    content = Content()
    for part in parts:
        fields = (
            {"type": "text", "text": part} if isinstance(part, str) else object_of(part, "a part of content")
        )
        kind = text_of(fields.get("type"), "the type of a part")
        if kind in _TEXTS:
            _add_text(content, text_of(_inner(fields, "text"), f"the part {kind}"))
        elif kind in _THOUGHTS:
            content.reasoning.append(text_of(_inner(fields, kind, "text"), f"the part {kind}"))
        elif kind in _KINDS:
            _add_media(content, kind, fields)
        elif kind == "tool_call":
            content.calls.append(fields.get("value"))
        else:
            known = ", ".join(sorted({*_TEXTS, *_THOUGHTS, *_KINDS, "tool_call"}))
            raise Unreadable("unknown_part", f"a part of content has type {kind!r}; known: {known}")
    return content.message(role)


def parts_of(message: Message, keys: PartKeys, lost: set[str]) -> list[dict[str, Any]]:
    """The parts of a message; tool calls and reasoning too where v1 writes them (`values`)."""
    notes = message.notes or {}
    spelled = _value_part if keys == "values" else _openai_part
    details = cast(list[dict[str, Any]], (notes.get("details") or []) if keys == "openai" else [])
    parts: list[dict[str, Any]] = []
    if keys == "values" and message.reasoning is not None:
        parts.append({"type": "reasoning", "value": message.reasoning})
    parts += _spoken(message, cast(list[int], notes.get("cuts") or []), spelled, details)
    if keys == "values" and message.tool_calls is not None:
        parts += [{"type": "tool_call", "value": call} for call in bare(message.tool_calls, lost)]
    if keys == "openai" and not parts and message.text is not None:
        parts.append({"type": "text", "text": ""})
    return parts


def _spoken(
    message: Message,
    cuts: Sequence[int],
    spelled: Callable[[Media | str, Mapping[str, Any]], dict[str, Any]],
    details: Sequence[dict[str, Any]],
) -> list[dict[str, Any]]:
    """Texts and media in their order."""
    text = message.text or ""
    events: list[tuple[int, Media | None, dict[str, Any]]] = [(cut, None, {}) for cut in cuts]
    for index, media in enumerate(message.media):
        events.append((min(media.at or 0, len(text)), media, details[index] if index < len(details) else {}))
    parts: list[dict[str, Any]] = []
    start = 0
    for at, media, detail in sorted(events, key=lambda event: event[0]):
        if at > start:
            parts.append(spelled(text[start:at], {}))
            start = at
        if media is not None:
            parts.append(spelled(media, detail))
    if start < len(text):
        parts.append(spelled(text[start:], {}))
    return parts


def _add_text(content: Content, text: str) -> None:
    if content.texts and text:
        content.cuts.append(content.length)
    content.texts.append(text)
    content.length += len(text)


def _add_media(content: Content, kind: str, fields: Mapping[str, Any]) -> None:
    inner = _inner(fields, kind, "url", "path")
    detail: dict[str, Any] = {}
    if isinstance(inner, dict):
        named = cast(dict[str, Any], inner)
        if named.get("data") is not None:
            path = (
                f"{_DATA_AUDIO}{text_of(named.get('format'), 'format')};base64,{text_of(named['data'], kind)}"
            )
        else:
            path = text_of(named.get("url") or named.get("path"), kind)
        detail = {name: each for name, each in named.items() if name not in _ADDRESS and each is not None}
    else:
        path = text_of(inner, kind)
    # an image without a path takes the next one that the record lists
    if not path and (inner is not None or kind not in ("image", "audio", "video")):
        raise wrong_type(f"the part {kind}", inner, "a path or an address")
    content.media.append(Media(_KINDS[kind], path, None, content.length))
    content.details.append(detail)


def _inner(fields: Mapping[str, Any], kind: str, *names: str) -> Any:
    """What a part holds: under its kind's name, `value` (v1) or the others."""
    return next((fields[name] for name in (kind, "value", *names) if fields.get(name) is not None), None)


def _openai_part(piece: Media | str, detail: Mapping[str, Any]) -> dict[str, Any]:
    if isinstance(piece, str):
        return {"type": "text", "text": piece}
    head, comma, data = piece.path.partition(";base64,")
    if piece.kind == "audio" and comma and head.startswith(_DATA_AUDIO):
        audio = {"data": data, "format": head.removeprefix(_DATA_AUDIO)}
        return {"type": "input_audio", "input_audio": {**audio, **detail}}
    return {"type": f"{piece.kind}_url", f"{piece.kind}_url": {"url": piece.path, **detail}}


def _value_part(piece: Media | str, detail: Mapping[str, Any]) -> dict[str, Any]:
    """A part of v1, which has no place for details, so none are given."""
    if isinstance(piece, str):
        return {"type": "text", "value": piece, **detail}
    return {"type": f"{piece.kind}_url", "value": piece.path, **detail}
