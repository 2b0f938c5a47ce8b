"""`zhiling status`: the runs of a project."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zhiling.cli.console import AsJson, print_json, print_table


def status_command(
    folder: Annotated[Path, typer.Argument(help="The project's folder.")] = Path(), as_json: AsJson = False
) -> None:
    """List runs with their state, counts and size."""
    from zhiling.pipeline.store import Project
    from zhiling.workflow.housekeeping import status

    found = status(Project(folder.resolve()))
    if as_json:
        for run in found:
            print_json(run.__dict__)
        return
    rows = [
        (
            run.run,
            run.state,
            run.counts.get("in"),
            run.counts.get("kept"),
            run.counts.get("bad"),
            run.seconds,
            run.megabytes,
        )
        for run in found
    ]
    print_table(("run", "state", "in", "kept", "bad", "seconds", "MB"), rows)
    if found and found[-1].state in ("running", "paused", "failed"):
        done = [stage["id"] for stage in found[-1].stages if stage["done"]]
        typer.echo(f"{found[-1].run} stopped after {done[-1] if done else 'nothing'}; `zhiling run` goes on")
