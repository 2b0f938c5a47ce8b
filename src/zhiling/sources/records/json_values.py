"""JSON values with their types: lists and objects told apart, and named for people."""

from __future__ import annotations

from typing import Any, cast

_NOUNS: dict[type, str] = {
    dict: "an object",
    list: "an array",
    str: "a string",
    bool: "a boolean",
    int: "a number",
    float: "a number",
}


def as_list(value: Any) -> list[Any] | None:
    """The value where it is a list, else None."""
    return cast(list[Any], value) if isinstance(value, list) else None


def as_object(value: Any) -> dict[str, Any] | None:
    """The value where it is an object, else None."""
    return cast(dict[str, Any], value) if isinstance(value, dict) else None


def noun(value: Any) -> str:
    """What a JSON value is, for people: `an array`, `a number`, `null`."""
    return "null" if value is None else _NOUNS[type(value)]
