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

import re
from collections.abc import Sequence
from functools import cached_property
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from zhiling.errors import UsageError
from zhiling.rows.templates.forms import (
    CHOICE_COLUMNS,
    ChoiceForm,
    Column,
    Form,
    JsonForm,
    LineForm,
    TextForm,
)
from zhiling.rows.templates.pattern import Pattern, compiled
from zhiling.rows.templates.shapes import SHAPES, Shape
from zhiling.rows.templates.spelling import QUOTED, Spelling

FLAGS = frozenset({"multi", "single", "none", "range"})
"""Conditions that are no slots: a row has several labels or one, a reply may be empty, a score has bounds."""

FACTS = frozenset(
    {"input", "labels", "label_lines", "definitions", "none", "low", "high", "tests", "constraints"}
    | {"source_language", "target_language"}
)
"""Slots that are no messages of the example."""

_SLOT = re.compile(r"\{([a-z_]+)\}")
_LISTED = ("labels", "label_lines", "definitions")
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

    @property
    def lists_labels(self) -> bool:
        """Whether the prompt names the labels."""
        return not self.slots.isdisjoint(_LISTED)

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
            literals, columns = _split(self.reply)
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
        literals, names = _split(self.item or self.kind.item)
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
        _check(self)
        return self

    def covers(self, fields: frozenset[str]) -> bool:
        """Whether it shows all of these messages and needs no others."""
        needed = self.required - FACTS
        return needed <= fields and ("input" in self.slots or fields <= self.fields)


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


def _check(one: Wording) -> None:
    """Refuses what could be read in two ways.

    Raises:
        UsageError: with what is allowed.
    """
    if one.shape not in SHAPES:
        raise UsageError(f"shape is {one.shape!r}", hint=f"one of {', '.join(SHAPES)}")
    for pattern in one.asks:
        unknown = set() if pattern is None else pattern.conditions - FLAGS - pattern.slots - FACTS - one.slots
        if unknown:
            raise UsageError(
                f"condition {sorted(unknown)} is neither a flag nor a slot of the prompt",
                hint=f"flags are {', '.join(sorted(FLAGS))}",
            )
    repeated = [slot for slot in one.slots if sum(_count(pattern, slot) for pattern in one.asks) > 1]
    messages = sorted(set(repeated) - FACTS | ({"input"} & set(repeated)))
    if messages:
        raise UsageError(f"slots {messages} stand twice", hint="show each message of the example once")
    if not (one.asks[2].slots - (FACTS - {"input"})):
        raise UsageError(
            "`input` shows no message of the example", hint="write {input} or the message's name"
        )
    (_check_choice if one.shape == "choice" else _check_reply)(one)


def _count(pattern: Pattern | None, slot: str) -> int:
    if pattern is None:
        return 0
    free = [segment for segment in pattern.segments if segment.condition is None]
    bound = [segment for segment in pattern.segments if segment.condition is not None]
    shown = sum(segment.slots.count(slot) for segment in free)
    return shown + (1 if any(slot in segment.slots for segment in bound) and slot not in FACTS else 0)


def _check_choice(one: Wording) -> None:
    names = _SLOT.findall(one.reply)
    if not names or len(set(names)) != len(names) or not set(names) <= set(CHOICE_COLUMNS):
        raise UsageError(
            f"reply {one.reply!r} names no option", hint="use {letter}, {number} or {choice}, each once"
        )
    _refuse_touching(one.reply, "reply")
    shown = set(_SLOT.findall(one.option))
    missing = set(names) - shown | ({"choice"} - shown)
    if missing:
        raise UsageError(
            f"option {one.option!r} does not show {sorted(missing)}, which the reply needs",
            hint='for instance "{letter}. {choice}"',
        )


def _check_reply(one: Wording) -> None:
    if one.reply.count("{answer}") != 1:
        raise UsageError(f"reply {one.reply!r} must hold {{answer}} once")
    if one.shape != "reply" and ("\n\n" in one.reply or one.reply != one.reply.strip("\n")):
        raise UsageError(
            f"reply {one.reply!r} holds a blank line or an outer line break",
            hint="a blank line parts a worked solution from the answer",
        )
    if one.shape == "reply":
        if one.none or one.item or one.join or one.json_keys:
            raise UsageError("a reply of one's own words has neither item, join, none nor json")
        return
    _check_none(one)
    if one.json_keys is not None:
        if len(one.json_keys) != len(one.kind.columns) or len(set(one.json_keys)) != len(one.json_keys):
            names = [column.name for column in one.kind.columns]
            raise UsageError(f"json is {one.json_keys}", hint=f"one key each for {', '.join(names)}")
        return
    _check_item(one)


def _check_none(one: Wording) -> None:
    says = "none" in one.slots
    if not one.kind.empty:
        if one.none or says:
            raise UsageError(f"a {one.shape} is never empty, so `none` has no meaning here")
        return
    if not says or "none" in one.required:
        raise UsageError(
            "the prompt does not say what to reply where nothing fits",
            hint="put a sentence with {none} between [[none| and ]]: it stands where a reply may be empty",
        )
    if one.json_keys is not None:
        if one.none is not None:
            raise UsageError("JSON has [] and null for an empty answer", hint="leave `none` out")
        return
    head, tail = one.ends
    if not one.none or one.none != one.none.strip() or "\n" in one.none or one.none.startswith('"'):
        raise UsageError(
            f"none is {one.none!r}",
            hint="a word or a sentence in one line, without quotation mark or space around",
        )
    if (head or tail) and one.none.startswith(head) and one.none.endswith(tail):
        raise UsageError(
            f"none {one.none!r} reads like a reply {one.reply!r} with an answer in it",
            hint="begin or end it differently",
        )


def _check_item(one: Wording) -> None:
    item = one.item or one.kind.item
    literals, names = _split(item)
    wanted = [column.name for column in one.kind.columns]
    bare = [name for name in names if name != "n"]
    if sorted(bare) != sorted(wanted) or names.count("n") > 1 or "n" in names[1:]:
        raise UsageError(f"item {item!r} does not hold each of {wanted} once")
    _refuse_touching(item, "item")
    if names[:1] == ("n",) and literals[0]:
        raise UsageError(f"item {item!r} begins with a text", hint='a number comes first: "{n}. {step}"')
    marks = [*literals[1:-1], *([one.join or one.kind.join] if one.kind.join else [])]
    for mark in marks:
        if mark is not None and (re.fullmatch(QUOTED, mark) or '"' in mark or "[" in mark):
            raise UsageError(
                f"{mark!r} between values could be part of one", hint='no quotation mark and no "[" there'
            )
        if mark is not None and mark.strip() == "" and "\n" not in mark:
            raise UsageError(
                f"{mark!r} between values is white space only",
                hint="values hold spaces too: use a mark or a line break",
            )
    if one.kind.join and one.join is not None and not one.join:
        raise UsageError("join is empty", hint="records would touch: use a mark or a line break")
    if "\n\n" in (one.join or "") or "\n\n" in item or item != item.strip("\n"):
        raise UsageError("a blank line parts a worked solution from the answer", hint="use one line break")


def _refuse_touching(pattern: str, what: str) -> None:
    if re.search(r"\}\{", pattern):
        raise UsageError(f"two slots touch in {what} {pattern!r}", hint="put a mark between them")


def _split(pattern: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    pieces = _SLOT.split(pattern)
    return tuple(pieces[::2]), tuple(pieces[1::2])
