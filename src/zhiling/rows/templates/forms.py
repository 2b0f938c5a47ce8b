"""Forms of a reply: how records (tuples of values) are written, and read back exactly.

Every form reads what it wrote, value for value. What a model wrote with harmless differences (white space,
full-width marks, a closing full stop) is read too, as far as one reading is possible; all else is `Unparsed`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from zhiling.rows.templates.spelling import Cell, Spelling, Unparsed

Record = tuple[Cell, ...]

_ALIKE = {mark: f"[{group}]" for group in (",，、", ":：", ";；", "(（", ")）", ".。") for mark in group}
_CLOSING = re.compile(r"[\s。．.！!]+$")
_FENCE = re.compile(r"```\w*\n(.*?)\n?```", re.DOTALL)


CHOICE_COLUMNS: tuple[str, ...] = ("letter", "number", "choice")
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

    def readings(self, reply: str) -> Iterator[list[Record] | Unparsed]:
        """The records of a reply: as strictly written first, then with harmless differences."""
        ...


@dataclass(frozen=True)
class Column:
    """A place in a record: its name, and whether it holds words of the text (a mark may follow them)."""

    name: str
    mention: bool = False


@dataclass(frozen=True)
class TextForm:
    """A reply of one's own words, as it is, between fixed texts: a translation, a summary, a program."""

    ends: tuple[str, str]
    spelling: Spelling = _ANY

    def write(self, records: Sequence[Record]) -> str:
        """The text in its place."""
        return f"{self.ends[0]}{words_of(records[0][0])}{self.ends[1]}"

    def readings(self, reply: str) -> Iterator[list[Record] | Unparsed]:
        """The text between the fixed ones; white space around them may differ."""
        body = between(reply, self.ends)
        if body is None:
            body = between(reply.strip(), (self.ends[0].strip(), self.ends[1].strip()))
        if body is None:
            yield Unparsed("wrong_form", f"{reply!r:.80} is not {self.ends[0]!r} … {self.ends[1]!r}")
        else:
            yield [(body,)]


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
        told = dict(zip(CHOICE_COLUMNS, map(words_of, records[0]), strict=True))
        values = (*(told[column] for column in self.columns), "")
        return "".join(part for pair in zip(self.literals, values, strict=True) for part in pair)

    def readings(self, reply: str) -> Iterator[list[Record] | Unparsed]:
        """Strictly as written, then with harmless differences."""
        found = [self._expression.fullmatch(reply), *map(self._lenient.fullmatch, variants(reply))]
        for match in filter(None, found):
            told = dict(zip(self.columns, match.groups(), strict=True))
            yield [tuple(told.get(column, "") for column in CHOICE_COLUMNS)]
        if not reply.strip():
            yield Unparsed("no_answer", "the reply is empty")
        else:
            yield Unparsed("wrong_form", f"{reply!r:.80} names no option")

    @cached_property
    def _expression(self) -> re.Pattern[str]:
        return self._compiled(re.escape)

    @cached_property
    def _lenient(self) -> re.Pattern[str]:
        return self._compiled(alike)

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


def between(reply: str, ends: tuple[str, str]) -> str | None:
    """What stands between two fixed texts; None where they are not there."""
    head, tail = ends
    if len(reply) < len(head) + len(tail) or not (reply.startswith(head) and reply.endswith(tail)):
        return None
    return reply[len(head) : len(reply) - len(tail)]


def alike(literal: str) -> str:
    """A fixed text with any white space, and half- or full-width marks."""
    if literal and not literal.strip():
        return r"\s*\n\s*" if "\n" in literal else r"\s+"
    pieces = [r"\s*" if mark.isspace() else _ALIKE.get(mark, re.escape(mark)) for mark in literal]
    return "".join(
        piece + (r"\s*" if mark in _ALIKE else "") for mark, piece in zip(literal, pieces, strict=True)
    )


def words_of(cell: Cell) -> str:
    """The words of a value."""
    return cell if isinstance(cell, str) else cell.text
