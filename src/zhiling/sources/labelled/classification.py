"""Texts and pairs of texts with labels or a number: one label, several, or none that fits."""

from __future__ import annotations

import math
from typing import Any

from zhiling.rows.target import FIRST, SECOND
from zhiling.sources.labelled.example import Example, Text, Unreadable, Values, parsed, spelled, text_of
from zhiling.sources.labelled.manner import Manner
from zhiling.sources.records.json_values import as_list


def classification(values: Values, manner: Manner) -> Example:
    """A text with its labels, or with a score."""
    return Example([Text("user", text_of(values, "text"))], _truth(values, manner))


def pair(values: Values, manner: Manner) -> Example:
    """Two texts with the label of what they are to each other, or with a score."""
    texts = [Text("user", text_of(values, name), name) for name in (FIRST, SECOND)]
    return Example(texts, _truth(values, manner))


def _truth(values: Values, manner: Manner) -> dict[str, Any] | None:
    if values.get("score") is not None:
        return {"score": _score(values["score"])}
    return labels_of(values.get("label"), manner)


def _score(value: Any) -> float:
    try:
        score = float(value)
    except (TypeError, ValueError):
        score = math.nan
    if not math.isfinite(score) or isinstance(value, bool):
        raise Unreadable("wrong_type", f"score is {value!r:.60}; a number is needed")
    return score


def labels_of(value: Any, manner: Manner) -> dict[str, Any] | None:
    """The labels that a value names; None where it names none (`missing` of the settings).

    Raises:
        Unreadable: `wrong_type`, `unknown_label` where the settings name the labels.
    """
    listed = as_list(parsed(value))
    if listed is not None:
        return {"labels": [manner.label(_spelled(each)) for each in listed], "multi": True}
    label = _spelled(value)
    if label in manner.missing:
        return None
    if not label:
        return {"labels": []} if manner.absent_is_none else None
    if manner.separator is None:
        return {"labels": [manner.label(label)]}
    parts = [part.strip() for part in label.split(manner.separator)]
    return {"labels": [manner.label(part) for part in parts if part], "multi": True}


def _spelled(value: Any) -> str:
    label = None if isinstance(value, list | dict) else spelled(value, "label")
    if label is None and value is not None:
        raise Unreadable("wrong_type", f"label is {value!r:.60}; a label or a list of labels is needed")
    return label or ""
