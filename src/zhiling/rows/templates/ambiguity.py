"""What a wording may not be: prompts that hide a text, replies that could be read in two ways."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from zhiling.errors import UsageError
from zhiling.rows.templates.forms import CHOICE_COLUMNS
from zhiling.rows.templates.pattern import FLAGS, Pattern
from zhiling.rows.templates.shapes import SHAPES

if TYPE_CHECKING:
    from zhiling.rows.templates.wording import Wording

FACTS = frozenset(
    {"input", "labels", "label_lines", "definitions", "none", "low", "high", "tests", "constraints"}
    | {"source_language", "target_language"}
)
"""Slots that are no messages of the example."""

SLOT = re.compile(r"\{([a-z_]+)\}")


def refuse_ambiguous(one: Wording) -> None:
    """Refuses what could be read in two ways.

    Raises:
        UsageError: with what is allowed.
    """
    if one.shape not in SHAPES:
        raise UsageError(f"shape is {one.shape!r}", hint=f"one of {', '.join(SHAPES)}")
    for pattern in one.asks:
        unknown = sorted(pattern.conditions - FLAGS - FACTS - one.slots) if pattern else []
        if unknown:
            raise UsageError(
                f"condition {unknown} is neither a flag nor a slot of the prompt",
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
    names = SLOT.findall(one.reply)
    if not names or len(set(names)) != len(names) or not set(names) <= set(CHOICE_COLUMNS):
        raise UsageError(
            f"reply {one.reply!r} names no option", hint="use {letter}, {number} or {choice}, each once"
        )
    _refuse_touching(one.reply, "reply")
    shown = set(SLOT.findall(one.option))
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
    literals, names = split(item)
    wanted = [column.name for column in one.kind.columns]
    bare = [name for name in names if name != "n"]
    if sorted(bare) != sorted(wanted) or names.count("n") > 1 or "n" in names[1:]:
        raise UsageError(f"item {item!r} does not hold each of {wanted} once")
    _refuse_touching(item, "item")
    if names[:1] == ("n",) and literals[0]:
        raise UsageError(f"item {item!r} begins with a text", hint='a number comes first: "{n}. {step}"')
    marks = [*literals[1:-1], *([one.join or one.kind.join] if one.kind.join else [])]
    for mark in marks:
        if '"' in mark or "[" in mark:
            raise UsageError(
                f"{mark!r} between values could be part of one", hint='no quotation mark and no "[" there'
            )
        if mark.strip() == "" and "\n" not in mark:
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


def split(pattern: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Literals and slots of a reply's pattern; one literal more than slots."""
    pieces = SLOT.split(pattern)
    return tuple(pieces[::2]), tuple(pieces[1::2])
