"""What the user's side of a row says apart from the template: the texts of its example."""

from __future__ import annotations

from typing import Any

import orjson
import polars as pl

from zhiling.rows.conversation import user_text

_TEMPLATED = '"template":'


def own_text(messages: pl.Series, target: pl.Series) -> pl.Series:
    """As `user_text`; of a row that a template wrote only its example's texts.

    Instructions, lists of labels and demonstrations are the same in many rows: with them, any two rows of a
    set would look alike.
    """
    texts = user_text(messages)
    templated = target.cast(pl.String).str.contains(_TEMPLATED, literal=True).fill_null(False)
    rows = templated.arg_true()
    if not len(rows):
        return texts
    pairs = zip(messages[rows].to_list(), target[rows].to_list(), strict=True)
    return texts.scatter(rows, [_example(said, document) for said, document in pairs])


def _example(messages: list[dict[str, str | None]], document: str) -> str:
    fields: list[dict[str, Any]] = orjson.loads(document)["template"]["fields"]
    said = [message["text"] or "" for message in messages]
    spoken = (field for field in fields if field.get("role", "user") == "user")
    return "\n".join(said[int(field["message"])][field["start"] : field["end"]] for field in spoken)
