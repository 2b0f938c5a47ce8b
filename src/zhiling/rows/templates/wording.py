"""One wording of a task: what is asked and how the reply is written, compiled and checked.

A file of wordings is YAML: `task`, and under `wordings` entries with

    id          a short name, unique in file and language
    language    en or zh
    shape       labels, score, entities, relations, answers, choice, state, steps, reply
    system      a system message (optional)
    before      what is asked, in front of the input (optional)
    input       the example's texts; the only part that a demonstration repeats
    after       what is asked behind the input (optional)
    reply       fixed text around {answer}; for `choice` any of {letter}, {number}, {choice}
    item        one record, such as "{type}: {mention}"; "{n}" first: numbered
    join        what stands between records
    none        the word for an empty answer; the prompt must say it as {none}
    json        keys of the records' values: the reply is JSON
    option      how an option is shown, such as "{letter}. {choice}"
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from zhiling.errors import UsageError
from zhiling.rows.templates.ambiguity import FACTS, refuse_ambiguous, split
from zhiling.rows.templates.forms import ChoiceForm, Column, Form, TextForm
from zhiling.rows.templates.json_form import JsonForm
from zhiling.rows.templates.line_form import LineForm
from zhiling.rows.templates.pattern import Pattern, Piece, compiled
from zhiling.rows.templates.shapes import SHAPES, Shape
from zhiling.rows.templates.spelling import Spelling

LISTED = frozenset({"labels", "label_lines", "definitions"})
"""Slots that list the labels."""

MARK_KEYS = {"en": "occurrence", "zh": "第几次"}


class Wording(BaseModel):
    """A compiled wording; see the module for its settings."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    task: str
    id: str = Field(pattern=r"^[a-z0-9_]+$")
    language: Literal["en", "zh"]
    shape: str
    system: str | None = None
    before: str | None = None
    input: str = "{input}"
    after: str | None = None
    reply: str = "{answer}"
    item: str | None = None
    join: str | None = None
    none: str | None = None
    json_keys: list[str] | None = Field(default=None, alias="json")
    option: str = "{letter}. {choice}"
    list_join: str | None = None

    @property
    def name(self) -> str:
        """`task/language/id`, unique in a library."""
        return f"{self.task}/{self.language}/{self.id}"

    @property
    def kind(self) -> Shape:
        """How its shape of truth is told."""
        return SHAPES[self.shape]

    @cached_property
    def asks(self) -> tuple[Pattern | None, Pattern | None, Pattern, Pattern | None]:
        """Patterns of system, before, input and after."""
        system, before, after = (
            None if text is None else compiled(text.strip("\n"), self.name)
            for text in (self.system, self.before, self.after)
        )
        return system, before, compiled(self.input.strip("\n"), self.name), after

    @cached_property
    def slots(self) -> frozenset[str]:
        """Slots of all parts of the prompt."""
        return frozenset(slot for pattern in self.asks if pattern for slot in pattern.slots)

    @cached_property
    def fields(self) -> frozenset[str]:
        """Slots that are messages of the example; `input` takes all that have no slot of their own."""
        return self.slots - FACTS

    @cached_property
    def required(self) -> frozenset[str]:
        """Slots without which the wording cannot be used."""
        return frozenset(slot for pattern in self.asks if pattern for slot in pattern.required)

    @cached_property
    def needed(self) -> frozenset[str]:
        """Messages without which it cannot be used."""
        return self.required - FACTS

    @cached_property
    def nothing(self) -> Piece | None:
        """The reply where nothing fits; None where the truth is never empty."""
        return Piece(self.form.write([])) if self.kind.empty else None

    @cached_property
    def lists_labels(self) -> bool:
        """Whether the prompt names the labels."""
        return not self.slots.isdisjoint(LISTED)

    @property
    def comma(self) -> str:
        """What stands between labels in a running list."""
        return self.list_join or (", " if self.language == "en" else "、")

    @cached_property
    def ends(self) -> tuple[str, str]:
        """Fixed text before and after the answer."""
        head, _, tail = self.reply.partition("{answer}")
        return head, tail

    @cached_property
    def form(self) -> Form:
        """How the reply is written and read."""
        if self.shape == "choice":
            literals, columns = split(self.reply)
            return ChoiceForm(literals, columns)
        if self.shape == "reply":
            return TextForm(self.ends)
        columns = self.kind.columns
        if self.json_keys is not None:
            mentions = tuple(column.mention for column in columns)
            single = self.kind.join is None
            return JsonForm(tuple(self.json_keys), mentions, MARK_KEYS[self.language], self.ends, single)
        return self._lines(columns)

    def _lines(self, columns: Sequence[Column]) -> LineForm:
        literals, names = split(self.item or self.kind.item)
        numbered = names[:1] == ("n",)
        if numbered:
            literals, names = literals[1:], names[1:]
        by_name = {column.name: column for column in columns}
        order = tuple(names.index(column.name) for column in columns)
        join = None if self.kind.join is None else (self.join or self.kind.join)
        stops = [
            *literals[1:-1],
            literals[-1] + (join or ""),
            *([self.comma] if "labels" in self.slots else []),
        ]
        spelling = Spelling(tuple(stop for stop in dict.fromkeys(stops) if stop), self.none)
        return LineForm(
            literals, tuple(by_name[name] for name in names), order, join, self.ends, spelling, numbered
        )

    @model_validator(mode="after")
    def _checked(self) -> Self:
        refuse_ambiguous(self)
        return self

    def covers(self, fields: frozenset[str]) -> bool:
        """Whether it shows all of these messages and needs no others."""
        return self.needed <= fields and ("input" in self.slots or fields <= self.fields)


def wording(entry: dict[str, Any], task: str, place: str) -> Wording:
    """A wording from its entry in a file.

    Raises:
        UsageError: a setting is wrong, or the wording is ambiguous; names the place and the wording.
    """
    from pydantic import ValidationError

    where = f"{place}: wording {entry.get('id')!r} ({entry.get('language')})"
    try:
        return Wording(task=task, **entry)
    except ValidationError as error:
        first = error.errors()[0]
        setting = ".".join(map(str, first["loc"]))
        problem = first["msg"].removeprefix("Value error, ")
        raise UsageError(f"{setting}: {problem}" if setting else problem, place=where) from error
    except UsageError as error:
        raise UsageError(error.message, place=where, hint=error.hint) from error
