"""Texts of an evaluation file, each with its line: what decontamination compares with."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import orjson

from zhiling.errors import DamagedFile, UsageError


def read_records(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Line number and record of each line of a JSONL or CSV file (`.gz` too), UTF-8.

    Raises:
        DamagedFile: a line that cannot be read; an evaluation file must be whole.
    """
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rb") as stream:
            text = io.TextIOWrapper(stream, encoding="utf-8-sig", newline="")
            if ".csv" in path.suffixes:
                reader = csv.DictReader(text)
                for record in reader:
                    yield reader.line_num, dict(record)
                return
            for number, line in enumerate(text, start=1):
                if line.strip():
                    yield number, _record(line, f"{path}:{number}")
    except (OSError, EOFError, UnicodeDecodeError, csv.Error) as error:
        raise DamagedFile(f"evaluation file cannot be read: {error}", place=str(path)) from error


def _record(line: str, place: str) -> dict[str, Any]:
    try:
        record = orjson.loads(line)
    except ValueError as error:
        raise DamagedFile(f"not JSON: {error}", place=place) from error
    if not isinstance(record, dict):
        raise DamagedFile(f"an object is expected, not {type(record).__name__}", place=place)
    return cast(dict[str, Any], record)


def read_texts(path: Path, fields: Sequence[str]) -> Iterator[tuple[int, str]]:
    """Line number and text of each record: the first of `fields` that it has, or its user messages.

    Raises:
        UsageError: a record that has none of them.
        DamagedFile: see `read_records`.
    """
    for number, record in read_records(path):
        text = next((record[name] for name in fields if isinstance(record.get(name), str)), None)
        if text is None and isinstance(record.get("messages"), list):
            text = "\n".join(_user_turns(record["messages"]))
        if text is None:
            raise UsageError(
                f"none of the fields {list(fields)} is there; it has {sorted(record)}",
                place=f"{path}:{number}",
                hint="name the text field with `fields: [...]`",
            )
        yield number, text


def _user_turns(messages: list[Any]) -> Iterator[str]:
    turns = (cast(Mapping[str, Any], turn) for turn in messages if isinstance(turn, dict))
    for turn in turns:
        if turn.get("role") == "user":
            yield str(turn.get("content", turn.get("text", "")))
