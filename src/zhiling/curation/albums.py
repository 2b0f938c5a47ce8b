"""The pictures of rows as fingerprints."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from zhiling.curation.media import media_of
from zhiling.curation.picture_hash import Print, picture_print


def has_pictures(messages: pl.Series) -> pl.Series:
    """Which rows show a picture."""
    shown = media_of(messages).filter(pl.col("kind") == "image")
    mask = np.zeros(len(messages), dtype=np.bool_)
    mask[shown["row"].to_numpy()] = True
    return pl.Series(mask)


def albums(messages: pl.Series, root: Path) -> list[list[Print] | str]:
    """The pictures of each row, or the class of the first failure among them; each file is read once."""
    known: dict[tuple[str, str | None], Print | str] = {}
    shown: list[list[Print] | str] = [list[Print]() for _ in range(len(messages))]
    pictures = media_of(messages).filter(pl.col("kind") == "image")
    named: list[tuple[int, str, str | None]] = pictures.select("row", "path", "sha256").rows()
    for row, path, wanted in named:
        album = shown[row]
        if isinstance(album, str):
            continue
        if (path, wanted) not in known:
            known[path, wanted] = picture_print(path, wanted, root)
        found = known[path, wanted]
        if isinstance(found, str):
            shown[row] = found
        else:
            album.append(found)
    return shown
