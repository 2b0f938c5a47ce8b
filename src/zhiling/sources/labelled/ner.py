"""Entities: tokens with their tags, or a text with spans in the forms that public sets have."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NamedTuple

from zhiling.sources.labelled import token_tags
from zhiling.sources.labelled.example import (
    Example,
    Text,
    Unreadable,
    Values,
    parsed,
    spelled,
    text_of,
    whole_number,
)
from zhiling.sources.labelled.manner import Manner
from zhiling.sources.labelled.places import ends_of, located
from zhiling.sources.records.json_values import as_list, as_object
from zhiling.text.spacing import join

SPAN_FIELDS: dict[str, tuple[str, ...]] = {
    "start": ("start", "start_position", "begin", "startIndex", "start_offset", "start_char"),
    "end": ("end", "end_position", "endIndex", "end_offset", "end_char"),
    "label": ("label", "type", "entity_type", "tag", "slot"),
    "surface": ("text", "surface", "entity_value", "value", "word", "mention", "entity"),
}


class Claim(NamedTuple):
    """A span as the record tells it."""

    start: int
    end: int
    label: str
    surface: str | None


def tagged(values: Values, manner: Manner) -> Example:
    """Tokens and tags as a text with spans; tags that are numbers get their names."""
    words, tags = _names(values, "tokens"), _names(values, "tags")
    if words is None:
        raise Unreadable("missing_field", "the record has no tokens; a list of strings is needed")
    text, places = join(words)
    if not text or text.isspace():
        raise Unreadable("empty_text", "the tokens are empty; a text is needed")
    if tags is None:
        return Example([Text("user", text)])
    if len(words) != len(tags):
        message = f"{len(words)} tokens but {len(tags)} tags; one tag a token is needed"
        raise Unreadable("ragged_tokens", message)
    named = [manner.label(tag) for tag in tags] if manner.names else tags
    spans = token_tags.spans(named, places)
    return Example([Text("user", text)], {"tokens": places, "tags": named, "spans": spans})


def _names(values: Values, field: str) -> list[str] | None:
    """A list of strings or whole numbers; a string (a CSV cell) is split at white space."""
    value = parsed(values.get(field))
    if value is None:
        return None
    names = value.split() if isinstance(value, str) else as_list(value)
    kinds = {str, int} if field == "tags" else {str}
    if names is None or not set(map(type, names)) <= kinds:
        raise Unreadable("wrong_type", f"{field} is {value!r:.60}; a list of strings is needed")
    return list(map(str, names))


def spanned(values: Values, manner: Manner) -> Example:
    """A text with its spans."""
    text = text_of(values, "text")
    claims = claims_of(values)
    if claims is None:
        return Example([Text("user", text)], {"spans": []} if manner.absent_is_none else None)
    return Example([Text("user", text)], {"spans": [_span(text, claim, manner) for claim in claims]})


def _span(text: str, claim: Claim, manner: Manner) -> dict[str, Any]:
    end = claim.end + (manner.ends == "inclusive")
    start, end = located(text, claim.start, end, claim.surface, manner.mismatch)
    return {"message": 0, "start": start, "end": end, "label": manner.label(claim.label)}


def settle_ends(batch: list[Values], manner: Manner) -> Manner:
    """The manner with the ends that these records show, where the settings do not say."""
    return replace(manner, ends=ends_of(_claims(batch))) if manner.ends == "auto" else manner


def _claims(batch: list[Values]) -> Iterator[tuple[str, int, int, str]]:
    for values in batch:
        text = values.get("text")
        try:
            claims = claims_of(values) or []
        except Unreadable:  # told when the record itself is read
            continue
        for claim in claims:
            if claim.surface is not None and isinstance(text, str):
                yield text, claim.start, claim.end, claim.surface


def claims_of(values: Values) -> list[Claim] | None:
    """The spans that a record tells; None where it tells nothing.

    Raises:
        Unreadable: `wrong_type`.
    """
    value = parsed(values.get("spans"))
    by_type = as_object(value)
    if by_type is not None and not _looks_like_a_span(by_type):
        return list(_by_type(by_type))
    if value is not None:
        listed = as_list(value)
        return [_claim(each) for each in ([value] if listed is None else listed)]
    if values.get("end") in (None, ""):
        return None
    return [_of_columns(values)]


def _looks_like_a_span(value: dict[str, Any]) -> bool:
    return any(name in value for name in (*SPAN_FIELDS["end"], "valueSpan"))


def _by_type(value: dict[str, Any]) -> Iterator[Claim]:
    """`{type: {surface: [[start, end], …]}}`."""
    for label, surfaces in value.items():
        for surface, places in (as_object(surfaces) or {"": surfaces}).items():
            for place in as_list(places) or [places]:
                pair = as_list(place) or []
                if not surface or len(pair) != 2:
                    needed = "{type: {surface: [[start, end]]}} is needed"
                    raise Unreadable("wrong_type", f"spans of {label!r} are {surfaces!r:.60}; {needed}")
                yield _whole(pair[0], pair[1], label, surface)


def _claim(value: Any) -> Claim:
    """From an object, or a list of start, end and label."""
    parts = as_list(value)
    if parts is not None and len(parts) == 3:
        return _whole(parts[0], parts[1], parts[2], None)
    span = as_object(value)
    if span is None:
        raise Unreadable("wrong_type", f"a span is {value!r:.60}; {{start, end, label}} is needed")
    nested = as_object(span.get("valueSpan"))
    if nested is not None:  # written by protocol buffers, which leave out a 0
        span = {**span, "start": nested.get("startIndex", 0), "end": nested.get("endIndex")}
    found = {
        ours: next((span[name] for name in names if name in span), None)
        for ours, names in SPAN_FIELDS.items()
    }
    surface = found["surface"] if isinstance(found["surface"], str) else None
    return _whole(found["start"], found["end"], found["label"], surface)


def _of_columns(values: Values) -> Claim:
    """One entity in columns of its own."""
    surface = spelled(values.get("surface"), "surface")
    return _whole(
        whole_number(values.get("start")), whole_number(values.get("end")), values.get("span_label"), surface
    )


def _whole(start: Any, end: Any, label: Any, surface: str | None) -> Claim:
    if type(start) is not int or type(end) is not int or not isinstance(label, str | int) or label == "":
        message = f"a span is {start!r:.20}–{end!r:.20} {label!r:.40}; {{start, end, label}} is needed"
        raise Unreadable("wrong_type", message)
    return Claim(start, end, str(label), surface)
