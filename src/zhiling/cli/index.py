"""`zhiling index RUN`: what new material is compared with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zhiling.cli.console import AsJson, RunName, find_run, print_json


def index_command(
    run: RunName = None,
    remove: Annotated[bool, typer.Option("--remove", help="Take the run (its id) out again.")] = False,
    listing: Annotated[bool, typer.Option("--list", help="Only say which runs are in the index.")] = False,
    as_json: AsJson = False,
) -> None:
    """Put a finished run's exported rows into the standing index, which the step `known` looks into."""
    from zhiling.errors import UsageError
    from zhiling.pipeline.store import Project
    from zhiling.workflow.index import forget_run, index_run, indexed

    if remove and not run:
        raise UsageError("--remove needs the id of a run", hint="`zhiling index --list` names them")
    if listing or remove:
        project = Project(Path.cwd())
        if remove and run:
            forget_run(project, Path(run).name)
    else:
        found = find_run(run)
        project = found.project
        index_run(found)
    releases = indexed(project)
    if as_json:
        print_json({"releases": [release.__dict__ for release in releases]})
        return
    for release in releases:
        typer.echo(f"{release.run}: {release.rows:,} rows, since {release.time}")
    if not releases:
        typer.echo("the standing index is empty")
