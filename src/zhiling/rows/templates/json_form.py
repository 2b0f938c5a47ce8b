"""Records as JSON."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import orjson

from zhiling.rows.templates.forms import Record, between, variants, words_of
from zhiling.rows.templates.spelling import Cell, Mention, Spelling, Unparsed

_KEY = re.compile(r'\{"(\w+)": ')


@dataclass(frozen=True)
class JsonForm:
    """Records as JSON: a list of values (one column), a list of objects, or one value alone.

    Attributes:
        keys: the columns' names in the objects.
        mentions: which columns hold words of the text.
        mark: the key for "which occurrence".
        ends: fixed text around, `{"labels": ` and `}` for instance.
        single: one record at most: a value or null.
    """

    keys: tuple[str, ...]
    mentions: tuple[bool, ...]
    mark: str
    ends: tuple[str, str]
    single: bool = False

    @property
    def spelling(self) -> Spelling:
        """JSON spells its values itself; this is for names in the prompt."""
        return Spelling((), self.write([]))

    def write(self, records: Sequence[Record]) -> str:
        """JSON in one line, with a space after colons and commas."""
        values = [self._value(record) for record in records]
        shown = (values[0] if values else None) if self.single else values
        return self.ends[0] + _dumped(shown) + self.ends[1]

    def _value(self, record: Record) -> Any:
        if len(record) == 1 and not _marked(record[0]):
            return words_of(record[0])
        value: dict[str, Any] = {}
        for index, (key, cell) in enumerate(zip(self.keys, record, strict=True)):
            value[key] = words_of(cell)
            if isinstance(cell, Mention) and cell.nth is not None:
                value[self._mark(index)] = cell.nth
        return value

    def _mark(self, index: int) -> str:
        return self.mark if sum(self.mentions) == 1 else f"{self.keys[index]}_{self.mark}"

    def readings(self, reply: str) -> Iterator[list[Record] | Unparsed]:
        """Strictly between its fixed texts, then any JSON that means the same."""
        if not reply.strip():
            yield Unparsed("no_answer", "the reply is empty")
            return
        body = between(reply, self.ends)
        candidates = [None if body is None else self._parsed(body), *map(self._unwrapped, variants(reply))]
        yield from (found for found in candidates if found is not None)
        yield Unparsed("wrong_form", f"{reply!r:.80} is not the JSON that was asked for")

    def _unwrapped(self, text: str) -> list[Record] | None:
        key = _KEY.fullmatch(self.ends[0])
        if key is None:
            return self._parsed(text)
        try:
            whole: Any = orjson.loads(text)
        except orjson.JSONDecodeError:
            return None
        if not isinstance(whole, dict) or key[1] not in whole:
            return None
        return self._records(cast(Any, whole)[key[1]])

    def _parsed(self, body: str) -> list[Record] | None:
        try:
            return self._records(orjson.loads(body))
        except orjson.JSONDecodeError:
            return None

    def _records(self, value: Any) -> list[Record] | None:
        if self.single:
            values: list[Any] = [] if value is None else [value]
        elif isinstance(value, list):
            values = cast(list[Any], value)
        else:
            return None
        records = [self._record(each) for each in values]
        return None if None in records else cast(list[Record], records)

    def _record(self, value: Any) -> Record | None:
        if isinstance(value, str | int | float) and len(self.keys) == 1 and not isinstance(value, bool):
            return (self._cell(0, value, {}),)
        if not isinstance(value, dict):
            return None
        fields = cast(Mapping[str, Any], value)
        if not all(isinstance(fields.get(key), str) for key in self.keys):
            return None
        return tuple(self._cell(index, fields[key], fields) for index, key in enumerate(self.keys))

    def _cell(self, index: int, value: Any, fields: Mapping[str, Any]) -> Cell:
        text = value if isinstance(value, str) else orjson.dumps(value).decode()
        if not self.mentions[index]:
            return text
        nth = fields.get(self._mark(index))
        return Mention(text, nth if isinstance(nth, int) else None)


def _marked(cell: Cell) -> bool:
    return isinstance(cell, Mention) and cell.nth is not None


def _dumped(value: Any) -> str:
    """JSON with a space after commas and colons, as people write it."""
    if isinstance(value, list):
        return "[" + ", ".join(_dumped(each) for each in cast(list[Any], value)) + "]"
    if isinstance(value, dict):
        fields = cast(dict[str, Any], value)
        return "{" + ", ".join(f"{_dumped(key)}: {_dumped(each)}" for key, each in fields.items()) + "}"
    return orjson.dumps(value).decode()
