"""A run on disk: parts written to a temporary name and renamed, and a manifest that says which count.

Whatever moment a process dies at, the manifest on disk is whole and names only finished parts; the
next process goes on behind them.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import time
import uuid
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import orjson
import polars as pl
from filelock import FileLock, Timeout
from pydantic import BaseModel, ConfigDict, Field

from zhiling.errors import DamagedFile, MissingInput, RunBusy, StepFailed

FORMAT_VERSION = 1

_PARQUET_END = b"PAR1"

_DISK_ERRORS = {
    errno.ENOSPC: ("the disk is full", "make room; `zhiling gc` removes old runs; then `zhiling run`"),
    errno.EDQUOT: ("the disk quota is used up", "make room, then `zhiling run`"),
    errno.EFBIG: (
        "the file grows beyond the size that is allowed here",
        "raise the limit (`ulimit -f`) or choose another disk, then `zhiling run`",
    ),
    errno.EROFS: ("the disk is read-only", "choose another folder"),
    errno.EACCES: ("no permission to write here", "choose another folder, or change its owner"),
    errno.EPERM: ("no permission to write here", "choose another folder, or change its owner"),
    errno.EEXIST: ("a file stands where a folder should be", "move it away, or choose another folder"),
    errno.ENOTDIR: ("a file stands where a folder should be", "move it away, or choose another folder"),
}

_STRICT = ConfigDict(extra="forbid")

_SMALL_BYTES = 1_000_000
_SAVING_SHARE = 20


@dataclass(frozen=True)
class _Saved:
    """How large the manifest was when it was last written, and from when to when that took (monotonic s)."""

    size: int = 0
    start: float = 0.0
    end: float = 0.0


class Part(BaseModel):
    """The files of one finished batch; `first` and `last` bound the made rows' numbers (half open)."""

    model_config = _STRICT

    seen: int = 0
    rows: str | None = None
    ledger: str | None = None
    measures: str | None = None
    bad: str | None = None
    first: int = 0
    last: int = 0

    def files(self) -> tuple[str, ...]:
        """The files that it has."""
        return tuple(name for name in (self.rows, self.ledger, self.measures, self.bad) if name)


class Stage(BaseModel):
    """One source or step of a run: its key, folder, finished parts and counts."""

    model_config = _STRICT

    id: str
    kind: str
    use: str
    key: str
    base_key: str
    folder: str
    round: int = 0
    done: bool = False
    parts: list[Part] = Field(default_factory=list)
    counts: dict[str, dict[str, int]] = Field(default_factory=dict)
    seconds: float = 0.0
    owner: str | None = None
    reused: int = 0


class Manifest(BaseModel):
    """What a run consists of. Paths are relative to the run's folder."""

    model_config = _STRICT

    format: int = FORMAT_VERSION
    run: str
    recipe: str
    state: str = "running"
    seed: int = 0
    stages: list[Stage] = Field(default_factory=list)
    counts: dict[str, Any] = Field(default_factory=dict)
    gates: list[dict[str, Any]] = Field(default_factory=list)
    results: dict[str, Any] = Field(default_factory=dict)
    seconds: float = 0.0
    usd: float = 0.0
    versions: dict[str, str] = Field(default_factory=dict)
    host: dict[str, Any] = Field(default_factory=dict)

    def latest(self, column: str) -> str:
        """A record column, or its latest measure where a step measured one of that name."""
        for stage in reversed(self.stages):
            if stage.kind == "measure" and column in stage.counts.get("columns", {}):
                return f"{stage.id}.{column}"
        return column


class RunFolder:
    """One run's folder: parts in, parts out, manifest saved atomically."""

    def __init__(self, path: Path, manifest: Manifest) -> None:
        self.path, self.manifest = path, manifest
        self._saved = _Saved()

    @classmethod
    def create(cls, path: Path, manifest: Manifest) -> RunFolder:
        """A new run with an empty manifest on disk; a folder that has none yet is taken over."""
        with writing(path):
            path.mkdir(parents=True, exist_ok=True)
        run = cls(path, manifest)
        run.save()
        return run

    @classmethod
    def open(cls, path: Path) -> RunFolder:
        """A run that is on disk.

        Raises:
            MissingInput: no run there.
            DamagedFile: a manifest that cannot be read, or of a newer format.
        """
        file = path / "manifest.json"
        try:
            raw = orjson.loads(file.read_bytes())
        except FileNotFoundError:
            raise MissingInput(f"no run at {str(path)!r}", hint="`zhiling status` lists the runs") from None
        except ValueError as error:
            raise DamagedFile(f"not a manifest: {error}", place=str(file)) from error
        version = cast(dict[str, Any], raw).get("format") if isinstance(raw, dict) else None
        if version != FORMAT_VERSION:
            raise DamagedFile(
                f"run format {version!r}; this zhiling reads format {FORMAT_VERSION}",
                place=str(file),
                hint="open it with the zhiling that wrote it, or run the recipe again",
            )
        try:
            return cls(path, Manifest.model_validate(raw))
        except ValueError as error:
            raise DamagedFile(f"not a manifest: {error}", place=str(file)) from error

    @property
    def id(self) -> str:
        """The run's name, that of its folder."""
        return self.manifest.run

    def save(self) -> None:
        """Writes the manifest; the old one stays whole until the new one is."""
        started = time.monotonic()
        content = orjson.dumps(self.manifest.model_dump(mode="json"), option=orjson.OPT_INDENT_2)
        write_bytes(self.path / "manifest.json", content)
        self._saved = _Saved(len(content), started, time.monotonic())

    def save_part(self) -> None:
        """Writes the manifest behind a part: always while it is small.

        One of thousands of parts is written again only when that takes less than a twentieth of the time; a
        process that is killed then loses what it finished since.
        """
        saved = self._saved
        due = saved.end + _SAVING_SHARE * (saved.end - saved.start)
        if saved.size < _SMALL_BYTES or time.monotonic() >= due:
            self.save()

    def write_frame(self, relative: str, frame: pl.DataFrame) -> str:
        """Writes a Parquet file under the run; returns `relative`."""
        path = self.path / relative
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary = _temporary(path)
            try:
                # lz4 reads three times as fast as zstd here, for a quarter more disk
                frame.write_parquet(temporary, compression="lz4")
                Path(temporary).replace(path)
            finally:
                temporary.unlink(missing_ok=True)
        return relative

    def read_frame(self, relative: str, columns: list[str] | None = None) -> pl.DataFrame:
        """A Parquet file of the run.

        Raises:
            DamagedFile: it is missing or cannot be read.
        """
        return read_frame(self.path / relative, columns)

    def holds(self, stage: Stage) -> bool:
        """Whether every file of a stage's parts is there to its end (its middle is not read)."""
        return all(_is_whole(self.path / name) for part in stage.parts for name in part.files())

    def event(self, event: dict[str, Any]) -> None:
        """Appends one line to events.jsonl."""
        with writing(self.path), (self.path / "events.jsonl").open("ab") as stream:
            stream.write(orjson.dumps(event) + b"\n")


