"""Truths and answers in words, for people: `Anna Lind PER · Kyoto LOC` where a target is JSON."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson

from zhiling.rows.target import CHOICE
from zhiling.training import Input
from zhiling.training.inputs import texts_named

NOTHING = "–"
"""No entity, no triple, no label fits, or the passage does not answer."""


def in_words(answer: str, turns: Input) -> str:
    """A truth or answer as words; a label or number as it is.

    Args:
        answer: as tasks spell it: a label, a number, or a row's `target` as JSON (see `rows/target.py`).
        turns: the input that it answers; a span and an option are told by their text there.

    Anchor: a span 0–4 with label PER in "Anna sings" is "Anna PER".
    """
    if not answer.startswith("{"):
        return answer
    try:
        target: Any = orjson.loads(answer)
    except orjson.JSONDecodeError:
        return answer
    for field, words in _FORMS.items():
        if field in target:
            return words(target[field], turns)
    return answer


def _piece(place: dict[str, Any], turns: Input) -> str:
    message: int = place.get("message", 0)
    return turns[message].text[place["start"] : place["end"]]


def _spans(spans: list[dict[str, Any]], turns: Input) -> str:
    return " · ".join(f"{_piece(span, turns)} {span['label']}" for span in spans) or NOTHING


def _triples(triples: list[dict[str, Any]], turns: Input) -> str:  # noqa: ARG001 - as every form
    told = [f"{each['subject']} –{each['relation']}→ {each['object']}" for each in triples]
    return " · ".join(told) or NOTHING


def _answers(answers: list[dict[str, Any]], turns: Input) -> str:  # noqa: ARG001 - as every form
    told = answers[:1] if any("score" in each for each in answers) else answers  # of a ranking the best
    return " / ".join(each["text"] for each in told) or NOTHING


def _option(number: int, turns: Input) -> str:
    options = texts_named(turns, CHOICE)
    return options[number] if number < len(options) else f"option {number}"


def _labels(labels: list[str], turns: Input) -> str:  # noqa: ARG001 - as every form
    return " · ".join(labels) or NOTHING


_FORMS: dict[str, Callable[[Any, Input], str]] = {
    "relations": _triples,
    "spans": _spans,
    "answers": _answers,
    "choice": _option,
    "labels": _labels,
}
"""By the field that only targets of this shape have; relations first: they may name their entities too."""
