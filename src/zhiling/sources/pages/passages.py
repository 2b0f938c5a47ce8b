"""Sections of a document, and their cutting into passages of a bounded size."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

At = int | str
"""Where a text stands: its line, or a place with a name such as `page 3`."""

_TABLE_HEADER = re.compile(r"\|.*\|\n\|(?: ?:?-+:? ?\|)+\n")
_SENTENCE_END = re.compile(r"[.!?]\s+|[。！？；]")


@dataclass(frozen=True)
class Section:
    """What stands between two headings.

    Attributes:
        at: where its heading stands, or its first text where it has none.
        headings: the headings above it and its own, outermost first.
        paragraphs: its text; each with its place. Lists, tables and code stay whole.
    """

    at: At
    headings: tuple[str, ...]
    paragraphs: tuple[tuple[At, str], ...]


@dataclass(frozen=True)
class Document:
    """A title (empty where there is none) and the sections in order."""

    title: str
    sections: tuple[Section, ...]


@dataclass(frozen=True)
class Passage:
    """A piece of a section: its place, the headings above it, its text, its number in the section from 1."""

    at: At
    headings: tuple[str, ...]
    text: str
    part: int
    parts: int


def passages(document: Document, max_characters: int) -> Iterator[Passage]:
    """All passages; the first of a section begins with its heading, so no word of the document is lost."""
    for section in document.sections:
        heading = section.headings[-1:]
        room = max_characters - sum(map(len, heading)) - 2 * len(heading)
        pieces = list(_pack(section, max(room, max_characters // 2))) or [(section.at, "")]
        for number, (at, text) in enumerate(pieces, 1):
            whole = "\n\n".join([*heading, text]).rstrip() if number == 1 else text
            yield Passage(section.at if number == 1 else at, section.headings, whole, number, len(pieces))


def _pack(section: Section, limit: int) -> Iterator[tuple[At, str]]:
    """Neighbouring paragraphs together as long as they fit."""
    gathered: list[str] = []
    start, size = section.at, 0
    for at, paragraph in section.paragraphs:
        for part in _split(paragraph, limit):
            if gathered and size + 2 + len(part) > limit:
                yield start, "\n\n".join(gathered)
                gathered, size = [], 0
            if not gathered:
                start = at
            size += len(part) + (2 if gathered else 0)
            gathered.append(part)
    if gathered:
        yield start, "\n\n".join(gathered)


def _split(paragraph: str, limit: int) -> list[str]:
    """The paragraph in parts that fit; each part of a Markdown table begins with the table's header."""
    header = _TABLE_HEADER.match(paragraph)
    if len(paragraph) <= limit or not header or 2 * header.end() > limit:
        return split_text(paragraph, limit)
    rows = split_text(paragraph[header.end() :], limit - header.end())
    return [header[0] + part for part in rows]


def split_text(text: str, limit: int) -> list[str]:
    """The text in parts of at most `limit` characters, cut at a line, a sentence, a space or anywhere."""
    parts: list[str] = []
    start = 0
    while len(text) - start > limit:
        cut = _cut(text, start, start + limit)
        parts.append(text[start:cut].rstrip())
        start = cut
    parts.append(text[start:].rstrip())
    return [part for part in parts if part.strip()]


def _cut(text: str, start: int, end: int) -> int:
    """The last good place for a cut in (start, end]."""
    line = text.rfind("\n", start + 1, end)
    if line > start:
        return line + 1
    sentence = max((match.end() for match in _SENTENCE_END.finditer(text, start + 1, end)), default=0)
    space = text.rfind(" ", start + 1, end)
    return sentence or (space + 1 if space > start else end)
