"""No row that shows a picture of the evaluation."""

from __future__ import annotations

from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import ClassVar

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import Field

from zhiling.curation.albums import albums, has_pictures
from zhiling.curation.hamming import nearest
from zhiling.curation.picture_hash import content_print
from zhiling.errors import DamagedFile
from zhiling.pipeline.fingerprint import matching
from zhiling.pipeline.step import Bound, Context, Decide, verdicts


class ImageDecontaminate(Decide):
    """Rejects rows with a picture that looks like one of the evaluation: scaled, recompressed, some brighter.

    Pictures are compared by fingerprints of 256 bits, as `image_dedup` does; one near picture is enough.
    Rows without pictures pass by. A row whose picture cannot be read fails, by the classes of `image_dedup`.

    Reasons: `contaminated_picture`. Score: the agreement of the nearest pair; related: the evaluation's file.
    """

    name: ClassVar[str] = "image_decontaminate"
    cost: ClassVar[str] = "each picture is decoded once, some milliseconds; then 32 bytes a pair compared"
    limits: ClassVar[str] = "Cropped, turned and mirrored pictures stay. Needs the extra `images`."
    source: ClassVar[str] = "Zauner 2010, Implementation and benchmarking of perceptual image hash functions"
    bounds: ClassVar[tuple[Bound, ...]] = (Bound("similarity", acts="above", loosest=0.7),)

    against: tuple[str, ...] = Field(min_length=1, description="Pictures of the evaluation (globs).")
    similarity: float = Field(
        default=0.85, ge=0.7, le=1.0, description="Least agreement of two pictures that show the same."
    )

    class Reason(StrEnum):
        """Why a row is rejected."""

        CONTAMINATED_PICTURE = "contaminated_picture"

    def files(self) -> tuple[str, ...]:
        """The evaluation's pictures: their contents shape the result."""
        return self.against

    def applies(self, rows: pl.DataFrame) -> pl.Series:
        """Rows with pictures."""
        return has_pictures(rows["messages"])

    def decide(self, rows: pl.DataFrame, context: Context) -> pl.DataFrame:
        """Each row's nearest evaluation picture."""
        names, among = self._evaluation(context.root)
        shown = albums(rows["messages"], context.root)
        owners = [row for row, album in enumerate(shown) if not isinstance(album, str) for _ in album]
        prints = [each.bits for album in shown if not isinstance(album, str) for each in album]
        related: list[str | None] = [None] * rows.height
        score = np.zeros(rows.height)
        if prints:
            for row, place, agreed in zip(owners, *nearest(np.stack(prints), among), strict=True):
                if agreed > score[row]:
                    score[row], related[row] = agreed, names[place]
        rejected = score >= self.similarity - 1e-9
        failures = [each if isinstance(each, str) else None for each in shown]
        return verdicts(
            rejected,
            self.Reason.CONTAMINATED_PICTURE,
            score=score,
            related=pl.Series(related, dtype=pl.String).set(pl.Series(~rejected), None),
        ).with_columns(pl.Series("failure", failures, dtype=pl.String))

    def _evaluation(self, root: Path) -> tuple[tuple[str, ...], NDArray[np.uint64]]:
        """Names and fingerprints of the evaluation's pictures.

        Raises:
            MissingInput: none is there.
            DamagedFile: one is no picture.
        """
        files = matching(self.against, root, what=f"step {self.name!r}")
        return _prints(tuple((str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in files))


@lru_cache(maxsize=4)  # the step is called once per batch; size and time tell a changed file
def _prints(files: tuple[tuple[str, int, int], ...]) -> tuple[tuple[str, ...], NDArray[np.uint64]]:
    found: list[NDArray[np.uint64]] = []
    for name, _, _ in files:
        read = content_print(Path(name).read_bytes())
        if isinstance(read, str):
            raise DamagedFile(
                f"no picture that can be compared ({read})",
                place=name,
                hint="take it out of `against`, or name pictures only: against: [eval/*.png]",
            )
        found.append(read.bits)
    return tuple(Path(name).name for name, _, _ in files), np.stack(found)
