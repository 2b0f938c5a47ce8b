"""Files that hold one chat each: whether a file is one, and the chat of a JSON file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import orjson

from zhiling.sources.chats.gather import turns_field
from zhiling.sources.files.encoding import Encoding
from zhiling.sources.files.lines import Block, blocks
from zhiling.sources.names import find
from zhiling.sources.records.json_values import as_list, as_object
from zhiling.sources.records.records import Records

Layout = Literal["auto", "records", "chat"]
TEXT_SUFFIXES = frozenset({".txt", ".log", ".text", ".chat"})
MAX_JSON_BYTES = 100_000_000
"""A JSON file is read whole; a larger one is taken for records."""


def is_chat(file: Path, layout: Layout, encoding: Encoding, fields: Mapping[Any, str]) -> bool:
    """Whether the file is a transcript: by its name, unless it begins like a table."""
    suffix = suffix_of(file)
    if layout != "auto":
        return layout == "chat" and suffix != ".json"
    return suffix in TEXT_SUFFIXES and not _has_header(file, encoding, fields)


def suffix_of(file: Path) -> str:
    """The ending of the file's name in lower case, that of gzip left away."""
    suffixes = [suffix.lower() for suffix in file.suffixes if suffix.lower() != ".gz"]
    return suffixes[-1] if suffixes else ""


def one_json_chat(file: Path, place: str, encoding: Encoding, fields: Mapping[Any, str]) -> Records | None:
    """The chat of a `.json` file that holds one list of turns, as a record; None for any other file.

    It is called by its place, unless it has an id.
    """
    content = _whole(file, place, encoding) if suffix_of(file) == ".json" else None
    if content is None:
        return None
    try:
        value = orjson.loads(content)
    except orjson.JSONDecodeError:
        return None
    named = fields.get("turns")
    item = as_object(value)
    if item is None and (turns := as_list(value)) and _are_turns(turns, fields):
        item = {named or "turns": turns}
    if item is None or not (named in item or turns_field([item], None)):
        return None
    field = fields.get("conversation") or find("conversations", "conversation", item) or "conversation"
    return Records(place, [1], [{field: place, **item}])


def _are_turns(values: list[Any], fields: Mapping[Any, str]) -> bool:
    """Pairs, lines, or objects with a speaker that name no conversation."""
    if all(isinstance(value, str | list) for value in values):
        return True
    items = [item for item in map(as_object, values) if item is not None]
    present = dict.fromkeys(name for item in items for name in item)
    speaks = (fields.get("speaker") or find("conversations", "speaker", present)) in present
    ours = set(fields.values())
    named = find("conversations", "conversation", [name for name in present if name not in ours])
    ids = {str(item.get(named)) for item in items} if named else set[str]()
    # an id that differs from turn to turn is the message's own
    return speaks and turns_field(items, "speaker") is None and (not named or len(ids) == len(items) > 1)


def _has_header(file: Path, encoding: Encoding, fields: Mapping[Any, str]) -> bool:
    first = next((block for block in blocks(file, "", encoding) if isinstance(block, Block)), None)
    header = first.lines[0].decode() if first else ""
    names = [[cell.strip().strip('"') for cell in header.split(mark)] for mark in ",;\t"]
    return any(_is_header(cells, fields) for cells in names)


def _is_header(cells: list[str], fields: Mapping[Any, str]) -> bool:
    ours = ("conversation", "speaker", "text", "turns")
    names = [fields.get(name) or find("conversations", name, cells) for name in ours]
    return len([name for name in names if name in cells]) > 1


def _whole(file: Path, place: str, encoding: Encoding) -> bytes | None:
    lines: list[bytes] = []
    size = 0
    for block in blocks(file, place, encoding):
        size += sum(map(len, block.lines)) if isinstance(block, Block) else MAX_JSON_BYTES + 1
        if isinstance(block, Block) and size <= MAX_JSON_BYTES:
            lines += block.lines
        else:
            return None
    return b"\n".join(lines)
