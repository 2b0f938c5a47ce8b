"""What runs there are, and making room."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zhiling.errors import ZhilingError
from zhiling.pipeline.store import Project, RunFolder


@dataclass(frozen=True)
class RunStatus:
    """One line of `status`."""

    run: str
    state: str
    counts: dict[str, Any]
    seconds: float
    stages: list[dict[str, Any]]
    megabytes: float


def status(project: Project) -> list[RunStatus]:
    """All runs of a project, oldest first; one that cannot be read has the state `damaged`."""
    found: list[RunStatus] = []
    for path in project.run_paths():
        size = round(_size(path) / 1e6, 1)
        try:
            manifest = RunFolder.open(path).manifest
        except ZhilingError as error:
            found.append(RunStatus(path.name, f"damaged: {error.message}", {}, 0.0, [], size))
            continue
        stages = [
            {
                "id": stage.id,
                "kind": stage.kind,
                "done": stage.done,
                "seconds": round(stage.seconds, 2),
                "reused": stage.reused,
            }
            for stage in manifest.stages
        ]
        found.append(RunStatus(manifest.run, manifest.state, manifest.counts, manifest.seconds, stages, size))
    return found


def collect_garbage(
    project: Project, keep: int | None = None, *, dry: bool = False
) -> tuple[list[Path], int]:
    """Removes files that no manifest lists, and all but the newest `keep` runs.

    Returns:
        What was (or with `dry` would be) removed, and its size in bytes.
    """
    doomed: list[Path] = []
    with project.lock():
        paths = project.run_paths()
        old = paths[: max(0, len(paths) - keep)] if keep is not None else []
        doomed += old
        for path in paths:
            if path not in old:
                doomed += _unlisted(path)
        size = sum(_size(path) for path in doomed)
        for path in [] if dry else doomed:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        if not dry:
            _remove_empty(project.runs)
    return doomed, size


def _unlisted(path: Path) -> list[Path]:
    try:
        manifest = RunFolder.open(path).manifest
    except ZhilingError:
        return []  # a damaged run is the user's to judge; `gc --keep` still removes old ones
    listed = {
        path / name
        for s in manifest.stages
        for p in s.parts
        for name in (p.rows, p.ledger, p.measures, p.bad)
        if name
    }
    found = [file for file in path.glob("[0-9]*/**/*.parquet") if file not in listed]
    return found + list(path.glob("**/.*.tmp"))


def _remove_empty(root: Path) -> None:
    for folder in sorted((p for p in root.glob("**/*") if p.is_dir()), key=lambda p: -len(p.parts)):
        if not any(folder.iterdir()):
            folder.rmdir()


def _size(path: Path) -> int:
    if path.is_file():
        return path.stat().st_size
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
