"""Records line by line, or one after another in a line, by a pattern."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from zhiling.rows.templates.forms import Column, Record, alike, between, variants
from zhiling.rows.templates.spelling import QUOTED, Cell, Mention, Spelling, Unparsed, unquoted

_MARK = r" \[(\d{1,9})\]"


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

    def readings(self, reply: str) -> Iterator[list[Record] | Unparsed]:
        """Strictly as written, then with harmless differences."""
        yield self._read(reply, self._strict, self.ends)
        ends = self.ends[0].strip(), self.ends[1].strip("。. \n")
        for text in variants(reply):
            yield self._read(text, self._lenient, ends)

    def _read(
        self, reply: str, expression: re.Pattern[str], ends: tuple[str, str]
    ) -> list[Record] | Unparsed:
        none = self.spelling.none
        if none is not None and reply.casefold() == none.casefold():
            return []
        if not reply.strip():
            return Unparsed("no_answer", "the reply is empty")
        body = between(reply, ends)
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
        return self._expression(alike)

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
        return re.compile("".join(parts), re.IGNORECASE if escape is alike else 0)
