"""What a reader makes of one record: its texts as named messages, its truth, further right replies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import orjson

from zhiling.sources.records.json_values import as_list, noun

Values = Mapping[str, Any]
"""Our names → what the record holds there."""


class Text(NamedTuple):
    """One message of an example."""

    role: str
    text: str
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Example:
    """One record as a labelled example.

    Attributes:
        texts: its messages.
        target: the truth, in a shape of `zhiling.rows.target`; None where the record tells none.
        others: further right replies.
        language: of the row, where the reader knows it.
    """

    texts: Sequence[Text]
    target: dict[str, Any] | None = None
    others: Sequence[str] = field(default=())
    language: str | None = None

    @property
    def is_labelled(self) -> bool:
        """Whether it has a truth or a reply; without either it is raw material."""
        return self.target is not None or any(text.role == "assistant" for text in self.texts)


class Unreadable(ValueError):
    """A record that its reader cannot read: class and message of a Bad."""

    def __init__(self, cls: str, message: str) -> None:
        self.cls, self.message = cls, message
        super().__init__(message)


def text_of(values: Values, name: str) -> str:
    """A text that must be there and hold more than white space; numbers as JSON spells them.

    Raises:
        Unreadable: `missing_field`, `wrong_type`, `empty_text`.
    """
    text = spelled(values.get(name), name)
    if text is None:
        raise Unreadable("missing_field", f"the record has no {name}; name its field under `fields`")
    if not text or text.isspace():
        raise Unreadable("empty_text", f"{name} is empty; a text is needed")
    return text


def optional_text(values: Values, name: str) -> str | None:
    """A text where there is one that holds more than white space."""
    text = spelled(values.get(name), name)
    return text if text and not text.isspace() else None


def spelled(value: Any, name: str) -> str | None:
    """A scalar as a text, the texts of a list (of lists) joined by line breaks.

    Raises:
        Unreadable: `wrong_type`.
    """
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool | int | float):
        return orjson.dumps(value).decode()
    parts = as_list(value)
    if parts is not None and all(isinstance(part, str | list) for part in parts):
        return "\n".join(spelled(part, name) or "" for part in parts)
    raise Unreadable("wrong_type", f"{name} is {noun(value)} ({value!r:.60}); a text is needed")


def texts_of(value: Any, name: str) -> list[str]:
    """A list of texts; a lone text is a list of one, and a text that is a list in JSON is that list.

    Raises:
        Unreadable: `wrong_type`.
    """
    value = parsed(value)
    parts = [value] if isinstance(value, str) else as_list(value)
    if parts is None or not all(isinstance(part, str | int | float) for part in parts):
        raise Unreadable("wrong_type", f"{name} is {value!r:.60}; a list of texts is needed")
    return [spelled(part, name) or "" for part in parts]


def parsed(value: Any) -> Any:
    """A text that is a JSON list or object as what it says (a CSV cell, say); anything else as it is."""
    if isinstance(value, str) and value[:1] in ("[", "{"):
        try:
            return orjson.loads(value)
        except orjson.JSONDecodeError:
            return value
    return value


def whole_number(value: Any) -> int | None:
    """A whole number, also where it is spelled as a text; None where it is none."""
    if isinstance(value, str) and value.strip().lstrip("-").isascii() and value.strip().lstrip("-").isdigit():
        return int(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if type(value) is int else None
