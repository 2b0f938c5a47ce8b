"""Values of a record as what a field must be, or the reason why they are not."""

from __future__ import annotations

from typing import Any, cast

import orjson

from zhiling.rows.formats.draft import Unreadable

_NOUNS: dict[type[Any], str] = {
    dict: "an object", list: "a list", str: "a text", bool: "true or false", int: "a number",
    float: "a number", type(None): "null",
}  # fmt: skip


def noun(value: Any) -> str:
    """What a value is, for people: `a list`, `a number`, `null`."""
    return _NOUNS.get(value.__class__) or str(value.__class__.__name__)


def wrong_type(field: str, value: Any, needed: str) -> Unreadable:
    """The reason to give where a field is something else than it must be."""
    return Unreadable("wrong_type", f"{field} is {noun(value)} ({value!r:.40}); {needed} is needed")


def text_of(value: Any, field: str) -> str:
    """A text; a number or boolean as JSON spells it, null as an empty text."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, int | float):
        return orjson.dumps(value).decode()
    raise wrong_type(field, value, "a text")


def optional_text(value: Any, field: str) -> str | None:
    """A text, or None where there is none."""
    return None if value is None else text_of(value, field)


def list_of(value: Any, field: str) -> list[Any]:
    """A list; null is an empty one."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise wrong_type(field, value, "a list")
    return cast(list[Any], value)


def object_of(value: Any, field: str) -> dict[str, Any]:
    """An object."""
    if not isinstance(value, dict):
        raise wrong_type(field, value, "an object")
    return cast(dict[str, Any], value)


def flag_of(value: Any, field: str) -> bool:
    """True or false; CSV and some tools spell them as texts or as 1 and 0."""
    spelled = {"true": True, "false": False, "1": True, "0": False}
    flag = spelled.get(str(value).strip().lower()) if isinstance(value, bool | str | int) else None
    if flag is None:
        raise wrong_type(field, value, "true or false")
    return flag


def number_of(value: Any, field: str) -> float | None:
    """A number, or None where there is none."""
    if value is None:
        return None
    if isinstance(value, bool | int | float):
        return float(value)
    raise wrong_type(field, value, "a number")


def json_text(value: Any, field: str) -> str | None:
    """JSON as a text: a text that holds JSON stays as it is, a list or an object is spelled; None if empty.

    Raises:
        Unreadable: a text that is no JSON (`broken_json_text`).
    """
    if value in (None, "", [], {}):
        return None
    if not isinstance(value, str):
        return orjson.dumps(value).decode()
    if not value.strip():
        return None
    try:
        orjson.loads(value)
    except orjson.JSONDecodeError as error:
        message = f"{field} holds no JSON ({error.msg}): {value!r:.60}; a list of tool schemas is needed"
        raise Unreadable("broken_json_text", message) from error
    return value
