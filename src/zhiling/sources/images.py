"""Images: pictures with captions, questions or conversations into rows; decoded and hashed, never fetched."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby, islice
from pathlib import Path
from typing import Annotated, ClassVar

import polars as pl
from pydantic import Field

from zhiling.pipeline.step import Batch
from zhiling.sources.files.lines import place_of
from zhiling.sources.pictures.captions import belong_to, beside, caption_of, is_picture
from zhiling.sources.pictures.media import MAX_IMAGE_BYTES, MediaReader, files_of
from zhiling.sources.pictures.picture_rows import ImageField, PictureReader, Wanted
from zhiling.sources.pictures.pictures import MAX_PIXELS, require_pillow
from zhiling.sources.problem import Problem
from zhiling.sources.record_source import RecordSource, even
from zhiling.sources.records.records import Records

PICTURES_AT_ONCE = 500
MAX_DECODED = 178_000_000  # Pillow itself refuses what has more


class Images(RecordSource):
    """Pictures: files of a folder with captions beside them, or records that name them.

    A picture's file (`.jpg`, `.png`, …) is a row; its caption stands beside it in `NAME.txt`, or its fields
    in `NAME.json`. A record (JSON Lines, CSV) names one picture or several, with a caption, a question and an
    answer, or a conversation. The picture belongs to the user's message, at `<image>` where the text says so,
    else in front; the caption or answer is the reply. Without either the row is material of task `utterance`.

    Every picture is opened and decoded, and what fails is a bad item: `missing_media`, `undecodable_image`
    (truncated too), `media_too_large`, `too_many_pixels`, `not_local` (a web address: nothing is fetched),
    `outside_folder` (a record's path that leads out of the folder, by `..` or by a link). A `data:` address
    is decoded and kept. Width, height, format, colour mode, EXIF orientation and number of frames go to
    `extra` as `pictures`; of an animation the first frame is decoded. Needs the extra `images`.

    Attributes:
        fields: ours → theirs, for `image`, `caption`, `question`, `answer`, `turns`; the usual names are
            found.
        folder: what paths in records start from; by default the folder of the file.
        ask: the user's text where there is no question, such as "Describe the picture."
        task: of the rows that have a reply.
        key: the field with the record's own key; `id` where there is one.
        group: the field of what must never be split; by default rows with the same (first) picture.
        max_bytes: of a picture's file.
        max_pixels: of a picture; decoding takes up to 4 bytes a pixel.
    """

    name: ClassVar[str] = "images"

    fields: dict[ImageField, str] = {}
    folder: str | None = None
    ask: str = ""
    task: str = "instruction"
    key: str | None = None
    group: str | None = None
    max_bytes: Annotated[int, Field(ge=1)] = MAX_IMAGE_BYTES
    max_pixels: Annotated[int, Field(ge=1, le=MAX_DECODED)] = MAX_PIXELS

    def read(self, files: Sequence[Path], root: Path) -> Iterator[Batch]:
        """Rows of all files in batches of about 20,000; raises MissingExtra where Pillow is missing."""
        require_pillow()
        captions = belong_to(filter(is_picture, files))
        kinds = groupby((file for file in files if file not in captions), is_picture)
        return even(batch for kind, group in kinds for batch in self._read(kind, group, root))

    def further_files(self, files: Sequence[Path], root: Path) -> Sequence[Path]:
        """Captions beside pictures, and pictures that records name."""
        found: set[Path] = set()
        captions = belong_to(filter(is_picture, files))
        for file in files:
            if is_picture(file):
                found.update(beside(file))
            elif file not in captions:
                media = self._media(file.parent, root)
                reader = PictureReader(self.wanted(), media)
                for records in self.records(file, root):
                    found.update(files_of(reader.references(records), media.folder, root))
        return sorted(found.difference(files))

    def _read(self, pictures: bool, files: Iterator[Path], root: Path) -> Iterator[Batch]:
        if pictures:
            for folder, members in groupby(files, lambda file: file.parent):
                reader = PictureReader(self.wanted(), self._media(folder, root))
                while piece := list(islice(members, PICTURES_AT_ONCE)):
                    yield self._pictures(reader, piece, root)
        else:
            for file in files:
                reader = PictureReader(self.wanted(), self._media(file.parent, root))
                yield from map(reader.batch, self.records(file, root))

    def _pictures(self, reader: PictureReader, files: Sequence[Path], root: Path) -> Batch:
        """Rows of pictures, each told by its own place."""
        order = {f"{place_of(file, root)}:1": file for file in files}
        captions = {place: caption_of(file, self.encoding) for place, file in order.items()}
        bad = [told.at(place) for place, told in captions.items() if isinstance(told, Problem)]
        fields = {place: told for place, told in captions.items() if not isinstance(told, Problem)}
        places = list(fields)
        records = Records("", range(len(places)), list(fields.values()))
        found = reader.batch(records, [order[place] for place in places])
        bad += [replace(each, place=places[int(each.place[1:])]) for each in found.bad]
        locators = [places[int(each[1:])] for each in found.rows["locator"].to_list()]
        rows = found.rows.with_columns(pl.Series("locator", locators, dtype=pl.String))
        rank = {place: number for number, place in enumerate(order)}
        return Batch(rows, sorted(bad, key=lambda each: rank[each.place]))

    def _media(self, folder: Path, root: Path) -> MediaReader:
        start = folder if self.folder is None else root / self.folder
        return MediaReader(start, root, max_bytes=self.max_bytes, max_pixels=self.max_pixels)

    def wanted(self) -> Wanted:
        """What is read out of records."""
        return Wanted(self.fields, self.ask, self.task, self.key, self.group, self.language)
