"""Forms of a reply: how records (tuples of values) are written, and read back exactly.

Every form reads what it wrote, value for value. What a model wrote with harmless differences (white space,
full-width marks, a closing full stop) is read too, as far as one reading is possible; all else is `Unparsed`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol, cast

import orjson

from zhiling.rows.templates.spelling import QUOTED, Cell, Mention, Spelling, Unparsed, unquoted

Record = tuple[Cell, ...]

_MARK = r" \[(\d{1,9})\]"
_ALIKE = {mark: f"[{group}]" for group in (",，、", ":：", ";；", "(（", ")）", ".。") for mark in group}
_CLOSING = re.compile(r"[\s。．.！!]+$")
_FENCE = re.compile(r"```\w*\n(.*?)\n?```", re.DOTALL)
_KEY = re.compile(r'\{"(\w+)": ')


CHOICE_COLUMNS = ("letter", "number", "choice")
"""Values of the record that is an option; those that a reply does not show are read as empty."""


_ANY = Spelling(())


class Form(Protocol):
    """A way to write records."""

    @property
    def spelling(self) -> Spelling:
        """How single values are written."""
        ...

    def write(self, records: Sequence[Record]) -> str:
        """The reply."""
        ...

    def read(self, reply: str) -> list[Record] | Unparsed:
        """The records of a reply."""
        ...


@dataclass(frozen=True)
class Column:
    """A place in a record: its name, and whether it holds words of the text (a mark may follow them)."""

    name: str
    mention: bool = False


@dataclass(frozen=True)
class LineForm:
    """Records by a pattern, one after another: `person: Ada; place: Paris`.

    Attributes:
        literals: fixed texts around the columns, one more than columns.
        columns: in the order of the pattern.
        order: for each value of a record, which of `columns` it is.
        join: what stands between two records; None: there is one at most.
        ends: fixed text before and after the whole.
        spelling: what may stand plainly, and the word for none.
        numbered: whether each record begins with its number, from 1.
    """

    literals: tuple[str, ...]
    columns: tuple[Column, ...]
    order: tuple[int, ...]
    join: str | None
    ends: tuple[str, str]
    spelling: Spelling
    numbered: bool = False

    def write(self, records: Sequence[Record]) -> str:
        """The records, or the word for none."""
        if not records:
            return self.spelling.none or ""
        lines = [self._line(record, number) for number, record in enumerate(records, 1)]
        return self.ends[0] + (self.join or "").join(lines) + self.ends[1]

    def _line(self, record: Record, number: int) -> str:
        cells = [""] * len(record)
        for cell, place in zip(record, self.order, strict=True):
            cells[place] = self.spelling.spell_cell(cell)
        line = "".join(cell + literal for cell, literal in zip(cells, self.literals[1:], strict=True))
        return f"{number if self.numbered else ''}{self.literals[0]}{line}"

    def read(self, reply: str) -> list[Record] | Unparsed:
        """Strictly as written, else with harmless differences."""
        found = self._read(reply, self._strict, self.ends)
        if not isinstance(found, Unparsed):
            return found
        ends = self.ends[0].strip(), self.ends[1].strip("。. \n")
        for text in variants(reply):
            again = self._read(text, self._lenient, ends)
            if not isinstance(again, Unparsed):
                return again
        return found

    def _read(
        self, reply: str, expression: re.Pattern[str], ends: tuple[str, str]
    ) -> list[Record] | Unparsed:
        none = self.spelling.none
        if none is not None and reply.casefold() == none.casefold():
            return []
        if not reply.strip():
            return Unparsed("no_answer", "the reply is empty")
        body = _between(reply, ends)
        if body is None:
            return Unparsed("wrong_form", f"{reply!r:.80} is not {ends[0]!r} … {ends[1]!r}")
        return self._records(body, expression)

    def _records(self, body: str, expression: re.Pattern[str]) -> list[Record] | Unparsed:
        records: list[Record] = []
        at = 0
        while not records or at < len(body):
            found = expression.match(body, at)
            record = None if found is None else self._record(found)
            if found is None or record is None:
                return Unparsed("wrong_form", f"{body[at:]!r:.80} does not fit {self._shown!r}")
            records.append(record)
            at = found.end()
        if self.join and expression is self._strict and body.endswith(self.join):
            return Unparsed("wrong_form", f"nothing follows the last {self.join!r}")
        return records

    def _record(self, found: re.Match[str]) -> Record | None:
        cells: list[Cell] = []
        groups = iter(found.groups())
        for column in self.columns:
            text = unquoted(next(groups))
            if text is None:
                return None
            if column.mention:
                mark = next(groups)
                cells.append(Mention(text, None if mark is None else int(mark)))
            else:
                cells.append(text)
        return tuple(cells[place] for place in self.order)

    @property
    def _shown(self) -> str:
        names = [*(f"{{{column.name}}}" for column in self.columns), ""]
        return "".join(part for pair in zip(self.literals, names, strict=True) for part in pair)

    @cached_property
    def _strict(self) -> re.Pattern[str]:
        return self._expression(re.escape)

    @cached_property
    def _lenient(self) -> re.Pattern[str]:
        return self._expression(_alike)

    def _expression(self, escape: Callable[[str], str]) -> re.Pattern[str]:
        """A value ends where its next fixed text begins: no step back, so time grows with the length only."""
        end = r"\Z" if self.join is None else rf"(?:{escape(self.join)}|\Z)"
        parts = [r"\d+" if self.numbered else "", escape(self.literals[0])]
        for index, column in enumerate(self.columns):
            after = escape(self.literals[index + 1])
            if index == len(self.columns) - 1:
                after += end
            mark = f"(?:{_MARK})?" if column.mention else ""
            stop = mark.replace("(\\d", "(?:\\d") + after
            parts.append(rf'({QUOTED}|(?!")[^\n\r](?:(?!{stop})[^\n\r])*){mark}{after}')
        return re.compile("".join(parts), re.IGNORECASE if escape is _alike else 0)


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
            return _words(record[0])
        value: dict[str, Any] = {}
        for index, (key, cell) in enumerate(zip(self.keys, record, strict=True)):
            value[key] = _words(cell)
            if isinstance(cell, Mention) and cell.nth is not None:
                value[self._mark(index)] = cell.nth
        return value

    def _mark(self, index: int) -> str:
        return self.mark if sum(self.mentions) == 1 else f"{self.keys[index]}_{self.mark}"

    def read(self, reply: str) -> list[Record] | Unparsed:
        """Strictly between its fixed texts, else any JSON that means the same."""
        if not reply.strip():
            return Unparsed("no_answer", "the reply is empty")
        body = _between(reply, self.ends)
        found = None if body is None else self._parsed(body)
        if found is not None:
            return found
        for text in variants(reply):
            again = self._unwrapped(text)
            if again is not None:
                return again
        return Unparsed("wrong_form", f"{reply!r:.80} is not the JSON that was asked for")

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


@dataclass(frozen=True)
class TextForm:
    """A reply of one's own words, as it is, between fixed texts: a translation, a summary, a program."""

    ends: tuple[str, str]
    spelling: Spelling = _ANY

    def write(self, records: Sequence[Record]) -> str:
        """The text in its place."""
        return f"{self.ends[0]}{_words(records[0][0])}{self.ends[1]}"

    def read(self, reply: str) -> list[Record] | Unparsed:
        """The text between the fixed ones; white space around them may differ."""
        body = _between(reply, self.ends)
        if body is None:
            body = _between(reply.strip(), (self.ends[0].strip(), self.ends[1].strip()))
        if body is None:
            return Unparsed("wrong_form", f"{reply!r:.80} is not {self.ends[0]!r} … {self.ends[1]!r}")
        return [(body,)]


