"""The standing index of a project: which runs new material is compared with."""

from __future__ import annotations

from zhiling.curation.released import Release, Released
from zhiling.errors import UsageError
from zhiling.pipeline.database import FILE_NAME
from zhiling.pipeline.store import Project
from zhiling.workflow.run import Run

_ROWS = 20_000


def index_run(run: Run) -> int:
    """Puts the exported rows of a finished run into the standing index; returns how many it has there.

    Raises:
        UsageError: the run is not finished, or another run of its name is there.
        RunBusy: another process works in this project.
    """
    manifest = run.folder.manifest
    if manifest.state != "finished":
        raise UsageError(
            f"run {run.id!r} is {manifest.state}; only a finished run can enter the standing index",
            hint="`zhiling run` goes on with it; `zhiling gates` tells of gates that failed",
        )
    table = run.table()
    batches = table.batches(["id", "messages"], table.exported(), _ROWS)
    with run.project.lock(), Released(run.project.root / FILE_NAME) as released:
        return released.add(run.id, manifest.recipe, batches)


def forget_run(project: Project, run: str) -> int:
    """Takes a run out of the standing index; returns how many rows it had there.

    Raises:
        UsageError: it is not in the index.
        RunBusy: another process works in this project.
    """
    with project.lock(), Released(project.root / FILE_NAME) as released:
        return released.remove(run)


def indexed(project: Project) -> list[Release]:
    """The runs in a project's standing index, in the order in which they came."""
    with Released(project.root / FILE_NAME) as released:
        return released.releases()
