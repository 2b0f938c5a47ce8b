"""Which source reads a file best: every source tries the file's beginning, and the rows decide.

So a new source, a plug-in too, is found without telling anybody what its files look like.
"""

from __future__ import annotations

import gzip
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import cast

import polars as pl
from pydantic import ValidationError

from zhiling.curation.language import UNDETERMINED, Language
from zhiling.errors import MissingInput, UsageError, ZhilingError
from zhiling.pipeline import registry
from zhiling.pipeline.step import Bad, Context, Source
from zhiling.rows.schema import MATERIAL_TASKS

ORDER = ("feedback", "instructions", "conversations", "labelled", "tables", "images", "documents")
"""Who is believed first where several read a file equally well; plug-ins come before them."""

SAMPLE_ITEMS = 200
SAMPLE_BYTES = 500_000
MOST_BATCHES = 4
ONE_LANGUAGE = 0.95  # of the rows whose language can be told
EQUAL = 0.05  # shares that lie closer than this count as equal
EQUAL_CHARACTERS = 20.0  # likewise what is left over of a row
_BY_LINE = frozenset({".jsonl", ".ndjson", ".csv", ".tsv", ".txt", ".log", ".conll", ".bio"})


@dataclass(frozen=True)
class Reading:
    """What one source makes of a file's beginning.

    Attributes:
        source: the source's name.
        rows: the rows that it read, SOURCE_ROW's columns.
        bad: what it could not read.
        error: why it could not try at all (a missing extra), if it could not.
    """

    source: str
    rows: pl.DataFrame
    bad: Sequence[Bad] = ()
    error: ZhilingError | None = None

    @property
    def left(self) -> float:
        """Characters a row that found no place in the record."""
        extra = self.rows["extra"].str.len_chars().fill_null(0).mean() if self.rows.height else 0
        return float(cast(float, extra))

    @property
    def score(self) -> tuple[float, float]:
        """Shares of the items that became rows to train on, and rows at all."""
        items = self.rows.height + len(self.bad)
        if not items:
            return 0.0, 0.0
        material = int(self.rows["task"].is_in(list(MATERIAL_TASKS)).sum()) if self.rows.height else 0
        return (self.rows.height - material) / items, self.rows.height / items


@dataclass(frozen=True)
class Recognised:
    """The best reading of a file.

    Attributes:
        path: the file, or the folder's files as a glob.
        reading: what the chosen source made of it.
        others: names of the sources that read it as well, but came later.
        language: of nearly all rows, if they have one in common that no field tells.
    """

    path: Path
    reading: Reading
    others: Sequence[str] = field(default_factory=tuple)
    language: str | None = None


def recognise(path: Path) -> Recognised:
    """The source that makes most of a file, or of the files in a folder.

    Raises:
        MissingInput: there is no such file, the folder is empty, or the fitting source needs an extra.
        UsageError: no source reads it; each one's first reason is told.
    """
    refusals: list[ZhilingError] = []
    for sample in _samples(path):
        readings = [_try(name, sample) for name in _names()]
        best = max((reading.score for reading in readings), default=(0.0, 0.0))
        if best == (0.0, 0.0):
            refusals.append(_refusal(sample, readings))
            continue
        equal = [reading for reading in readings if _as_good(reading.score, best)]
        least = min(reading.left for reading in equal)
        chosen = next(reading for reading in equal if reading.left <= least + EQUAL_CHARACTERS)
        others = [reading.source for reading in equal if reading is not chosen]
        return Recognised(_as_glob(path, sample), chosen, others, _language(chosen.rows))
    raise refusals[0]


def _names() -> list[str]:
    known = registry.table("source")
    return [*(name for name in known if name not in ORDER), *(name for name in ORDER if name in known)]


def _samples(path: Path) -> list[Path]:
    """The file itself, or the first one of each kind in a folder, the most frequent kind first."""
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise MissingInput(f"no file or folder at {str(path)!r}", hint="give a file that is there")
    files = [file for file in path.rglob("*") if file.is_file() and not file.name.startswith(".")]
    if not files:
        raise MissingInput(f"folder {str(path)!r} holds no file", hint="give a file, or a folder with files")
    kinds: dict[str, list[Path]] = {}
    for file in sorted(files):  # by name, so the same folder is read the same everywhere
        kinds.setdefault(file.suffix.lower(), []).append(file)
    return [members[0] for members in sorted(kinds.values(), key=len, reverse=True)]


def _as_glob(path: Path, sample: Path) -> Path:
    return path if path.is_file() else path / "**" / f"*{sample.suffix}"


def _try(name: str, file: Path) -> Reading:
    nothing = pl.DataFrame()
    with tempfile.TemporaryDirectory(prefix="zhiling-sniff-") as folder:
        try:
            source = registry.load("source", name)(path="*")
            beginning = _beginning(file, Path(folder))
            return _read(name, source, beginning)
        except ZhilingError as error:
            return Reading(name, nothing, error=error)
        except ValidationError:  # a plug-in that cannot do without settings
            return Reading(name, nothing)


def _beginning(file: Path, folder: Path) -> Path:
    """The file, or its first lines where it is long and made of lines."""
    suffixes = [suffix.lower() for suffix in file.suffixes]
    zipped = suffixes[-1:] == [".gz"]
    kind = suffixes[-2:-1] if zipped else suffixes[-1:]
    if file.stat().st_size <= SAMPLE_BYTES or not kind or kind[0] not in _BY_LINE:
        return file
    copy = folder / file.name
    with gzip.open(file) if zipped else file.open("rb") as content:
        start = content.read(SAMPLE_BYTES)
    whole = start[: start.rfind(b"\n") + 1] or start
    copy.write_bytes(gzip.compress(whole) if zipped else whole)
    return copy


def _read(name: str, source: Source, file: Path) -> Reading:
    frames: list[pl.DataFrame] = []
    bad: list[Bad] = []
    found = 0
    for batch in islice(source.read([file], file.parent), MOST_BATCHES):
        frames.append(batch.rows.head(SAMPLE_ITEMS - found))
        bad += batch.bad
        found += frames[-1].height
        if found >= SAMPLE_ITEMS:
            break
    return Reading(name, pl.concat(frames) if frames else pl.DataFrame(), bad[:SAMPLE_ITEMS])


def _as_good(score: tuple[float, float], best: tuple[float, float]) -> bool:
    return score[0] >= best[0] - EQUAL and (best[0] > EQUAL or score[1] >= best[1] - EQUAL)


def _refusal(path: Path, readings: Sequence[Reading]) -> ZhilingError:
    missing = {each.error.hint: each.error for each in readings if isinstance(each.error, MissingInput)}
    if missing:
        needed = "; ".join(error.message for error in missing.values())
        hints = " or ".join(str(hint) for hint in missing)
        return MissingInput(
            f"no source that is installed reads this file: {needed}", place=str(path), hint=hints
        )
    reasons = [f"\n  {each.source}: {each.bad[0].message}" for each in readings if each.bad]
    return UsageError(
        f"no source reads this file{''.join(reasons)}",
        place=str(path),
        hint="name fields and speakers in a recipe of your own: docs/reference/recipe.md",
    )


def _language(rows: pl.DataFrame) -> str | None:
    """The one language of rows that do not tell theirs."""
    if rows["language"].count():
        return None
    found = Language.model_validate({}).measure(rows, Context(step_id="language"))["language"]
    told = found.filter(found != UNDETERMINED)
    if not len(told):
        return None
    name, count = told.value_counts(sort=True).row(0)
    return str(name) if count >= ONE_LANGUAGE * len(told) else None