@dataclass(frozen=True)
class ChoiceForm:
    """One option, by its letter, its number, its words or several of these.

    Attributes:
        literals: fixed texts around the columns, one more than columns.
        columns: of `letter`, `number`, `choice`, in the order of the pattern.
    """

    literals: tuple[str, ...]
    columns: tuple[str, ...]
    spelling: Spelling = _ANY

    def write(self, records: Sequence[Record]) -> str:
        """What the pattern shows of the only record: letter, number and words of the option."""
        told = dict(zip(CHOICE_COLUMNS, map(_words, records[0]), strict=True))
        values = (*(told[column] for column in self.columns), "")
        return "".join(part for pair in zip(self.literals, values, strict=True) for part in pair)

    def read(self, reply: str) -> list[Record] | Unparsed:
        """Strictly as written, else without what surrounds the option."""
        for text in (reply, *variants(reply)):
            found = self._expression.fullmatch(text) or (text is not reply and self._lenient.fullmatch(text))
            if found:
                told = dict(zip(self.columns, found.groups(), strict=True))
                return [tuple(told.get(column, "") for column in CHOICE_COLUMNS)]
        if not reply.strip():
            return Unparsed("no_answer", "the reply is empty")
        return Unparsed("wrong_form", f"{reply!r:.80} names no option")

    @cached_property
    def _expression(self) -> re.Pattern[str]:
        return self._compiled(re.escape)

    @cached_property
    def _lenient(self) -> re.Pattern[str]:
        return self._compiled(_alike)

    def _compiled(self, escape: Callable[[str], str]) -> re.Pattern[str]:
        kinds = {"letter": "([A-Z]{1,3})", "number": r"(\d{1,4})", "choice": "(.*)"}
        values = (*(kinds[column] for column in self.columns), "")
        fixed = (escape(literal) for literal in self.literals)
        return re.compile(
            "".join(part for pair in zip(fixed, values, strict=True) for part in pair), re.DOTALL
        )


def variants(reply: str) -> Iterator[str]:
    """A reply without what a model likes to put around it: white space, a code fence, a full stop."""
    stripped = reply.strip()
    yield stripped
    fenced = _FENCE.fullmatch(stripped)
    if fenced:
        yield fenced[1].strip()
    yield _CLOSING.sub("", stripped)


def _between(reply: str, ends: tuple[str, str]) -> str | None:
    head, tail = ends
    if len(reply) < len(head) + len(tail) or not (reply.startswith(head) and reply.endswith(tail)):
        return None
    return reply[len(head) : len(reply) - len(tail)]


def _alike(literal: str) -> str:
    """A fixed text with any white space, and half- or full-width marks."""
    if literal and not literal.strip():
        return r"\s*\n\s*" if "\n" in literal else r"\s+"
    pieces = [r"\s*" if mark.isspace() else _ALIKE.get(mark, re.escape(mark)) for mark in literal]
    return "".join(
        piece + (r"\s*" if mark in _ALIKE else "") for mark, piece in zip(literal, pieces, strict=True)
    )


def _words(cell: Cell) -> str:
    return cell if isinstance(cell, str) else cell.text


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
