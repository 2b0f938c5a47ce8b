"""The short way for texts that each have one label: whole columns, no record is looked at alone."""

from __future__ import annotations

import orjson
import polars as pl

from zhiling.rows.conversation import dialogue
from zhiling.rows.schema import ALTERNATIVE
from zhiling.sources.labelled.kinds import Chosen, Kind
from zhiling.sources.labelled.manner import Manner
from zhiling.sources.records.columns import Columns

LISTS = r"^[\[{]"
"""How a text begins that may be a list or an object in JSON."""


def plain_columns(
    columns: Columns, kind: Kind, chosen: Chosen, manner: Manner, task: str
) -> dict[str, pl.Series] | None:
    """The columns of `reading.built` where all texts and labels are plain strings, else None.

    It must give what `classification` gives record by record; a property test compares them.
    """
    text, label = chosen.get("text"), chosen.get("label")
    if kind.name != "classification" or manner != Manner() or "score" in chosen:
        return None
    if not isinstance(text, str) or not isinstance(label, str):
        return None
    try:
        texts = pl.Series("text", columns.values(text), dtype=pl.String)
        labels = pl.Series("label", columns.values(label), dtype=pl.String)
    except TypeError:
        return None
    odd = labels.is_null() | (labels == "") | labels.str.contains(LISTS)
    if texts.null_count() or texts.str.contains(r"^\s*$").any() or odd.any():
        return None
    distinct = labels.unique().to_list()
    targets = [f'{{"labels":[{orjson.dumps(name).decode()}]}}' for name in distinct]
    height = len(texts)
    return {
        "messages": dialogue({"user": texts}),
        "alternatives": pl.Series([None], dtype=pl.List(ALTERNATIVE)).new_from_index(0, height),
        "task": pl.Series("task", [task], dtype=pl.String).new_from_index(0, height),
        "target": labels.replace_strict(distinct, targets, return_dtype=pl.String).alias("target"),
    }
