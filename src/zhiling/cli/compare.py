"""`zhiling compare A B`: two models on the same rows, side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zhiling.cli.console import AsJson, print_json

Answers = Annotated[
    str, typer.Argument(help="A run (id or folder), a saved model's folder, or a file of predictions.")
]


def compare_command(
    first: Answers,
    second: Answers,
    rows: Annotated[
        Path | None,
        typer.Option("--rows", help="Rows that models are to answer: JSONL or CSV with text and label, …"),
    ] = None,
    metric: Annotated[
        list[str] | None, typer.Option("--metric", help="A metric; repeatable. By default what fits.")
    ] = None,
    arm: Annotated[str, typer.Option("--arm", help="Which arm of evaluated runs.")] = "after",
    examples: Annotated[int, typer.Option(min=0, help="How many better and worse rows are shown.")] = 5,
    language: Annotated[str, typer.Option(help="en or zh.")] = "en",
    as_json: AsJson = False,
) -> None:
    """Say what B answers better and worse than A: scores with paired intervals, slices, rows."""
    from zhiling.workflow.compare.compare import side_by_side
    from zhiling.workflow.compare.sides import side_of
    from zhiling.workflow.compare.text import render

    sides = [side_of(_place(name), rows, arm) for name in (first, second)]
    found = side_by_side(*sides, metrics=metric or (), examples=examples)
    if as_json:
        print_json(found.as_dict())
    else:
        typer.echo(render(found, language))


def _place(name: str) -> Path:
    """A file or folder, or the run of this id."""
    return Path("runs") / name if not Path(name).exists() and (Path("runs") / name).exists() else Path(name)
