"""`zhiling gc`: make room."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zhiling.cli.console import AsJson, print_json


def gc_command(
    folder: Annotated[Path, typer.Argument(help="The project's folder.")] = Path(),
    keep: Annotated[int | None, typer.Option(min=1, help="Keep only the newest so many runs.")] = None,
    dry: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    as_json: AsJson = False,
) -> None:
    """Remove files that no run lists any more, and with --keep old runs."""
    from zhiling.pipeline.store import Project
    from zhiling.workflow.housekeeping import collect_garbage

    removed, size = collect_garbage(Project(folder.resolve()), keep, dry=dry)
    if as_json:
        print_json({"removed": [str(path) for path in removed], "bytes": size, "dry_run": dry})
        return
    for path in removed:
        typer.echo(str(path))
    typer.echo(f"{'would remove' if dry else 'removed'} {len(removed)} items, {size / 1e6:.1f} MB")