class Project:
    """The folder of a recipe: `runs/`, and what outlives a run beside it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.runs = root / "runs"

    def run_paths(self) -> list[Path]:
        """All run folders, oldest first."""
        found = [path.parent for path in self.runs.glob("*/manifest.json")]
        return sorted(found, key=_run_number)

    def newest(self) -> Path:
        """The newest run's folder.

        Raises:
            MissingInput: there is none.
        """
        paths = self.run_paths()
        if not paths:
            raise MissingInput(f"no runs in {str(self.runs)!r}", hint="start one with `zhiling run`")
        return paths[-1]

    def next_path(self, name: str) -> Path:
        """The folder of a run to come: `<recipe name>-NNNN`."""
        return self.runs / f"{name}-{max(map(_run_number, self.run_paths()), default=0) + 1:04d}"

    @contextlib.contextmanager
    def lock(self) -> Generator[None]:
        """Holds the project: one writing process at a time.

        Raises:
            RunBusy: another process holds it.
        """
        with writing(self.runs):
            self.runs.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.runs / ".lock")
        try:
            with writing(self.runs):
                lock.acquire(timeout=0)
        except Timeout:
            raise RunBusy(
                "another process is working in this project",
                place=str(self.runs),
                hint="wait for it, or stop it",
            ) from None
        try:
            yield
        finally:
            lock.release()


AGAIN, EVALUATE = "`zhiling run --new` makes it again", "run `zhiling evaluate` again"
"""What to do where a file of a run, or of its evaluation, is damaged."""


def read_frame(path: Path, columns: list[str] | None = None, *, hint: str = AGAIN) -> pl.DataFrame:
    """A Parquet file, of a run unless `hint` says what else to do where it is damaged.

    Raises:
        DamagedFile: it is missing or cannot be read.
    """
    try:
        return pl.read_parquet(path, columns=columns, glob=False)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise DamagedFile(
            f"cannot be read: {str(error).splitlines()[0]}", place=str(path), hint=hint
        ) from error


def read_json(path: Path) -> dict[str, Any]:
    """A JSON file of a run's evaluation.

    Raises:
        DamagedFile: it is not JSON.
    """
    try:
        return orjson.loads(path.read_bytes())
    except ValueError as error:
        raise DamagedFile(f"not JSON: {error}", place=str(path), hint=EVALUATE) from error


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Writes such a file; numpy's numbers count as numbers."""
    write_bytes(path, orjson.dumps(content, option=orjson.OPT_INDENT_2 | orjson.OPT_SERIALIZE_NUMPY))


def _run_number(path: Path) -> int:
    found = re.search(r"-(\d+)$", path.name)
    return int(found.group(1)) if found else 0


def _is_whole(path: Path) -> bool:
    """A Parquet file ends in its magic word; one that was cut off does not."""
    try:
        with path.open("rb") as stream:
            stream.seek(-len(_PARQUET_END), os.SEEK_END)
            return stream.read() == _PARQUET_END
    except OSError:
        return False


def _temporary(path: Path) -> Path:
    return path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.tmp")


def write_bytes(path: Path, content: bytes) -> None:
    """Writes a file through a temporary name: readers see the old one or the new one, never a half."""
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = _temporary(path)
        try:
            with temporary.open("wb") as stream:
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
            Path(temporary).replace(path)
        finally:
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def writing(path: Path) -> Generator[None]:
    """Turns the disk's own errors into errors that say what to do."""
    try:
        yield
    except (OSError, pl.exceptions.PolarsError) as error:
        number = _error_number(error)
        if number not in _DISK_ERRORS:
            raise
        message, hint = _DISK_ERRORS[number]
        raise StepFailed(message, place=str(path), hint=hint) from error


def _error_number(error: OSError | pl.exceptions.PolarsError) -> int | None:
    """The system's number of an error; Polars tells it at the end of its message only."""
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno
    told = re.search(r"\(os error (\d+)\)", str(error))
    number = int(told.group(1)) if told else None
    # Windows numbers its errors otherwise, and Python knows which is which
    return OSError(0, "", None, number).errno if number and os.name == "nt" else number
