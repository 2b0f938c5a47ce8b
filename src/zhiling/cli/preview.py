"""`zhiling preview STEP`: rows before and after one step."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zhiling.cli.console import AsJson, Overrides, Profile, load_recipe, print_json

if TYPE_CHECKING:
    from zhiling.workflow.preview import Preview
    from zhiling.workflow.recipe import Recipe


def preview_command(
    step: Annotated[str, typer.Argument(help="The step's id in the recipe.")],
    recipe: Annotated[Path, typer.Option("--recipe", help="The recipe.")] = Path("recipe.yaml"),
    rows: Annotated[int, typer.Option("-n", min=1, help="How many rows.")] = 5,
    sample: Annotated[
        int | None, typer.Option(min=1, help="Rows of each source: 200, or 8 where a model is asked.")
    ] = None,
    overrides: Overrides = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """Show what a step does to a few rows, and what it will cost; only replies of models are stored."""
    from zhiling.workflow.preview import preview

    loaded = load_recipe(recipe, profile, overrides)
    found = preview(loaded, step, rows, sample)
    for item in found.rows:
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
    if found.spent.calls:
        _costs(loaded, step, found, as_json=as_json)


def _costs(recipe: Recipe, step: str, found: Preview, *, as_json: bool) -> None:
    """What the sample took, how much of it was accepted, and what the whole run will take by that."""
    from zhiling.cli.calls import lines_of
    from zhiling.workflow.estimate import Planned, planned_calls, row_counts
    from zhiling.workflow.models import told as facts_of
    from zhiling.workflow.run import plan_of

    plan = plan_of(recipe)
    planned = planned_calls(recipe, plan, row_counts(plan))
    planned = Planned(tuple(each for each in planned.steps if each.step == step))
    if as_json:
        told = {"tried": found.tried, "made": found.made, "spent": facts_of(found.spent)}
        print_json({"event": "estimate", **told, "calls": [each.as_dict() for each in planned.steps]})
        return
    share = f", {found.made} of {found.tried} rows passed its checks" if found.tried else ""
    typer.echo(f"asked so far: {found.spent.calls:,} calls, {found.spent.usd:.4f} USD{share}")
    for line in lines_of(planned):
        typer.echo(line)


def _text(head: str, messages: list[dict[str, Any]]) -> str:
    lines = [f"{message['role']}: {message['text']}" for message in messages]
    return "\n".join(f"  {head} {line[:300]}{'…' * (len(line) > 300)}" for line in lines)
