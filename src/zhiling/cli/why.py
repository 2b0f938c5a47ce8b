"""`zhiling why ROW`: one row's life in words."""

from __future__ import annotations

from typing import Annotated

import typer

from zhiling.cli.console import AsJson, find_run, print_json


def why_command(
    row: Annotated[
        str, typer.Argument(help="An id (or its first letters), n:NUMBER, or a place such as faq.jsonl:12.")
    ],
    run: Annotated[
        str | None, typer.Option("--run", help="A run's id or folder; the newest one by default.")
    ] = None,
    language: Annotated[str, typer.Option(help="en or zh.")] = "en",
    as_json: AsJson = False,
) -> None:
    """Tell where a row came from, what each step said of it, and where it went."""
    from zhiling.workflow.inspect.life import life

    found = life(find_run(run).path, row)
    if as_json:
        print_json(found.as_dict())
    else:
        typer.echo(found.render(language))
