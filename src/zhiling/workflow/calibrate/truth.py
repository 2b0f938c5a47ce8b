"""Labelled rows to calibrate on: a JSONL or CSV file of texts, or of row ids, each good or bad."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from zhiling.errors import MissingInput, UsageError
from zhiling.rows.evaluation_file import read_records

LINE = "zhiling_line"
"""Field that carries each record's line through a source."""

_ROW_ID = re.compile(r"[0-9a-f]{32}")
_WORDS: Mapping[str, bool] = {
    "true": True, "yes": True, "y": True, "1": True, "bad": True, "是": True, "坏": True,
    "false": False, "no": False, "n": False, "0": False, "good": False, "否": False, "好": False,
}  # fmt: skip


@dataclass(frozen=True)
class Truth:
    """A truth file.

    Attributes:
        bad: line → whether the row there is bad.
        ids: line → row id, where the file names rows of the project; empty where it holds texts.
        records: line → the record without the verdict, where it holds texts.
    """

    file: Path
    bad: Mapping[int, bool]
    ids: Mapping[int, str]
    records: Mapping[int, Mapping[str, Any]]

    def write_records(self, path: Path) -> None:
        """The texts as JSONL that a source can read; each record carries its line as `zhiling_line`."""
        lines = (orjson.dumps({**record, LINE: line}) for line, record in self.records.items())
        path.write_bytes(b"\n".join(lines) + b"\n")


def read_truth(file: Path, field: str) -> Truth:
    """The rows of a truth file.

    Args:
        file: JSONL or CSV, `.gz` too. A file whose every record has an `id` of 32 hex digits names rows of
            the project; any other holds the texts themselves.
        field: says whether a row is bad: true or false, 1 or 0, yes or no, bad or good, 是 or 否.

    Raises:
        MissingInput: no such file.
        DamagedFile: a line that cannot be read.
        UsageError: no rows, a record without the field, another value, or rows of one kind only.
    """
    if not file.is_file():
        raise MissingInput(
            f"no truth file at {str(file)!r}", hint="give a JSONL or CSV file of labelled rows"
        )
    records = dict(read_records(file))
    bad = {line: _verdict(record, field, f"{file.name}:{line}") for line, record in records.items()}
    kinds = set(bad.values())
    if len(kinds) < 2:
        found = f"all {len(bad)} rows are {'bad' if True in kinds else 'good'}" if bad else "it holds no rows"
        raise UsageError(
            f"{found}: good and bad rows are needed to set a threshold between them",
            place=file.name,
            hint=f"label rows of both kinds in the field {field!r}",
        )
    ids = {line: str(record.get("id", "")) for line, record in records.items()}
    named = all(_ROW_ID.fullmatch(row) for row in ids.values())
    texts = {line: _without(record, field) for line, record in records.items()}
    return Truth(file, bad, ids if named else {}, {} if named else texts)


def _verdict(record: Mapping[str, Any], field: str, place: str) -> bool:
    if field not in record:
        raise UsageError(
            f"field {field!r} is missing; it has {sorted(record)}",
            place=place,
            hint="name the field that says whether a row is bad with --bad FIELD",
        )
    value = _WORDS.get(str(record[field]).strip().lower())
    if value is None:
        raise UsageError(
            f"{field} is {record[field]!r}", place=place, hint=f"one of {', '.join(map(repr, _WORDS))}"
        )
    return value


def _without(record: Mapping[Any, Any], field: str) -> dict[str, Any]:
    """The record as a source may see it; cells beyond a CSV's header stand under None there, and go."""
    return {name: value for name, value in record.items() if name is not None and name != field}


def halves(keys: Sequence[str], bad: Sequence[bool], salt: str) -> list[bool]:
    """Which rows are for judging: half of the good and half of the bad ones, rows of one key together.

    Each key's place is drawn by its hash, so the order of the file changes nothing.
    """
    from zhiling.rows.schema import digest

    worst: dict[str, bool] = {}
    for key, is_bad in zip(keys, bad, strict=True):
        worst[key] = worst.get(key, False) or is_bad
    ordered = sorted(worst, key=lambda key: digest(salt.encode(), key.encode()))
    judged: set[str] = set()
    for kind in (False, True):
        judged.update([key for key in ordered if worst[key] is kind][1::2])
    return [key in judged for key in keys]
