"""`zhiling rows RUN`: rows with their verdicts."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from zhiling.cli.console import RunName, find_run, print_json


def rows_command(
    run: RunName = None,
    step: Annotated[
        str | None, typer.Option("--step", help="Only rows that this step saw, with its verdict.")
    ] = None,
    kept: Annotated[bool, typer.Option("--kept", help="Only rows that are kept.")] = False,
    rejected: Annotated[bool, typer.Option("--rejected", help="Only rejected rows.")] = False,
    failed: Annotated[
        bool, typer.Option("--failed", help="Only what failed, attempts of making steps too.")
    ] = False,
    limit: Annotated[int | None, typer.Option("-n", min=1, help="At most so many.")] = None,
    format: Annotated[str, typer.Option("--format", help="text or jsonl.")] = "text",
) -> None:
    """Print rows: id, text, place, verdict, reason, score and the related row."""
    from zhiling.errors import UsageError
    from zhiling.workflow.inspect.book import answered
    from zhiling.workflow.inspect.rows import select_rows

    if format not in ("text", "jsonl"):
        raise UsageError(f"--format {format!r}", hint="text or jsonl")
    wanted = [name for name, given in (("kept", kept), ("rejected", rejected), ("failed", failed)) if given]
    for row in select_rows(find_run(run), step=step, states=wanted, limit=limit):
        if format == "jsonl":
            print_json(row)
            continue
        score = f" {row['score']:.3f}" if row["score"] is not None else ""
        typer.secho(
            f"{row['id'][:12]} {row['origin']['locator']} {row['verdict']} {row['reason'] or ''}{score}",
            bold=True,
        )
        for role, text in answered(row):
            typer.echo(f"  {role}: {text[:200]}{'…' * (len(text) > 200)}")
        if row["related"]:
            typer.echo(f"  related: {row['related']}")
        if row["detail"]:
            typer.echo("  " + row["detail"].splitlines()[0])
    sys.stdout.flush()
