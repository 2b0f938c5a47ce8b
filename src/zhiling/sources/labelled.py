"""Labelled sets: a text with its label, several labels, tagged tokens or spans."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import orjson
import polars as pl

from zhiling.pipeline.step import Batch
from zhiling.rows.conversation import dialogue
from zhiling.sources import token_tags
from zhiling.sources.columns import Columns, labels_target
from zhiling.sources.json_values import as_list, as_object
from zhiling.sources.names import find
from zhiling.sources.record_source import TableSource
from zhiling.sources.records import Records

LabelledField = Literal["text", "label", "tokens", "tags", "spans"]
SPAN_NAMES: dict[str, tuple[str, ...]] = {
    "start": ("start", "start_position", "begin"),
    "end": ("end", "end_position"),
    "label": ("label", "type", "entity_type", "tag"),
}


class Labelled(TableSource):
    """Texts with labels (task `classification`), or with entities (task `ner`).

    A record with `tokens` and `tags`, or with `text` and `spans`, is one for `ner`; otherwise `label` is
    one name or a list of names. A record without label is material of task `utterance`.

    Attributes:
        fields: ours → theirs, for `text`, `label`, `tokens`, `tags`, `spans`; the usual names are found.
        key: the column with the record's own key; `id` where there is one.
        group: the column of what must never be split.
        labels: the labels that are allowed; the step `valid` rejects rows with others.
    """

    name: ClassVar[str] = "labelled"

    fields: dict[LabelledField, str] = {}
    key: str | None = None
    group: str | None = None
    labels: tuple[str, ...] | None = None

    def batch(self, records: Records) -> Batch:
        """The rows of these records."""
        columns = Columns(records)
        chosen = {
            ours: self._chosen(ours, columns.names) for ours in ("text", "label", "tokens", "tags", "spans")
        }
        language, used = columns.language(self.language)
        if chosen["tokens"] and chosen["tags"]:
            texts, targets, task = *_tagged(columns, chosen["tokens"], chosen["tags"]), "ner"
            used |= {chosen["tokens"], chosen["tags"]}
        else:
            text = chosen["text"] or "text"
            texts = columns.text(text, required=True)
            used.add(text)
            if chosen["spans"]:
                targets, task = _spanned(columns, texts, chosen["spans"]), "ner"
                used.add(chosen["spans"])
            else:
                targets, task = labels_target(columns.labels(chosen["label"])), "classification"
                used |= {chosen["label"]} if chosen["label"] else set()
        unlabelled = pl.when(targets.is_null()).then(pl.lit("utterance")).otherwise(pl.lit(task))
        key = self.key or find("record", "key", columns.names)
        return columns.batch(
            {
                "messages": dialogue({"user": texts}),
                "task": pl.select(unlabelled).to_series(),
                "target": targets,
                "language": language,
                "extra": columns.extra(used | ({self.group} if self.group else set())),
                "key": columns.key(key),
                "group": columns.key(self.group),
            }
        )

    def _chosen(self, ours: LabelledField, present: list[str]) -> str | None:
        named = self.fields.get(ours)
        if named is not None:
            return named
        rivals = {"label"} if ours == "spans" else {"label", "text"}
        if ours in ("tokens", "tags", "spans") and rivals & self.fields.keys():
            return None  # the recipe says which kind of set this is
        return find("labelled", ours, present)


def _tagged(columns: Columns, tokens: str, tags: str) -> tuple[pl.Series, pl.Series]:
    texts: list[str | None] = []
    targets: list[str | None] = []
    for index in range(len(columns.items)):
        words, names = _names(columns, index, tokens), _names(columns, index, tags)
        if words is not None and names is not None and len(words) != len(names):
            message = f"{len(words)} tokens but {len(names)} tags; one tag a token is needed"
            columns.refuse(index, "ragged_tokens", message)
        if columns.is_refused(index) or words is None:
            texts.append(None)
            targets.append(None)
            continue
        text, places = token_tags.join(words)
        texts.append(text)
        targets.append(None if names is None else _tags_target(names, places))
    return pl.Series("text", texts, dtype=pl.String), pl.Series("target", targets, dtype=pl.String)


def _tags_target(names: list[str], places: list[tuple[int, int]]) -> str:
    target = {"tokens": places, "tags": names, "spans": token_tags.spans(names, places)}
    return orjson.dumps(target).decode()


def _names(columns: Columns, index: int, field: str) -> list[str] | None:
    """A list of strings; a string (a CSV cell) is split at white space."""
    value = columns.items[index].get(field)
    if isinstance(value, str):
        return value.split()
    names = as_list(value)
    if names is not None and all(isinstance(name, str) for name in names):
        return names
    cls = "missing_field" if value is None else "wrong_type"
    columns.refuse(index, cls, f"field {field!r} is {value!r:.60}; a list of strings is needed")
    return None


def _spanned(columns: Columns, texts: pl.Series, field: str) -> pl.Series:
    targets: list[str | None] = []
    for index, text in enumerate(texts.to_list()):
        value = columns.items[index].get(field)
        found = _spans(columns, index, field, text) if value is not None and text is not None else None
        targets.append(None if found is None else orjson.dumps({"spans": found}).decode())
    return pl.Series("target", targets, dtype=pl.String)


def _spans(columns: Columns, index: int, field: str, text: str) -> list[dict[str, Any]] | None:
    """The spans of one record; a string (a CSV cell) is read as JSON."""
    value = _parsed(columns.items[index][field])
    spans = as_list(value)
    found: list[dict[str, Any]] = []
    for each in [value] if spans is None else spans:
        span = _span(each)
        if span is None:
            message = f"field {field!r} holds {each!r:.60}; {{start, end, label}} is needed"
            columns.refuse(index, "wrong_type", message)
            return None
        if not 0 <= span["start"] < span["end"] <= len(text):
            message = f"span {span['start']}–{span['end']} does not fit a text of {len(text)} characters"
            columns.refuse(index, "span_outside", message)
            return None
        found.append(span)
    return found


def _parsed(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        return value


def _span(value: Any) -> dict[str, Any] | None:
    """`{"message": 0, "start", "end", "label"}` from an object or a list of start, end and label."""
    parts = as_list(value) or []
    named = as_object(value)
    if named is not None:
        parts = [
            next((named[name] for name in names if name in named), None) for names in SPAN_NAMES.values()
        ]
    if len(parts) != 3 or type(parts[0]) is not int or type(parts[1]) is not int:
        return None
    if not isinstance(parts[2], str):
        return None
    return {"message": 0, "start": parts[0], "end": parts[1], "label": parts[2]}
