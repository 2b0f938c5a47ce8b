"""Labelled sets: the settings, and which reader each file gets."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import ClassVar, Literal, Self

from pydantic import model_validator

from zhiling.pipeline.step import Batch
from zhiling.sources.files.lines import blocks, place_of
from zhiling.sources.labelled.conll import conll_records, is_conll
from zhiling.sources.labelled.dialogue_state import DIALOGUE, TURN_KEY, user_turns
from zhiling.sources.labelled.kinds import FIELDS, KindName, candidates, detect, languages_of
from zhiling.sources.labelled.label_names import Names, read_names
from zhiling.sources.labelled.lookup import Lookup, Table
from zhiling.sources.labelled.manner import AnswerAs, Ends, Manner, Mismatch
from zhiling.sources.labelled.qa import is_nested, questions_of
from zhiling.sources.labelled.reading import Facts, Reading, expanded, head, only_bad
from zhiling.sources.labelled.shape import Shape
from zhiling.sources.names import find
from zhiling.sources.record_source import RecordSource, Tag, even
from zhiling.sources.records.records import Records, gathered

Absent = Literal["unlabelled", "none"]


class Labelled(RecordSource):
    """Labelled examples of every task: texts with labels, pairs, entities, relations, questions, replies.

    What kind of set a file holds is found by the names of its fields, where they are certain, else `kind`
    says it; texts become named messages and the truth `target` (see `zhiling.rows.target`). A record
    without label or reply is material of task `utterance`. What has no place in the record goes to `extra`.

    Beside JSON and CSV it reads token lines (`.conll`, `.bio`, `.txt`), nested SQuAD files, and dialogues
    with states or acts (a row for each turn of the user).

    Attributes:
        kind: `classification`, `pairs`, `ner`, `relation`, `qa`, `solution` (worked, with a result behind
            `####`), `choice`, `translation`, `summary`, `reply`, `dialogue_state`, `code`, `controlled`.
        fields: ours → theirs; a dotted name (`userInput.text`) leads into an object, a list joins columns.
            Ours are `text`, `label`, `score` · `first`, `second` · `tokens`, `tags` · `spans`, or `start`,
            `end`, `surface`, `span_label` · `relations`, or `subject`, `relation`, `object` · `context`,
            `question`, `answers`, `starts`, `impossible` · `solution` · `choices`, `answer` · `source`,
            `target`, `targets` · `summary`, `summaries` · `reply`, `replies` · `turns` · `code`, `tests`,
            `setup`, `entry_point` · `words`.
        where: field → value or values; records that hold another one are none of this source's.
        extract: field → regular expression whose named groups become fields.
        lookup: `{file, on, take}`: fields that each record gets from the record of another file that has
            the same value in the field `on`.
        task: of the rows, where it is not the kind's own.
        key: the column with the record's own key; `id` where there is one.
        group: the column of what must never be split; the document of token lines, the dialogue of states,
            the title of nested SQuAD.
        licence_field: the column with the licence of each record.
        names: what labels are called, where the set spells them as numbers or codes: code → name, a list
            in the order of the numbers, or a file with either (JSON, or one name a line).
        separator: what stands between several labels in one text.
        missing: labels that say that a record has none.
        absent: whether a record that tells no label, span or answer is `unlabelled`, or has `none`.
        ends: whether a span's `end` is behind its last character (`exclusive`) or that one (`inclusive`);
            `auto` asks the surfaces that records tell, and takes `exclusive` where they tell none.
        mismatch: whether a span or answer that is not where the record says is `bad`, or `relocate`d where
            the text holds it exactly once.
        answer_as: how the right option is told: its `letter`, its `text`, its `index` from 0 or its
            `number` from 1; `auto` tries the first three.
        languages: of a translation's source and target; columns named by language tags need none.
        with_acts: whether rows of dialogues tell what every turn up to theirs did (acts and states), for
            `dialogue_replay`.
    """

    name: ClassVar[str] = "labelled"
    version: ClassVar[int] = 2

    kind: KindName = "auto"
    fields: dict[str, str | tuple[str, ...]] = {}
    where: dict[str, str | tuple[str, ...]] = {}
    extract: dict[str, str] = {}
    lookup: Lookup | None = None
    task: str | None = None
    key: str | None = None
    group: str | None = None
    licence_field: str | None = None
    names: Names = ()
    separator: str | None = None
    missing: tuple[str, ...] = ()
    absent: Absent = "unlabelled"
    ends: Ends = "auto"
    mismatch: Mismatch = "bad"
    answer_as: AnswerAs = "auto"
    languages: tuple[Tag, Tag] | None = None
    with_acts: bool = False

    @model_validator(mode="after")
    def _is_some_kind(self) -> Self:
        unknown = sorted(self.fields.keys() - set(FIELDS))
        if unknown:
            raise ValueError(f"fields has {', '.join(unknown)}; ours are {', '.join(FIELDS)}")
        if not candidates(self.kind, self.fields):
            kind = "no kind of set" if self.kind == "auto" else f"kind {self.kind!r}"
            raise ValueError(
                f"{kind} reads {', '.join(self.fields)} together; see the settings of `labelled`"
            )
        for field, pattern in self.extract.items():
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(f"extract of {field!r} is no regular expression: {error}") from error
        return self

    def further_files(self, files: Sequence[Path], root: Path) -> Sequence[Path]:
        """The files of label names and of `lookup`."""
        named = [self.names] if isinstance(self.names, str) else []
        return [root / path for path in (*named, *([self.lookup.file] if self.lookup else []))]

    def read(self, files: Sequence[Path], root: Path) -> Iterator[Batch]:
        """Rows of all files in batches of about 20,000."""
        manner, shape = self._manner(root), self._shape(root)
        return even(batch for file in files for batch in self._file(file, root, manner, shape))

    def records(self, file: Path, root: Path) -> Iterator[Records]:
        """The records of one file: sentences where it holds token lines."""
        place = place_of(file, root)
        if self.kind in ("auto", "ner") and file.suffixes:
            content = blocks(file, place, self.encoding)
            first = next(content, None)
            if is_conll(file, first):
                return conll_records(chain([] if first is None else [first], content), place)
        return super().records(file, root)

    def _manner(self, root: Path) -> Manner:
        return Manner(
            ends=self.ends,
            mismatch=self.mismatch,
            answer_as=self.answer_as,
            absent_is_none=self.absent == "none",
            missing=frozenset(self.missing),
            separator=self.separator,
            names=read_names(self.names, root) if self.names else {},
            languages=self.languages,
        )

    def _file(self, file: Path, root: Path, manner: Manner, shape: Shape) -> Iterator[Batch]:
        reading = None
        for records in map(shape.of, gathered(self.records(file, root))):
            if reading is None and records.items:
                reading = self._reading(records, manner)
            yield reading.rows(records) if reading else only_bad(records)

    def _reading(self, records: Records, manner: Manner) -> Reading:
        """How the file is read, by its first records."""
        key, group, parts = self.key, self.group, None
        kinds = candidates(self.kind, self.fields)
        if self.kind in ("auto", "qa") and is_nested(records.items[0]):
            group, parts = group or "title", questions_of
            records, kinds = expanded(records, parts), candidates("qa", self.fields) or kinds
        some = head(records)
        present = list(dict.fromkeys(name for item in some for name in item))
        kind, chosen = detect(kinds, self.fields, present, some)
        if kind.name == "dialogue_state":
            named = key or find("conversations", "conversation", present)
            key, group = TURN_KEY, group or DIALOGUE
            parts = partial(
                user_turns, field=str(chosen.get("turns", "turns")), key=named, with_acts=self.with_acts
            )
        elif group is None and "tokens" in kind.fields and "document" in present:
            group = "document"
        manner = replace(manner, languages=self.languages or languages_of(chosen))
        facts = Facts(self.task, self.language, key, group, self.licence_field)
        return Reading(kind, self.fields, manner, facts, parts)

    def _shape(self, root: Path) -> Shape:
        table = None
        if self.lookup is not None:
            table = Table(
                self.lookup, root / self.lookup.file, lambda path: super(Labelled, self).records(path, root)
            )
        named = [self.key, self.group, self.licence_field]
        for theirs in self.fields.values():
            named += [theirs] if isinstance(theirs, str) else theirs
        return Shape(
            where={
                field: frozenset([values] if isinstance(values, str) else values)
                for field, values in self.where.items()
            },
            paths=[name for name in named if name and "." in name],
            extract={field: re.compile(pattern) for field, pattern in self.extract.items()},
            table=table,
        )
