"""Keeps one of the rows that show nearly the same picture."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import Field

from zhiling.curation.albums import albums, has_pictures
from zhiling.curation.hamming import agreement, near_pairs
from zhiling.curation.picture_hash import BITS, Print
from zhiling.curation.survivor import KeepsOne, taken
from zhiling.pipeline.step import Bound, Context, verdicts
from zhiling.rows.conversation import all_text
from zhiling.text.normalise import normalise

_WORDS = BITS // 64


class ImageDedup(KeepsOne):
    """Rejects rows whose pictures look like those of a row that stays: scaled, recompressed, some brighter.

    Each picture has a fingerprint of 256 bits, and each removal is verified: every picture of a rejected row
    agrees to at least `similarity` with the one at the same place of the row that `related` names; a row with
    two pictures never equals one with three. `keep` says which row stays; the order of rows changes nothing.
    Rows without pictures pass by. Rows accepted before (in `repeat`) are compared with, and stay, unjudged.

    A row whose picture cannot be read fails: `missing_media`, `unreadable_media`, `changed_media` (the file
    is no longer the one that the source read), `undecodable_image`, `too_many_pixels`, `not_local` (a web
    address: nothing is fetched).

    Reasons: `same_picture`. Score: the least similarity of the row's pictures to those of `related`, 0 for a
    row that stays. Column `cluster`: the id of the row that stands for this one (its own, if it stays).
    """

    name: ClassVar[str] = "image_dedup"
    scope = "table"
    bounds: ClassVar[tuple[Bound, ...]] = (
        Bound("similarity", acts="above", values=tuple(n / 100 for n in range(98, 70, -3))),
    )
    cost: ClassVar[str] = (
        "each picture is decoded once, some milliseconds; then n² / 2 comparisons of 32 bytes among pictures "
        "that differ"
    )
    limits: ClassVar[str] = (
        "Cropped, turned and mirrored pictures stay. So does a smooth one (fog, a gradient) that was made "
        "brighter until it lost its lights. Of an animation the first frame counts. Needs the extra `images`."
    )
    source: ClassVar[str] = (
        "Zauner (2010), Implementation and benchmarking of perceptual image hash functions; see "
        "zhiling.curation.picture_hash"
    )

    keep: Literal["longest", "first", "best", "newest"] = Field(
        default="longest",
        description="which row of a cluster stays. longest: the one with the most pixels; best, newest: the "
        "largest value of `column`; first: its smallest value, or without `column` the smallest id. Ties: "
        "more pixels (of equally many: the larger `column`), then the smaller id",
    )
    similarity: float = Field(
        default=0.85, ge=0.7, le=1.0, description="least agreement of two pictures that show the same"
    )
    same_text: bool = Field(
        default=False,
        description="whether only rows that also say the same are duplicates: other questions about a "
        "picture are other rows then",
    )

    class Reason(StrEnum):
        """Why a row is rejected."""

        SAME_PICTURE = "same_picture"

    def reads(self) -> tuple[str, ...]:
        """The media, and what decides which row stays."""
        return ("messages", *self.column_read())

    def writes(self) -> dict[str, pl.DataType]:
        """The representative of each row."""
        return {"cluster": pl.String()}

    def applies(self, rows: pl.DataFrame) -> pl.Series:
        """Rows with pictures."""
        return has_pictures(rows["messages"])

    def decide(self, rows: pl.DataFrame, context: Context) -> pl.DataFrame:
        """Verdicts by what the pictures show."""
        judged = rows.height
        rows = self.beside_reference(rows, context)
        shown = albums(rows["messages"], context.root)
        compared = np.flatnonzero([bool(each) and not isinstance(each, str) for each in shown])
        compared_albums = [each for each in shown if each and not isinstance(each, str)]
        representative, similarity = np.arange(rows.height), np.zeros(rows.height)
        within, similarity[compared] = self._decided(rows[compared], compared_albums, compared < judged)
        representative[compared] = compared[within]
        cluster = rows["id"].gather(representative[:judged])
        removed = representative[:judged] != np.arange(judged)
        failures = [each if isinstance(each, str) else None for each in shown[:judged]]
        return verdicts(
            removed,
            self.Reason.SAME_PICTURE,
            score=similarity[:judged],
            related=cluster.set(pl.Series(~removed), None),
        ).with_columns(cluster.alias("cluster"), pl.Series("failure", failures, dtype=pl.String))

    def _decided(
        self, rows: pl.DataFrame, albums: list[list[Print]], judged: NDArray[np.bool_]
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Which row stands for each, and how similar the two are.

        Rows of equal fingerprints are one look: the first stands for all, and only looks are compared.
        """
        pixels = np.array([sum(each.pixels for each in album) for album in albums], dtype=np.int64)
        rank = self.priority(rows, pixels, judged)
        texts: list[str] = [""] * len(albums)
        if self.same_text:
            texts = normalise(all_text(rows["messages"])).to_list()
        looks: list[tuple[bytes, str]] = [
            (b"".join(each.bits.tobytes() for each in album), text)
            for album, text in zip(albums, texts, strict=True)
        ]
        number: dict[tuple[bytes, str], int] = {}
        look, first = np.empty(len(albums), dtype=np.int64), np.empty(len(albums), dtype=np.int64)
        order: list[int] = np.argsort(rank).tolist()
        for row in order:
            if looks[row] not in number:
                first[len(number)] = row
            look[row] = number.setdefault(looks[row], len(number))
        first = first[: len(number)]
        left, right, closeness = _near(list(number), self.similarity)
        # a look that holds a row accepted before keeps its own: that row ranks first and cannot be taken
        stands, similarity = taken(left, right, closeness, rank[first], judged[first])
        representative, similarity = first[stands[look]], similarity[look]
        similarity[(representative == first[look]) & (representative != np.arange(len(look)))] = 1.0
        representative[~judged] = np.flatnonzero(~judged)
        return representative, similarity


def _near(
    looks: list[tuple[bytes, str]], least: float
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Pairs of looks of as many pictures and the same text, all pictures near; in both directions."""
    sizes = np.array([len(look) for look, _ in looks], dtype=np.int64)
    texts = np.unique([text for _, text in looks], return_inverse=True)[1]
    lefts, rights = [np.empty(0, dtype=np.int64)], [np.empty(0, dtype=np.int64)]
    values = [np.empty(0)]
    for size in np.unique(sizes).tolist():
        rows = np.flatnonzero(sizes == size)
        prints = np.frombuffer(b"".join(looks[row][0] for row in rows), dtype=np.uint64)
        prints = prints.reshape(len(rows), -1, _WORDS)
        left, right, similarity = near_pairs(prints[:, 0], least)
        for place in range(1, prints.shape[1]):
            similarity = np.minimum(similarity, agreement(prints[left, place], prints[right, place]))
        same = (similarity >= least - 1e-9) & (texts[rows[left]] == texts[rows[right]])
        left, right, similarity = rows[left[same]], rows[right[same]], similarity[same]
        lefts += [left, right]
        rights += [right, left]
        values += [similarity, similarity]
    return np.concatenate(lefts), np.concatenate(rights), np.concatenate(values)
