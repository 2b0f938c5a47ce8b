"""Images: pictures with captions, questions or conversations into rows; decoded and hashed, never fetched."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, ClassVar

import polars as pl
from pydantic import Field

from zhiling.pipeline.step import Batch
from zhiling.sources.captions import belong_to, beside, caption_of, is_picture
from zhiling.sources.files import place_of
from zhiling.sources.media import MAX_IMAGE_BYTES, MediaReader, files_of
from zhiling.sources.picture_rows import ImageField, PictureReader, Wanted
from zhiling.sources.pictures import MAX_PIXELS, require_pillow
from zhiling.sources.problem import Problem
from zhiling.sources.record_source import SOURCE_ROW, RecordSource, even
from zhiling.sources.records import Records

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
        return even(batch for file in files if file not in captions for batch in self._file(file, root))

    def further_files(self, files: Sequence[Path], root: Path) -> Sequence[Path]:
        """Captions beside pictures, and pictures that records name."""
        found: set[Path] = set()
        captions = belong_to(filter(is_picture, files))
        for file in files:
            if is_picture(file):
                found.update(beside(file))
            elif file not in captions:
                media = self._media(file, root)
                reader = PictureReader(self.wanted(), media)
                for records in self.records(file, root):
                    found.update(files_of(reader.references(records), media.folder, root))
        return sorted(found.difference(files))

    def _file(self, file: Path, root: Path) -> Iterator[Batch]:
        reader = PictureReader(self.wanted(), self._media(file, root))
        if not is_picture(file):
            yield from map(reader.batch, self.records(file, root))
            return
        place, fields = place_of(file, root), caption_of(file, self.encoding)
        if isinstance(fields, Problem):
            yield Batch(pl.DataFrame(schema=SOURCE_ROW), (fields.at(f"{place}:1"),))
        else:
            yield reader.batch(Records(place, [1], [fields]), file)

    def _media(self, file: Path, root: Path) -> MediaReader:
        folder = file.parent if self.folder is None else root / self.folder
        return MediaReader(folder, root, max_bytes=self.max_bytes, max_pixels=self.max_pixels)

    def wanted(self) -> Wanted:
        """What is read out of records."""
        return Wanted(self.fields, self.ask, self.task, self.key, self.group, self.language)
