"""Rows of the records of one file, once it is known what kind of set it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson
import polars as pl

from zhiling.pipeline.step import Batch
from zhiling.rows.conversation import nest
from zhiling.rows.schema import ALTERNATIVE
from zhiling.sources.labelled import ner
from zhiling.sources.labelled.dialogue_state import DIALOGUE, TURN_KEY
from zhiling.sources.labelled.example import Example, Text, Unreadable, Values
from zhiling.sources.labelled.kinds import LOOKED_AT, Chosen, Kind, choose
from zhiling.sources.labelled.manner import Manner
from zhiling.sources.labelled.plain import plain_columns
from zhiling.sources.labelled.shape import TOO_DEEP, refused
from zhiling.sources.names import find
from zhiling.sources.record_source import SOURCE_ROW, Tag
from zhiling.sources.records.columns import Columns
from zhiling.sources.records.records import Records

MATERIAL = "utterance"
MADE = {TURN_KEY, DIALOGUE}
"""Fields that taking a dialogue apart adds to its records."""


@dataclass(frozen=True)
class Facts:
    """What rows have beside their example; see the settings of `Labelled`."""

    task: str | None = None
    language: Tag | None = None
    key: str | None = None
    group: str | None = None
    licence_field: str | None = None


Parts = Callable[[dict[str, Any]], Iterator[tuple[str, dict[str, Any]]]]
"""The parts of a record that are rows of their own, each with its mark in places."""


class Reading:
    """Reads the records of one file.

    Args:
        kind: what kind of set it is.
        named: ours → theirs, for the fields that the recipe names.
        manner: how records are read; how ends are told is settled by the first spans that show it.
        facts: what rows have beside their example.
        parts: what takes each record apart, where it holds several rows.
    """

    def __init__(
        self, kind: Kind, named: Chosen, manner: Manner, facts: Facts, parts: Parts | None = None
    ) -> None:
        self._kind, self._named, self._manner, self._facts = kind, named, manner, facts
        self._parts = parts

    def rows(self, records: Records) -> Batch:
        """The rows of these records."""
        if self._parts is not None:
            records = expanded(records, self._parts)
        columns = Columns(records)
        chosen = choose(self._kind, self._named, columns.names, head(records))
        task = self._facts.task or self._kind.task
        built = plain_columns(columns, self._kind, chosen, self._manner, task)
        if built is None:
            built = _built(self._examples(columns, chosen), task)
        language, used = columns.language(self._facts.language)
        used |= {name for theirs in chosen.values() for name in _listed(theirs)}
        used |= {name for name in (self._facts.group, self._facts.licence_field) if name} | MADE
        return columns.batch(
            {
                **built,
                "language": _first(language, built.get("language")),
                "extra": columns.extra(used),
                "key": columns.key(self._facts.key or find("record", "key", columns.names)),
                "group": columns.key(self._facts.group),
                "licence": columns.key(self._facts.licence_field),
            }
        )

    def _examples(self, columns: Columns, chosen: Chosen) -> list[Example | None]:
        values = _values(columns, chosen)
        if "spans" in self._kind.fields:
            self._manner = ner.settle_ends(values, self._manner)
        return [self._example(columns, index, each) for index, each in enumerate(values)]

    def _example(self, columns: Columns, index: int, values: Values) -> Example | None:
        try:
            return self._kind.read(values, self._manner)
        except Unreadable as error:
            columns.refuse(index, error.cls, error.message)
        except RecursionError:
            columns.refuse(index, *TOO_DEEP)
        return None


def _listed(theirs: str | tuple[str, ...]) -> tuple[str, ...]:
    return (theirs,) if isinstance(theirs, str) else theirs


def head(records: Records) -> Sequence[Mapping[str, Any]]:
    """The first records."""
    frame = records.frame
    return records.items[:LOOKED_AT] if frame is None else frame.head(LOOKED_AT).to_dicts()


def _values(columns: Columns, chosen: Chosen) -> list[Values]:
    """Our names → what each record holds there; of several fields a list, without those that hold nothing."""
    told = [
        columns.values(theirs)
        if isinstance(theirs, str)
        else [_held(each, ours) for each in zip(*map(columns.values, theirs), strict=True)]
        for ours, theirs in chosen.items()
    ]
    names = tuple(chosen)
    if not names:
        return [{} for _ in columns.items]
    return [dict(zip(names, each, strict=True)) for each in zip(*told, strict=True)]


def _held(values: Sequence[Any], ours: str) -> list[Any]:
    """An option that holds nothing keeps its place, because the right one is told by a letter."""
    return [value for value in values if ours == "choices" or value not in (None, "")]


def _built(examples: Sequence[Example | None], task: str) -> dict[str, pl.Series]:
    """`messages`, `alternatives`, `task`, `target`, `language`; a record without example has no message."""
    texts = [example.texts if example else () for example in examples]
    targets = [orjson.dumps(e.target).decode() if e and e.target is not None else None for e in examples]
    tasks = [task if example and example.is_labelled else MATERIAL for example in examples]
    return {
        "messages": nest(_flat(texts), [len(each) for each in texts]),
        "alternatives": _alternatives(examples),
        "task": pl.Series("task", tasks, dtype=pl.String),
        "target": pl.Series("target", targets, dtype=pl.String),
        "language": pl.Series("own", [e.language if e else None for e in examples], dtype=pl.String),
    }


def _flat(texts: Sequence[Sequence[Text]]) -> pl.DataFrame:
    columns = zip(*(text for each in texts for text in each), strict=True)
    role, text, name = columns if any(texts) else ((), (), ())
    return pl.DataFrame(
        {"role": role, "text": text, "name": name}, schema=dict.fromkeys(("role", "text", "name"), pl.String)
    )


def _alternatives(examples: Sequence[Example | None]) -> pl.Series:
    if not any(example and example.others for example in examples):
        return pl.Series([None], dtype=pl.List(ALTERNATIVE)).new_from_index(0, len(examples))
    told = [
        [{"messages": [{"role": "assistant", "text": text}], "kind": "chosen"} for text in example.others]
        if example and example.others
        else None
        for example in examples
    ]
    return pl.Series("alternatives", told, dtype=pl.List(ALTERNATIVE))


def _first(language: pl.Series, own: pl.Series | None) -> pl.Series:
    """The language of the settings or of the record, else the one that the reader knows."""
    if own is None:
        return language
    return pl.DataFrame({"language": language, "own": own}).select(pl.coalesce("language", "own")).to_series()


def only_bad(records: Records) -> Batch:
    """The bad items of records that hold no record."""
    return Batch(pl.DataFrame(schema=SOURCE_ROW), tuple(records.bad))


def expanded(records: Records, parts: Parts) -> Records:
    """Records for the parts of each: the questions of an article, the user's turns of a dialogue."""
    items: list[dict[str, Any]] = []
    lines: list[int] = []
    marks: list[str] = []
    bad = list(records.bad)
    for line, item in zip(records.lines, records.items, strict=True):
        try:
            found = list(parts(item))
            if not found:
                raise Unreadable("empty_record", "the record holds no question or user's turn")
        except (Unreadable, RecursionError) as error:
            bad.append(refused(error, records.place, line, item))
            continue
        for mark, part in found:
            items.append(part)
            lines.append(line)
            marks.append(mark)
    return replace(records, items=items, lines=lines, bad=bad, marks=marks)
