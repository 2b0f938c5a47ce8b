"""`zhiling diff RUN RUN`: what changed between two runs, and why."""

from __future__ import annotations

from typing import Annotated

import typer

from zhiling.cli.console import AsJson, find_run, print_json


def diff_command(
    before: Annotated[str, typer.Argument(help="The older run.")],
    after: Annotated[str | None, typer.Argument(help="The newer run; the newest by default.")] = None,
    language: Annotated[str, typer.Option(help="en or zh.")] = "en",
    as_json: AsJson = False,
) -> None:
    """Say which rows were added, removed or changed, and by which cause."""
    from zhiling.workflow.inspect.difference import difference

    found = difference(find_run(before).path, find_run(after).path)
    if as_json:
        print_json(found.as_dict())
    else:
        typer.echo(found.render(language))
