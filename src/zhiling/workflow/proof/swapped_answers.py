"""Answers beside answers to swapped inputs: the same truth, with its places where they moved."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import orjson

from zhiling.errors import UsageError
from zhiling.evaluation.counterfactual import Kind, Swapped, swap_texts
from zhiling.evaluation.counterfactual.swap import Unswapped
from zhiling.rows.templates.example import Turn
from zhiling.training import Input
from zhiling.training.inputs import GIVEN, SHOWN


def swap_input(turns: Input, kind: Kind, key: str, variant: int = 0) -> tuple[Input, Swapped] | Unswapped:
    """An input with every shown message swapped, and the swap of all messages (those not shown: untouched).

    Raises:
        UsageError: the input knows more than its texts say (pieces that are given).
    """
    if any(turn.role == GIVEN for turn in turns):
        raise UsageError("its inputs name pieces of their texts, which a swap would break")
    found = swap_texts([turn.text if turn.role in SHOWN else "" for turn in turns], kind, key, variant)
    if isinstance(found, Unswapped):
        return found
    told = tuple(
        Turn(turn.role, text, turn.name) if turn.role in SHOWN else turn
        for turn, text in zip(turns, found.texts, strict=True)
    )
    return told, found


def moved(answer: str, swapped: Swapped) -> str:
    """The answer to an input as it would stand in the swapped one: equal to the model's where nothing flips.

    Args:
        answer: as tasks spell it: a label, a number, or a target as JSON.
        swapped: of the input's messages.

    Raises:
        UsageError: the answer names its pieces in words alone, so it cannot be moved.
    """
    if not answer.startswith("{"):
        return answer
    told: dict[str, Any] = orjson.loads(answer)
    unknown = sorted(set(told) - set(_SHAPES))
    if unknown:
        raise UsageError(f"its answers have {unknown!r}, and how a swap changes those is not known")
    return orjson.dumps({field: _SHAPES[field](value, swapped) for field, value in told.items()}).decode()


def same(one: str, other: str) -> bool:
    """Whether two answers say the same: of replies the best; of spans and triples all, in any order."""
    return _sorted(one) == _sorted(other)


def _sorted(answer: str) -> Any:
    if not answer.startswith("{"):
        return answer
    told: dict[str, Any] = orjson.loads(answer)
    if "answers" in told:
        return [(each["text"], each.get("place")) for each in told["answers"][:1]]
    return {
        name: sorted(map(orjson.dumps, cast(list[Any], each))) if isinstance(each, list) else each
        for name, each in told.items()
    }


def _spans(spans: list[dict[str, Any]], swapped: Swapped) -> list[dict[str, Any]]:
    return [_place(span, swapped) for span in spans]


def _place(place: dict[str, Any], swapped: Swapped) -> dict[str, Any]:
    start, end = swapped.moved(place.get("message", 0), place["start"], place["end"])
    return {**place, "start": start, "end": end}


def _answers(answers: list[dict[str, Any]], swapped: Swapped) -> list[dict[str, Any]]:
    """A piece of a message is read where it moved; an answer without a place is a message, or of a pool."""
    found: list[dict[str, Any]] = []
    for each in answers:
        if each.get("place") is None:
            text = each["text"]
            now = swapped.texts[swapped.plain.index(text)] if text in swapped.plain else text
            found.append({**each, "text": now})
        else:
            place = _place(each["place"], swapped)
            found.append({**each, "text": _piece(place, swapped), "place": place})
    return found


def _piece(place: dict[str, Any], swapped: Swapped) -> str:
    message: int = place.get("message", 0)
    return swapped.texts[message][place["start"] : place["end"]]


def _triples(triples: list[dict[str, Any]], swapped: Swapped) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for each in triples:
        told = dict(each)
        for side in ("subject", "object"):
            if each.get(f"{side}_place") is None:
                raise UsageError("its triples have no places, so they cannot be moved")
            place = _place(each[f"{side}_place"], swapped)
            told |= {side: _piece(place, swapped), f"{side}_place": place}
        found.append(told)
    return found


def _as_it_is(value: Any, swapped: Swapped) -> Any:  # noqa: ARG001 - as every shape
    return value


_SHAPES: dict[str, Callable[[Any, Swapped], Any]] = {
    "spans": _spans,
    "relations": _triples,
    "answers": _answers,
    "multi": _as_it_is,
    "labels": _as_it_is,
    "choice": _as_it_is,
}
"""Fields of targets, each with how it moves."""
