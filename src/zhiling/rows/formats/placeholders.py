"""Media as `<image>`, `<video>`, `<audio>` in a text, with their paths in lists beside it (LLaMA-Factory)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from zhiling.rows.formats.checks import list_of, text_of
from zhiling.rows.formats.draft import Alternative, Draft, Media, Message, Unreadable

LISTS = {"images": "image", "videos": "video", "audios": "audio"}
"""Field of a record → kind of the media that it lists."""

MARKS = {kind: f"<{kind}>" for kind in LISTS.values()}
_MARK = re.compile("|".join(map(re.escape, MARKS.values())))


def take_media(draft: Draft, record: Mapping[str, Any]) -> None:
    """Puts the media that a record lists where its texts have placeholders; without lists texts stay.

    Messages count first, then alternatives; a message part that only says `image` takes the next one too.

    Raises:
        Unreadable: more or fewer placeholders than media (`media_mismatch`).
    """
    paths = {kind: _paths(record.get(name), name) for name, kind in LISTS.items()}
    waiting = {kind: iter(each) for kind, each in paths.items() if each}
    open_slots = any(media.path == "" for each in _all(draft) for media in each.media)
    if not waiting and not open_slots:
        return
    filler = _Filler(waiting)
    draft.messages = [filler.filled(message) for message in draft.messages]
    draft.alternatives = [
        each._replace(messages=tuple(filler.filled(message) for message in each.messages))
        for each in draft.alternatives
    ]
    for kind, found in filler.found.items():
        if found != len(paths[kind]):
            message = (
                f"{found} {MARKS[kind]} in the texts, but {len(paths[kind])} {kind} paths; both must agree"
            )
            raise Unreadable("media_mismatch", message)


def with_marks(draft: Draft, lost: set[str]) -> tuple[Draft, dict[str, list[str]]]:
    """The draft with placeholders in its texts, and the lists of media, by field."""
    lists: dict[str, list[str]] = {}
    if not draft.alternatives and not any(message.media for message in draft.messages):
        return draft, lists
    kinds = {media.kind for message in _all(draft) for media in message.media}
    fields = {kind: name for name, kind in LISTS.items()}

    def marked(message: Message) -> Message:
        text = message.text or ""
        if any(MARKS[kind] in text for kind in kinds if kind in MARKS):
            lost.add("literal_placeholder")  # it cannot be told from that of a medium
        known = [media for media in message.media if media.kind in fields]
        if len(known) < len(message.media):
            lost.add("media")
        for media in known:
            lists.setdefault(fields[media.kind], []).append(media.path)
        return message._replace(text=_with(text, known), media=()) if message.media else message

    return (
        Draft(
            [marked(message) for message in draft.messages],
            [_replaced(each, tuple(map(marked, each.messages))) for each in draft.alternatives],
            draft.extra, draft.tools, draft.task, draft.target, draft.language,
        ),
        lists,
    )  # fmt: skip


@dataclass
class _Filler:
    """Hands out the listed media in order and counts the placeholders."""

    waiting: Mapping[str, Any]
    found: dict[str, int] = field(default_factory=dict[str, int])

    def __post_init__(self) -> None:
        self.found = dict.fromkeys(self.waiting, 0)

    def filled(self, message: Message) -> Message:
        """The message with media in place of its placeholders."""
        slots = tuple(self._slot(media) for media in message.media)
        text: list[str] = []
        length, media = 0, list(slots)
        rest = message.text or ""
        start = 0
        for mark in _MARK.finditer(rest):
            kind = mark[0][1:-1]
            if kind not in self.waiting:
                continue
            text.append(rest[start : mark.start()])
            length += mark.start() - start
            media.append(Media(kind, self._next(kind), None, length))
            start = mark.end()
        if not media:
            return message
        ordered = tuple(sorted(media, key=lambda each: each.at or 0)) if len(slots) < len(media) else slots
        if not text:
            return message._replace(media=ordered)
        return message._replace(text="".join([*text, rest[start:]]), media=ordered)

    def _slot(self, media: Media) -> Media:
        return media if media.path else media._replace(path=self._next(media.kind))

    def _next(self, kind: str) -> str:
        self.found[kind] = self.found.get(kind, 0) + 1
        return next(self.waiting.get(kind, iter(())), "")


def _paths(value: Any, field_name: str) -> list[str]:
    """The paths that a field lists; a lone path is a list of one, `{"path"}` objects are read too."""
    listed = (
        [value] if isinstance(value, str) and value else [] if value == "" else list_of(value, field_name)
    )
    paths: list[str] = []
    for each in listed:
        inner = cast(dict[str, Any], each).get("path") if isinstance(each, dict) else each
        if not isinstance(inner, str) or not inner:
            raise Unreadable("wrong_type", f"{field_name} holds {each!r:.60}; paths of files are needed")
        paths.append(text_of(inner, field_name))
    return paths


def _with(text: str, media: Sequence[Media]) -> str:
    parts: list[str] = []
    start = 0
    for each in sorted(media, key=lambda one: one.at or 0):
        at = min(each.at or 0, len(text))
        parts += [text[start:at], MARKS[each.kind]]
        start = at
    return "".join([*parts, text[start:]])


def _replaced(alternative: Alternative, messages: tuple[Message, ...]) -> Alternative:
    return alternative._replace(messages=messages)


def _all(draft: Draft) -> Iterable[Message]:
    yield from draft.messages
    for each in draft.alternatives:
        yield from each.messages
