"""Relations: facts that a text states, as triples in words or as links between entities."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from zhiling.sources.labelled.example import Example, Text, Unreadable, Values, parsed, text_of
from zhiling.sources.labelled.manner import Manner
from zhiling.sources.labelled.ner import claims_of
from zhiling.sources.labelled.places import located
from zhiling.sources.records.json_values import as_list, as_object

TRIPLE_FIELDS: dict[str, tuple[str, ...]] = {
    "subject": ("subject", "head", "subj", "h", "主语", "主体"),
    "relation": ("relation", "predicate", "type", "label", "p", "关系", "谓语"),
    "object": ("object", "tail", "obj", "t", "宾语", "客体"),
}
VALUE = "@value"
"""Key of an object's main part where it has further ones (a prize, and the work that won it)."""


def relation(values: Values, manner: Manner) -> Example:
    """A text with its triples; entities and places where the set tells them."""
    text = text_of(values, "text")
    entities = _entities(values, text, manner)
    listed = _listed(values)
    if listed is None:
        truth = {"relations": list[Any]()} if manner.absent_is_none else None
    else:
        truth = {
            "relations": [triple for each in listed for triple in _triples(each, entities, text, manner)]
        }
    if truth is not None and entities is not None:
        truth["spans"] = entities
    return Example([Text("user", text)], truth)


def _listed(values: Values) -> list[Any] | None:
    """Relations as the record tells them: a list, or one in columns of its own."""
    value = parsed(values.get("relations"))
    if value is not None:
        listed = as_list(value)
        return [value] if listed is None else listed
    named = {name: values.get(name) for name in TRIPLE_FIELDS}
    return [named] if any(part not in (None, "") for part in named.values()) else None


def _entities(values: Values, text: str, manner: Manner) -> list[dict[str, Any]] | None:
    if values.get("spans") is None:
        return None
    spans: list[dict[str, Any]] = []
    for claim in claims_of(values) or []:
        end = claim.end + (manner.ends == "inclusive")
        start, end = located(text, claim.start, end, claim.surface, manner.mismatch)
        spans.append({"message": 0, "start": start, "end": end, "label": claim.label})
    return spans


def _triples(
    value: Any, entities: list[dict[str, Any]] | None, text: str, manner: Manner
) -> Iterator[dict[str, Any]]:
    """One relation as triples: an object with further parts gives one triple a part."""
    told = as_object(value)
    if told is None and (listed := as_list(value)) is not None and len(listed) == 3:
        told = dict(zip(TRIPLE_FIELDS, listed, strict=True))
    if told is None:
        needed = "{subject, relation, object} is needed"
        raise Unreadable("wrong_type", f"a relation is {value!r:.60}; {needed}")
    subject, predicate, objects = (_part(told, names) for names in TRIPLE_FIELDS.values())
    if not isinstance(predicate, str) or not predicate:
        raise Unreadable("wrong_type", f"a relation is named {predicate!r:.40}; a text is needed")
    named = as_object(objects)
    # an object without a main part is an entity, told with more than its name
    parts: dict[str, Any] = named if named is not None and VALUE in named else {VALUE: objects}
    types = told.get("object_type")
    for part, each in parts.items():
        triple = _end("subject", subject, entities, text)
        triple["relation"] = _relation(manner.label(predicate), part)
        triple |= _end("object", each, entities, text)
        for end, kind in (("subject", told.get("subject_type")), ("object", types)):
            name = (as_object(kind) or {}).get(part) if isinstance(kind, dict) else kind
            if isinstance(name, str) and name:
                triple[f"{end}_type"] = name
        yield triple


def _relation(name: str, part: str) -> str:
    return name if part == VALUE else f"{name}.{part}"


def _part(told: dict[str, Any], names: tuple[str, ...]) -> Any:
    return next((told[name] for name in names if name in told), None)


def _end(role: str, value: Any, entities: list[dict[str, Any]] | None, text: str) -> dict[str, Any]:
    """Subject or object in words; its type and place where it is an entity's number."""
    named = as_object(value)
    if named is not None:
        value = next((named[key] for key in ("text", "name", "word") if key in named), None)
    if isinstance(value, str) and value:
        return {role: value}
    if type(value) is int and entities is not None:
        if not 0 <= value < len(entities):
            message = f"{role} is entity {value}, but the record has {len(entities)}, counted from 0"
            raise Unreadable("entity_outside", message)
        span = entities[value]
        place = {key: span[key] for key in ("message", "start", "end")}
        return {
            role: text[span["start"] : span["end"]],
            f"{role}_type": span["label"],
            f"{role}_place": place,
        }
    message = f"{role} is {value!r:.60}; a text, or the number of an entity, is needed"
    raise Unreadable("wrong_type", message)
