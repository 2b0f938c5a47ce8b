"""LLaMA-Factory's `dataset_info.json`: which files hold data sets, and how their fields are named.

Only files are read. A set that stands on a hub is told by name; its files are in the folder of the JSON file.
An entry's `columns` and `tags` become a renaming of fields, so that the usual formats read the records.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import orjson

from zhiling.pipeline.step import Bad
from zhiling.sources.files.lines import place_of
from zhiling.sources.problem import Problem
from zhiling.sources.records.json_values import as_object

NAME = "dataset_info.json"
SUFFIXES = (".jsonl", ".json", ".txt", ".csv", ".parquet")

_ALPACA = {
    "prompt": "instruction", "query": "input", "response": "output", "history": "history",
    "system": "system", "tools": "tools", "images": "images", "videos": "videos", "audios": "audios",
    "chosen": "chosen", "rejected": "rejected", "kto_tag": "kto_tag",
}  # fmt: skip
_SHAREGPT = _ALPACA | {"messages": "conversations", "kto_tag": "kto_tag"}
_ANSWERS = frozenset({"response", "chosen", "rejected", "kto_tag", "query", "history"})
# LLaMA-Factory's names of turns where an entry gives none, and how ShareGPT calls them.
_TAGS = {
    "user_tag": "human", "assistant_tag": "gpt", "observation_tag": "observation",
    "function_tag": "function_call", "system_tag": "system",
}  # fmt: skip


@dataclass(frozen=True)
class Entry:
    """How the records of one file are read.

    Attributes:
        file: where they are.
        format: the format that reads them; `auto` where records tell.
        fields: field of the format → field of the file.
        turns: `role_tag` and `content_tag`: fields of a turn.
        speakers: speaker in the file → speaker in ShareGPT.
    """

    file: Path
    format: str = "auto"
    fields: Mapping[str, str] = field(default_factory=dict[str, str])
    turns: tuple[str, str] | None = None
    speakers: Mapping[str, str] = field(default_factory=dict[str, str])

    def renamed(self, record: Mapping[str, Any]) -> dict[str, Any]:
        """The record with the format's names; fields that are not renamed stay as they are."""
        if self.fields:
            theirs = {named: ours for ours, named in self.fields.items()}
            shadowed = set(theirs.values()) - theirs.keys()  # a name of ours that means something else there
            record = {
                theirs.get(name, f"{name}_2" if name in shadowed else name): value
                for name, value in record.items()
            }
        if self.turns is not None:
            record = {
                name: self._turns(value) if name in ("conversations", "chosen", "rejected") else value
                for name, value in record.items()
            }
        return dict(record)

    def _turns(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._turn(turn) for turn in cast(list[Any], value)]
        return self._turn(value)

    def _turn(self, turn: Any) -> Any:
        fields = as_object(turn)
        if fields is None or self.turns is None:
            return turn
        role, content = self.turns
        said = {name: value for name, value in fields.items() if name not in (role, content)}
        speaker = fields.get(role)
        known = self.speakers.get(speaker, speaker) if isinstance(speaker, str) else speaker
        return {"from": known, "value": fields.get(content), **said}


def is_index(file: Path) -> bool:
    """Whether the name is that of LLaMA-Factory's list of data sets."""
    return file.name in (NAME, f"{NAME}.gz")


def entries(content: bytes, file: Path, root: Path, wanted: Sequence[str]) -> Iterator[Entry | Bad]:
    """The data sets that an index names, or those that are wanted, in its order.

    A Bad is an index that is no JSON (`broken_json`), a set on a hub (`not_local`), a name that it does not
    have (`unknown_dataset`), a file that is not there (`missing_file`) or an entry that says something else
    than LLaMA-Factory's do (`broken_entry`).
    """
    place = place_of(file, root)
    try:
        index = as_object(orjson.loads(content))
    except orjson.JSONDecodeError as error:
        yield Bad(f"{place}:{error.lineno}", "broken_json", f"{error.msg}; an object of data sets is needed")
        return
    if index is None:
        yield Bad(f"{place}:1", "broken_json", "an object of data sets is needed")
        return
    for name in wanted:
        if name not in index:
            shown = ", ".join(sorted(index))[:200]
            yield Bad(f"{place}#{name}", "unknown_dataset", f"{name!r} is not in it; there are {shown}")
    for name, fields in index.items():
        if not wanted or name in wanted:
            found = _entry(as_object(fields), file.parent)
            yield found.at(f"{place}#{name}") if isinstance(found, Problem) else found


def _entry(fields: Mapping[str, Any] | None, folder: Path) -> Entry | Problem:
    if fields is None:
        return Problem("broken_entry", "the entry is no object; file_name and columns are needed")
    name = fields.get("file_name")
    if name is None:
        hub = next(
            (fields[key] for key in sorted(fields) if key.endswith(("_url", "script_url"))), "elsewhere"
        )
        message = f"it is kept at {hub!r}, not in a file here; download it and name the file as file_name"
        return Problem("not_local", message)
    formatting = fields.get("formatting", "alpaca")
    columns, tags = as_object(fields.get("columns", {})), as_object(fields.get("tags", {}))
    spelled = isinstance(name, str) and columns is not None and tags is not None
    named = [*(columns or {}).values(), *(tags or {}).values()]
    if not spelled or any(not isinstance(value, str | None) for value in named):
        return Problem("broken_entry", "file_name is a text, columns and tags are objects of names")
    if formatting not in ("alpaca", "sharegpt", "openai"):
        message = f"formatting {formatting!r} is not known; alpaca, sharegpt and openai are"
        return Problem("broken_entry", message)
    file = _local(folder, name)
    return file if isinstance(file, Problem) else _read_as(file, formatting, columns or {}, tags or {})


def _read_as(file: Path, formatting: str, columns: Mapping[str, str], tags: Mapping[str, str]) -> Entry:
    """The entry of a file: which format, and what its fields are called there."""
    given = {ours: theirs for ours, theirs in columns.items() if theirs}
    if formatting == "alpaca":
        if given and given.keys() & {"prompt"} == given.keys():  # a prompt alone is text to go on with
            return Entry(file, "text", {"text": given["prompt"]})
        return Entry(file, "alpaca", _fields(_ALPACA, given))
    speakers = {theirs: _TAGS[ours] for ours, theirs in tags.items() if ours in _TAGS and theirs}
    turns = (tags.get("role_tag") or "from", tags.get("content_tag") or "value")
    return Entry(
        file, "sharegpt", _fields(_SHAREGPT, {"messages": "conversations", **given}), turns, speakers
    )


def _fields(names: Mapping[str, str], given: Mapping[str, str]) -> dict[str, str]:
    return {names[ours]: theirs for ours, theirs in given.items() if ours in names and names[ours] != theirs}


def _local(folder: Path, name: str) -> Path | Problem:
    """The file itself, or the same under another ending or packed, for it may have been converted."""
    base = folder.resolve()
    path = (folder / name).resolve()
    if not path.is_relative_to(base):
        return Problem("outside_folder", f"{name!r} leads out of the folder of {NAME}; put the file into it")
    stem = path.with_suffix("") if path.suffix in SUFFIXES else path
    candidates = [path, *(stem.with_name(stem.name + suffix) for suffix in SUFFIXES)]
    for candidate in candidates:
        for found in (candidate, candidate.with_name(candidate.name + ".gz")):
            if found.is_file():
                return folder / found.relative_to(base)
    return Problem("missing_file", f"{name!r} is not beside {NAME}; put it there or name other data sets")
