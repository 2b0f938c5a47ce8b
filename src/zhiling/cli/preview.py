"""`zhiling preview STEP`: rows before and after one step."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from zhiling.cli.console import AsJson, Overrides, Profile, load_recipe, print_json


def preview_command(
    step: Annotated[str, typer.Argument(help="The step's id in the recipe.")],
    recipe: Annotated[Path, typer.Option("--recipe", help="The recipe.")] = Path("recipe.yaml"),
    rows: Annotated[int, typer.Option("-n", min=1, help="How many rows.")] = 5,
    sample: Annotated[int, typer.Option(min=1, help="Rows read from each source.")] = 200,
    overrides: Overrides = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """Show what a step does to a few rows; nothing is stored."""
    from zhiling.workflow.preview import preview

    for item in preview(load_recipe(recipe, profile, overrides), step, rows, sample):
        if as_json:
            print_json(item.__dict__)
            continue
        score = f" (score {item.verdict['score']:.3f})" if item.verdict["score"] is not None else ""
        reason = f": {item.verdict['reason']}" if item.verdict["reason"] else ""
        typer.secho(f"{item.row['origin']['locator']}  {item.verdict['verdict']}{reason}{score}", bold=True)
        typer.echo(_text("before", item.row["messages"]))
        for made in item.made:
            typer.echo(_text("after ", made))
        for name, value in item.measures.items():
            typer.echo(f"  {name} = {value}")
        if item.verdict["related"]:
            typer.echo(f"  related: {item.verdict['related']}")
        if item.verdict["detail"]:
            typer.echo("  " + item.verdict["detail"].splitlines()[0])


def _text(head: str, messages: list[dict[str, Any]]) -> str:
    lines = [f"{message['role']}: {message['text']}" for message in messages]
    return "\n".join(f"  {head} {line[:300]}{'…' * (len(line) > 300)}" for line in lines)
