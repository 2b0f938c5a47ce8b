"""Instructions: data sets in the formats that trainers read, recognised by their fields, record by record."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal, cast

from pydantic import Field

from zhiling.pipeline import registry
from zhiling.pipeline.step import Bad, Batch
from zhiling.rows.formats.draft import Alternative, Draft, Media, Message, Unreadable, frame_of, spelled_extra
from zhiling.rows.formats.format import Format
from zhiling.sources.files.decompress import pieces
from zhiling.sources.files.lines import Block, blocks, place_of
from zhiling.sources.names import find
from zhiling.sources.pictures.media import MediaReader, files_of
from zhiling.sources.problem import Problem
from zhiling.sources.record_source import RecordSource, even
from zhiling.sources.records import dataset_info
from zhiling.sources.records.columns import Columns
from zhiling.sources.records.dataset_info import Entry
from zhiling.sources.records.records import Records

_REMOTE = frozenset({"not_local"})


class Instructions(RecordSource):
    """Alpaca, ShareGPT, OpenAI messages, prompt and completion, preference, KTO, plain text, sniffed.

    Each record is read by the format that understands most of its fields; `format` names one for all. A line
    of a `.txt` file is a text. A file called `dataset_info.json` is LLaMA-Factory's list of data sets: the
    files that it names are read as it says. A preference row's own reply is the chosen answer, others are its
    alternatives. A record without any answer is material of task `utterance`, a text of task `passage`. Media
    are hashed, never fetched: a web address stays as it is.

    Attributes:
        format: of all records; `auto` recognises it.
        fields: name in the format → name in the file, where they differ.
        dataset: names of sets in `dataset_info.json`; all files that it names, if none is given.
        media: the folder that paths of media start from; by default that of the file.
        missing_media: whether a row whose medium is not there is a bad item, or kept with the path alone.
        key: the field with the record's own key; `id` where there is one.
        group: the field of what must never be split.
    """

    name: ClassVar[str] = "instructions"

    format: str = "auto"
    fields: dict[str, str] = {}
    dataset: str | tuple[str, ...] = ()
    media: str | None = Field(default=None)
    missing_media: Literal["refuse", "keep"] = "refuse"
    key: str | None = None
    group: str | None = None

    def read(self, files: Sequence[Path], root: Path) -> Iterator[Batch]:
        """Rows of all files in batches of about 20,000."""
        return even(batch for file in files for batch in self._file(file, root))

    def further_files(self, files: Sequence[Path], root: Path) -> Sequence[Path]:
        """Files that `dataset_info.json` names, and media."""
        found: set[Path] = set()
        for file in files:
            for entry in self._entries(file, root):
                if isinstance(entry, Entry):
                    if entry.file != file:
                        found.add(entry.file)
                    found.update(
                        files_of(self._references(entry, root), self._folder(entry.file, root), root)
                    )
        return sorted(found)

    def records(self, file: Path, root: Path) -> Iterator[Records]:
        """The records of one file; a line of plain text is one."""
        suffixes = [suffix.lower() for suffix in file.suffixes if suffix.lower() != ".gz"]
        if suffixes[-1:] == [".txt"]:
            return _lines(blocks(file, place_of(file, root), self.encoding), place_of(file, root))
        return super().records(file, root)

    def _file(self, file: Path, root: Path) -> Iterator[Batch]:
        for entry in self._entries(file, root):
            if isinstance(entry, Bad):
                yield Batch(frame_of([]), (entry,))
                continue
            reader = _Reader(self, entry, MediaReader(self._folder(entry.file, root), root))
            for records in self.records(entry.file, root):
                yield reader.batch(records)

    def _entries(self, file: Path, root: Path) -> Iterator[Entry | Bad]:
        if not dataset_info.is_index(file):
            yield Entry(file, self.format, self.fields)
            return
        content: list[bytes] = []
        for piece in pieces(file, place_of(file, root)):
            if isinstance(piece, Bad):
                yield piece
                return
            content.append(piece)
        wanted = (self.dataset,) if isinstance(self.dataset, str) else self.dataset
        yield from dataset_info.entries(b"".join(content), file, root, wanted)

    def _folder(self, file: Path, root: Path) -> Path:
        return file.parent if self.media is None else root / self.media

    def _references(self, entry: Entry, root: Path) -> Iterator[str]:
        """Paths of media in a file; a record that cannot be read names none."""
        if not _names_media(entry, place_of(entry.file, root)):
            return
        sniffer = Sniffer(entry.format)
        for records in self.records(entry.file, root):
            for item in records.items:
                record = entry.renamed(item)
                if not _may_hold_media(record):
                    continue
                try:
                    draft = sniffer.of(record).decode(record)
                except Unreadable:
                    continue
                yield from (medium.path for message in _all(draft) for medium in message.media)


class Sniffer:
    """Chooses the format that reads a record; records with equal names and types are recognised once.

    Args:
        name: the format of all records; `auto`: the one that understands most fields, of equals the first by
            name.
    """

    def __init__(self, name: str = "auto") -> None:
        named = [name] if name != "auto" else sorted(registry.table("format"))
        self._formats: list[Format] = [registry.load("format", each)() for each in named]
        self._named = name != "auto"
        self._known: dict[tuple[tuple[str, type[Any]], ...], Format | None] = {}

    def of(self, record: Mapping[str, Any]) -> Format:
        """The format of a record.

        Raises:
            Unreadable: no format has such fields (`unknown_format`).
        """
        if self._named:
            return self._formats[0]
        shape = tuple(
            (name, cast(type[Any], type(value))) for name, value in record.items() if value is not None
        )
        if shape not in self._known:
            fields = dict(shape)
            best = max(self._formats, key=lambda each: each.claim(fields))
            self._known[shape] = best if best.claim(fields) else None
        found = self._known[shape]
        if found is None:
            known = ", ".join(each.name for each in self._formats)
            message = f"fields {sorted(record)!r:.200} are those of no format ({known})"
            raise Unreadable(
                "unknown_format", f"{message}; name `format` and `fields`, or use source `tables`"
            )
        return found


@dataclass
class _Reader:
    """Makes rows of the records of one file."""

    source: Instructions
    entry: Entry
    media: MediaReader
    sniffer: Sniffer = field(init=False)

    def __post_init__(self) -> None:
        self.sniffer = Sniffer(self.entry.format)

    def batch(self, records: Records) -> Batch:
        """The rows of these records."""
        columns = Columns(records)
        drafts = [self._draft(columns, index, item) for index, item in enumerate(records.items)]
        rows = frame_of(drafts)
        language, _ = columns.language(self.source.language)
        key = self.source.key or find("record", "key", columns.names)
        given = {name: rows[name] for name in rows.columns}
        if rows["language"].null_count() == rows.height:
            given["language"] = language
        return columns.batch(
            {**given, "key": columns.key(key), "group": columns.key(self.source.group)},
        )

    def _draft(self, columns: Columns, index: int, item: Mapping[str, Any]) -> Draft:
        try:
            record = self.entry.renamed(item)
            draft = self.sniffer.of(record).decode(record)
            self._resolve(draft)
            spelled_extra(draft)
        except Unreadable as problem:
            columns.refuse(index, problem.cls, problem.message)
            return Draft([])
        return draft

    def _resolve(self, draft: Draft) -> None:
        """Gives media their hash."""
        if not any(message.media for message in _all(draft)):
            return
        draft.messages = [self._resolved(message) for message in draft.messages]
        draft.alternatives = [
            Alternative(tuple(map(self._resolved, each.messages)), *each[1:]) for each in draft.alternatives
        ]

    def _resolved(self, message: Message) -> Message:
        return message._replace(media=tuple(map(self._medium, message.media))) if message.media else message

    def _medium(self, media: Media) -> Media:
        found = self.media.read(media.path, media.kind)  # pyright: ignore[reportArgumentType]
        if not isinstance(found, Problem):
            return media._replace(path=found.path, sha256=found.sha256)
        kept = found.cls in _REMOTE or (self.source.missing_media == "keep" and found.cls == "missing_media")
        if not kept:
            raise Unreadable(found.cls, found.message)
        return media


def _names_media(entry: Entry, place: str) -> bool:
    """Whether any field for media can stand in a JSON file, by its bytes: parsing them all takes long."""
    if not {suffix.lower() for suffix in entry.file.suffixes} & {".json", ".jsonl"}:
        return True
    words = [name.encode() for name in entry.fields.values() if name.isascii()]
    marks = [b'"image', b'"audio', b'"video', b'"input_', b"\0", *words]  # NUL: UTF-16, not to be read so
    found = (piece for piece in pieces(entry.file, place) if isinstance(piece, bytes))
    before = b""
    for piece in found:
        text = before + piece
        if any(mark in text for mark in marks):
            return True
        before = piece[-max(map(len, marks)) :]
    return False


def _may_hold_media(record: Mapping[str, Any]) -> bool:
    """Whether it is worth while to look for media: no record of texts alone has any."""
    return any(isinstance(value, list | dict) for value in record.values())


def _all(draft: Draft) -> Iterator[Message]:
    yield from draft.messages
    for each in draft.alternatives:
        yield from each.messages


def _lines(content: Iterator[Block | Bad], place: str) -> Iterator[Records]:
    """Lines of text that are not blank, as records."""
    empty = True
    for block in content:
        empty = False
        if isinstance(block, Bad):
            yield Records(place, [], [], [block])
            continue
        numbered = [
            (number, line.decode())
            for number, line in zip(block.numbers, block.lines, strict=True)
            if line.strip()
        ]
        yield Records(place, [number for number, _ in numbered], [{"text": line} for _, line in numbered])
    if empty:
        yield Records(place, [], [], [Bad(f"{place}:1", "empty_file", "the file holds no record")])
