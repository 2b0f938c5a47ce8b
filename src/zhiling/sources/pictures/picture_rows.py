"""Rows of records about pictures: captions, questions with answers, conversations."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import orjson
import polars as pl

from zhiling.pipeline.step import Batch
from zhiling.rows.formats.draft import Draft, Media, Message, Unreadable, frame_of, spelled_extra
from zhiling.rows.formats.placeholders import MARKS, take_media
from zhiling.sources.instructions import Sniffer
from zhiling.sources.names import find
from zhiling.sources.pictures.media import MediaReader, Medium
from zhiling.sources.problem import Problem
from zhiling.sources.record_source import Tag
from zhiling.sources.records.columns import Columns
from zhiling.sources.records.json_values import as_list, as_object
from zhiling.sources.records.records import Records

ImageField = Literal["image", "caption", "question", "answer", "turns"]
NAMES: tuple[ImageField, ...] = ("image", "caption", "question", "answer", "turns")
TURNS = ("conversations", "messages")
"""Fields of conversations that formats know."""

Chosen = Mapping[ImageField, str | None]

FACTS = "pictures"
"""Field of `extra` with what each picture is: `width, height, format, mode, bytes`, …"""


@dataclass(frozen=True)
class Wanted:
    """What to read out of records; see the settings of `Images`."""

    fields: Mapping[ImageField, str]
    ask: str
    task: str
    key: str | None
    group: str | None
    language: Tag | None


@dataclass
class PictureReader:
    """Makes rows of records.

    Attributes:
        wanted: what to read.
        media: opens pictures.
    """

    wanted: Wanted
    media: MediaReader
    _sniffer: Sniffer = field(default_factory=Sniffer)

    def batch(self, records: Records, pictures: Sequence[Path] | None = None) -> Batch:
        """The rows of these records; `pictures` are the files that they are about, where they name none."""
        columns = Columns(records)
        language, spoken = columns.language(self.wanted.language)
        key = self.wanted.key or find("record", "key", columns.names)
        placed = spoken | ({self.wanted.group} if self.wanted.group else set[str]())
        drafts: list[Draft] = []
        firsts: list[str | None] = []
        for index, item in enumerate(records.items):
            picture = pictures[index] if pictures else None
            try:
                draft = self._draft(item, placed, picture)
                first = self._open(draft, picture)
                spelled_extra(draft)
            except Unreadable as problem:
                columns.refuse(index, problem.cls, problem.message)
                draft, first = Draft([]), None
            drafts.append(draft)
            firsts.append(first)
        rows = frame_of(drafts)
        own = columns.key(self.wanted.group) if self.wanted.group else None
        group = pl.Series("group", firsts, dtype=pl.String) if own is None else own
        given = {name: rows[name] for name in rows.columns}
        return columns.batch({**given, "language": language, "key": columns.key(key), "group": group})

    def references(self, records: Records) -> Iterator[str]:
        """The pictures that these records name."""
        for item in records.items:
            try:
                draft = self._draft(item)
            except Unreadable:
                continue  # it is told when its row is read
            yield from (media.path for message in draft.messages for media in message.media)

    def _chosen(self, present: Collection[str]) -> Chosen:
        return {name: self.wanted.fields.get(name) or find("images", name, present) for name in NAMES}

    def _draft(
        self, item: Mapping[str, Any], placed: Collection[str] = (), picture: Path | None = None
    ) -> Draft:
        """The conversation of a record, with its pictures as it names them."""
        chosen = self._chosen([name for name, value in item.items() if value is not None])
        image, turns = None if picture else chosen["image"], chosen["turns"]
        rest = {name: value for name, value in item.items() if name != image and name not in placed}
        if turns is not None and isinstance(item.get(turns), list):
            rest[turns if turns in TURNS else TURNS[0]] = rest.pop(turns)
            draft = self._sniffer.of(rest).decode(rest)
        else:
            draft = self._asked(rest, chosen)
        paths = [picture.name] if picture else _paths(item.get(image or ""))
        if any(message.media for message in draft.messages):
            paths = paths if image else []  # the conversation names its pictures itself
        if paths and not any(MARKS["image"] in (message.text or "") for message in draft.messages):
            _put_in_front(draft, len(paths))
        take_media(draft, {"images": paths})
        if draft.kind() != "utterance":
            draft.task = self.wanted.task
        return draft

    def _asked(self, rest: dict[str, Any], chosen: Chosen) -> Draft:
        answer = next((name for name in (chosen["answer"], chosen["caption"]) if name in rest), None)
        question = chosen["question"] if chosen["question"] in rest else None
        asked = self.wanted.ask if question is None else _text(rest, question)
        draft = Draft([Message("user", asked)])
        reply = "" if answer is None else _text(rest, answer)
        if reply:
            draft.messages.append(Message("assistant", reply))
        used = (question, answer)
        draft.extra = {name: value for name, value in rest.items() if name not in used and value is not None}
        return draft

    def _open(self, draft: Draft, picture: Path | None) -> str | None:
        """Opens the pictures of a row and notes what they are; the hash of the first."""
        found: list[Medium] = []
        for index, message in enumerate(draft.messages):
            opened = [self._opened(media, picture) for media in message.media]
            found += opened
            media = [
                Media("image", new.path, new.sha256, old.at)
                for new, old in zip(opened, message.media, strict=True)
            ]
            draft.messages[index] = message._replace(media=tuple(media))
        if not found:
            raise Unreadable("no_picture", "the record names no picture; see `fields` for where it stands")
        draft.extra[FACTS] = [{**each.facts, "bytes": each.size} for each in found]
        return found[0].sha256

    def _opened(self, media: Media, picture: Path | None) -> Medium:
        if media.kind != "image":
            what = f"{media.kind} {media.path!r:.60} is no picture"
            raise Unreadable("no_picture", f"{what}; source `instructions` takes sound and video")
        found = self.media.file(picture, "image") if picture else self.media.read(media.path, "image")
        if isinstance(found, Problem):
            raise Unreadable(found.cls, found.message)
        return found


def _put_in_front(draft: Draft, count: int) -> None:
    """Marks the pictures in front of the first thing that the user says."""
    for index, message in enumerate(draft.messages):
        if message.role == "user":
            draft.messages[index] = message._replace(text=MARKS["image"] * count + (message.text or ""))
            return
    raise Unreadable("no_user", "nothing in the conversation is the user's, so the picture belongs to nobody")


def _text(rest: Mapping[str, Any], name: str) -> str:
    value = rest[name]
    if value is None or isinstance(value, str):
        return value or ""
    raise Unreadable("wrong_type", f"field {name!r} is {value!r:.60}; a text is needed")


def _paths(value: Any) -> list[str]:
    """Paths from a path, a list of them (in a CSV cell as JSON), or objects with a `path`."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        with suppress(orjson.JSONDecodeError):  # then it is the strange name of a file
            value = orjson.loads(value)
    listed = as_list(value)
    paths: list[str] = []
    for each in [value] if listed is None else listed:
        fields = as_object(each)
        path = each if fields is None else fields.get("path")
        if path is not None and not isinstance(path, str):
            raise Unreadable("wrong_type", f"a picture is {path!r:.60}; the path of its file is needed")
        if path:
            paths.append(path)
    return paths
