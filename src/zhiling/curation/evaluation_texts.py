"""The texts of evaluation files, each with its place: what training rows must not hold."""

from __future__ import annotations

import csv
import glob
import gzip
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, cast

from zhiling.errors import DamagedFile, MissingInput

csv.field_size_limit(1 << 30)


def matching_files(patterns: Sequence[str], root: Path) -> tuple[Path, ...]:
    """The files of all patterns, sorted.

    Raises:
        MissingInput: a pattern that matches no file (nothing would be compared, silently).
    """
    found: set[Path] = set()
    for pattern in patterns:
        matches = {Path(name) for name in glob.glob(str(root / pattern), recursive=True)}
        files = {path for path in matches if path.is_file()}
        if not files:
            raise MissingInput(
                f"no file matches {pattern!r}", place=str(root), hint="mend `against` or add the file"
            )
        found |= files
    return tuple(sorted(found))


def read_texts(path: Path, name: str, fields: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Place (`name#line`) and text of each record of a JSONL or CSV file, gzipped or not.

    The first of `fields` that a record holds is its text; of `messages` the user's turns are texts, one by one.

    Raises:
        DamagedFile: the file cannot be read, or a record holds none of the fields.
    """
    try:
        with _open(path) as file:
            for line, record in _records(file, path):
                texts = _texts(record, fields)
                if texts is None:
                    raise DamagedFile(
                        f"a record has none of the fields {list(fields)!r}, it has {sorted(map(str, record))!r}",
                        place=f"{name}:{line}",
                        hint="name its text field in `fields`",
                    )
                yield from ((f"{name}#{line}", text) for text in texts if text.strip())
    except (OSError, EOFError, UnicodeDecodeError, ValueError, csv.Error) as error:
        raise DamagedFile(
            f"the evaluation file cannot be read: {error}",
            place=name,
            hint="JSONL or CSV in UTF-8, .gz or not",
        ) from error


def _open(path: Path) -> IO[str]:
    if path.suffix == ".gz":
        return io.TextIOWrapper(gzip.open(path, "rb"), encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")


def _records(file: IO[str], path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    if ".csv" in path.suffixes:
        reader = csv.DictReader(file, strict=True)
        yield from ((reader.line_num, record) for record in reader)
        return
    for line, text in enumerate(file, start=1):
        if text.strip():
            record = json.loads(text)
            if not isinstance(record, dict):
                raise ValueError(f"line {line} is no JSON object: {text.strip()[:40]!r}")
            yield line, cast(Mapping[str, Any], record)


def _texts(record: Mapping[str, Any], fields: Sequence[str]) -> list[str] | None:
    """The texts of the first field that the record holds; None where it holds none."""
    for field in fields:
        value = record.get(field)
        if isinstance(value, str):
            return [value]
        if isinstance(value, list):
            turns = [
                cast(Mapping[str, Any], turn) for turn in cast(list[Any], value) if isinstance(turn, dict)
            ]
            return [
                str(turn.get("content", turn.get("text", ""))) for turn in turns if turn.get("role") == "user"
            ]
    return None
