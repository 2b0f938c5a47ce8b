"""`zhiling init FOLDER`: a project that runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def init_command(
    folder: Annotated[Path, typer.Argument(help="The new project's folder.")] = Path(),
    force: Annotated[bool, typer.Option(help="Write into a folder that has a recipe.")] = False,
) -> None:
    """Make a small project with its own data; `zhiling run` in it works offline."""
    from zhiling.workflow.start import start_project

    for path in start_project(folder, force=force):
        typer.echo(f"wrote {path}")
    typer.echo(f"next: cd {folder} && zhiling check && zhiling run")
