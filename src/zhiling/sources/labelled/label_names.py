"""Names of labels that a set spells as numbers or codes, from the recipe or from a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import orjson

from zhiling.errors import MissingInput, UsageError
from zhiling.sources.records.json_values import as_list, as_object

Names = str | tuple[str, ...] | dict[str, str]
"""A file, the names in the order of their numbers, or code → name."""


def read_names(names: Names, root: Path) -> dict[str, str]:
    """Label as records spell it → its name. Names in a list may be spelled by number (from 0) or by name.

    A file holds a JSON list or object, or one name a line.

    Raises:
        MissingInput: the file is not there.
        UsageError: it holds something else.
    """
    if isinstance(names, dict):
        return dict(names)
    if isinstance(names, str):
        path = root / names
        try:
            content = path.read_text(encoding="utf-8-sig")
        except OSError as error:
            raise MissingInput(
                f"file of label names cannot be read: {error.strerror}", place=str(path)
            ) from error
        except UnicodeDecodeError as error:
            raise UsageError(f"file of label names is not UTF-8: {error}", place=str(path)) from error
        return _of_content(content, path)
    return _numbered(names)


def _of_content(content: str, path: Path) -> dict[str, str]:
    if path.suffix.lower() != ".json":
        return _numbered([line.strip() for line in content.splitlines() if line.strip()])
    try:
        value: Any = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise UsageError(f"file of label names is not JSON: {error}", place=str(path)) from error
    listed, named = as_list(value), as_object(value)
    told = listed if listed is not None else list((named or {}).values())
    if not told or not all(isinstance(name, str) for name in told):
        raise UsageError(
            "file of label names holds no names",
            place=str(path),
            hint="write a list, or an object code → name",
        )
    return _numbered(cast(list[str], listed)) if listed is not None else cast(dict[str, str], named)


def _numbered(names: Sequence[str]) -> dict[str, str]:
    by_number: Mapping[str, str] = {str(number): name for number, name in enumerate(names)}
    return {**by_number, **{name: name for name in names}}
