"""Slots of labelled sentences: pieces that another of the same type may stand for, and the swap itself.

A type is what makes a swap true: of an entity its label; of an end of a fact the relations and sides in which
it takes part; of a listed value the list. Script and spelling must fit too: a number for a number, capitals
for capitals, Chinese for Chinese.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from pydantic import BaseModel

from zhiling.errors import MissingInput, UsageError
from zhiling.rows import target
from zhiling.rows.templates import Turn
from zhiling.rows.templates.phrases import read_yaml

_HAN = re.compile(r"[\u3400-\u9fff]")
_EDGE = r"[^\W_\u3400-\u9fff]"  # a letter or digit of a script that parts words by spaces


@dataclass(frozen=True, order=True)
class Slot:
    """A piece of a message that may be swapped: `turns[message].text[start:end]`, and its type."""

    message: int
    start: int
    end: int
    type: str


@dataclass(frozen=True)
class Values:
    """Listed values: type → values, with the patterns that find them."""

    of_type: Mapping[str, Sequence[str]]
    patterns: Mapping[str, re.Pattern[str]]


def read_values(path: Path) -> Values:
    """The values of a YAML file: a mapping of types to lists of texts.

    Raises:
        MissingInput: the file is not there.
        UsageError: it holds something else, or a value of two types.
    """
    from ruamel.yaml.error import YAMLError

    if not path.is_file():
        raise MissingInput(f"file of values {path.name!r} is not there", place=str(path))
    try:
        tree: Any = read_yaml(path.read_text(encoding="utf-8"))
    except YAMLError as error:
        raise UsageError(f"cannot be read as YAML: {error}", place=str(path)) from error
    if not isinstance(tree, dict) or not all(map(_is_list, cast(dict[str, Any], tree).values())):
        hint = "write `city: [Oslo, 杭州]`, a type and its values a line"
        raise UsageError("values are a mapping of types to lists of texts", place=str(path), hint=hint)
    lists = {str(name): list(dict.fromkeys(values)) for name, values in cast(dict[str, Any], tree).items()}
    owners: dict[str, str] = {}
    for name, values in lists.items():
        for value in values:
            other = owners.setdefault(value.casefold(), name)
            if other != name:
                raise UsageError(f"value {value!r} stands in {other!r} and in {name!r}", place=str(path))
    return Values(lists, {name: _pattern(values) for name, values in lists.items() if values})


def _is_list(values: Any) -> bool:
    return isinstance(values, list) and all(
        isinstance(value, str) and value.strip() for value in cast(list[Any], values)
    )


def _pattern(values: Sequence[str]) -> re.Pattern[str]:
    """Any of the values, the longest first; one in Latin letters or digits only where it stands alone."""
    listed: list[str] = []
    for value in sorted(values, key=len, reverse=True):
        before = f"(?<!{_EDGE})" if re.match(_EDGE, value) else ""
        after = f"(?!{_EDGE})" if re.search(f"{_EDGE}\\Z", value) else ""
        listed.append(f"{before}{re.escape(value)}{after}")
    return re.compile("|".join(listed))


def slots_of(turns: Sequence[Turn], truth: BaseModel, values: Values | None) -> list[Slot]:
    """The slots of a labelled sentence, in order; none that another overlaps."""
    match truth:
        case target.Entities():
            found = [Slot(span.message, span.start, span.end, span.label) for span in truth.spans]
        case target.Relations():
            ends = list(_ends(turns, truth))
            found = [end for end in ends if not any(_crosses(end, span) for span in truth.spans or ())]
        case target.Labels() if values is not None:
            found = list(_listed(turns, values))
        case _:
            found = []
    found = sorted(slot for slot in found if _stands(turns, slot))
    return [slot for slot in found if not any(_overlap(slot, other) for other in found if other is not slot)]


def _stands(turns: Sequence[Turn], slot: Slot) -> bool:
    if not 0 <= slot.message < len(turns):
        return False
    words = turns[slot.message].text[slot.start : slot.end]
    return 0 <= slot.start < slot.end <= len(turns[slot.message].text) and words == words.strip()


def _overlap(one: Slot, other: Slot) -> bool:
    return one.message == other.message and one.start < other.end and other.start < one.end


def _crosses(slot: Slot, span: target.Span) -> bool:
    """Whether an entity overlaps the slot without being the same piece of text."""
    same = (slot.start, slot.end) == (span.start, span.end)
    return slot.message == span.message and not same and slot.start < span.end and span.start < slot.end


def _ends(turns: Sequence[Turn], truth: target.Relations) -> Iterator[Slot]:
    """Ends of facts with a place, whose words stand nowhere else; entities without a fact stay."""
    roles: dict[tuple[int, int, int], set[str]] = {}
    words: dict[tuple[int, int, int], set[str]] = {}
    for triple in truth.relations:
        for side, place, told, kind in (
            ("subject", triple.subject_place, triple.subject, triple.subject_type),
            ("object", triple.object_place, triple.object, triple.object_type),
        ):
            if place is None:
                return  # a fact whose words cannot be changed would be told of a name that is gone
            at = place.message, place.start, place.end
            roles.setdefault(at, set()).add(f"{triple.relation}\0{side}\0{kind or ''}")
            words.setdefault(at, set()).add(told)
    for (message, start, end), types in roles.items():
        text = turns[message].text if message < len(turns) else ""
        shown = text[start:end]
        if words[message, start, end] == {shown} and text.casefold().count(shown.casefold()) == 1:
            yield Slot(message, start, end, "\1".join(sorted(types)))


def _listed(turns: Sequence[Turn], values: Values) -> Iterator[Slot]:
    for message, turn in enumerate(turns):
        if turn.role == "user":
            for name, pattern in values.patterns.items():
                for match in pattern.finditer(turn.text):
                    yield Slot(message, *match.span(), name)


def spelling(words: str) -> tuple[bool, bool, bool, bool, bool]:
    """What words must share to stand for each other: Chinese, figures, first capital, all capitals, 《》."""
    letters = [each for each in words if each.isalpha()]
    return (
        bool(_HAN.search(words)),
        any(each.isdigit() for each in words),
        bool(letters) and letters[0].isupper(),
        len(letters) > 1 and all(each.isupper() for each in letters),
        not words[:1].isalnum(),
    )


def swapped(
    turns: Sequence[Turn], truth: BaseModel, swaps: Mapping[Slot, str]
) -> tuple[list[Turn], BaseModel]:
    """The sentence with other words in these slots, and its truth with every place moved.

    Tokens and their tags are left out: they are places of the old text.
    """
    texts = [turn.text for turn in turns]
    for slot in sorted(swaps, reverse=True):
        text = texts[slot.message]
        texts[slot.message] = text[: slot.start] + swaps[slot] + text[slot.end :]
    told = truth.model_dump(exclude_none=True, exclude_unset=True, exclude={"tokens", "tags"})
    moved = cast(dict[str, Any], _moved(told, sorted(swaps), swaps))
    for triple in moved.get("relations", ()):
        for side in ("subject", "object"):
            place = triple.get(f"{side}_place")
            if place is not None:
                triple[side] = texts[place.get("message", 0)][place["start"] : place["end"]]
    for span in moved.get("spans", ()):
        if "text" in span:
            span["text"] = texts[span.get("message", 0)][span["start"] : span["end"]]
    new = [turn._replace(text=text) for turn, text in zip(turns, texts, strict=True)]
    return new, type(truth).model_validate(moved)


def _moved(value: Any, order: Sequence[Slot], swaps: Mapping[Slot, str]) -> Any:
    """A JSON value with every place moved behind the swaps before it."""
    if isinstance(value, list | tuple):
        return [_moved(each, order, swaps) for each in cast(Sequence[Any], value)]
    if not isinstance(value, dict):
        return value
    fields = {name: _moved(each, order, swaps) for name, each in cast(dict[str, Any], value).items()}
    if "start" in fields and "end" in fields:
        message = fields.get("message", 0)
        before = [slot for slot in order if slot.message == message]
        fields["start"] += sum(_growth(slot, swaps) for slot in before if slot.end <= fields["start"])
        fields["end"] += sum(_growth(slot, swaps) for slot in before if slot.end <= value["end"])
    return fields


def _growth(slot: Slot, swaps: Mapping[Slot, str]) -> int:
    return len(swaps[slot]) - (slot.end - slot.start)
