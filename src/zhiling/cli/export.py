"""`zhiling export RUN`: write a run's rows in a format."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zhiling.cli.console import AsJson, RunName, find_run, print_json


def export_command(
    run: RunName = None,
    format: Annotated[str, typer.Option("--format", help="messages, alpaca or csv.")] = "messages",
    output: Annotated[
        Path, typer.Option("-o", "--output", help="File name; split parts are put before its ending.")
    ] = Path("export.jsonl"),
    as_json: AsJson = False,
) -> None:
    """Write the rows of a finished run, one file per split part."""
    from zhiling.errors import GateFailed
    from zhiling.workflow.stages import write_export

    found = find_run(run)
    failed = [gate["check"] for gate in found.folder.manifest.gates if not gate["ok"]]
    if failed:
        raise GateFailed(
            f"run {found.id} did not pass its gates: {', '.join(failed)}", hint="`zhiling gates` tells why"
        )
    result = write_export(found, found.table(), format, output.resolve())
    if as_json:
        print_json(result)
        return
    for file in result["files"]:
        typer.echo(f"{output.parent / file['path']}: {file['rows']:,} rows")
    for loss, number in result["losses"].items():
        typer.secho(f"warning: the format cannot hold {loss} ({number:,} rows)", fg=typer.colors.YELLOW)
