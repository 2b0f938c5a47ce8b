"""`zhiling check`: everything validated, nothing done."""

from __future__ import annotations

from pathlib import Path

import typer

from zhiling.cli.console import AsJson, Overrides, Profile, RecipePath, load_recipe, print_json


def check_command(
    recipe: RecipePath = Path("recipe.yaml"),
    overrides: Overrides = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """Validate a recipe; find missing files, extras and models; estimate rows and time; spend nothing."""
    from zhiling.cli.calls import lines_of
    from zhiling.workflow.check import check

    found = check(load_recipe(recipe, profile, overrides))
    if as_json:
        print_json(
            {"files": found.files, "rows": found.estimate.rows, "seconds": found.estimate.seconds,
             "measured": found.estimate.measured, "usd": found.calls.total()["usd"].high,
             "calls": [each.as_dict() for each in found.calls.steps], "unknown": found.calls.unknown,
             "warnings": found.warnings}
        )  # fmt: skip
        return
    for source, files in found.files.items():
        typer.echo(
            f"source {source}: {files} file{'s' * (files != 1)}, about {found.estimate.rows[source]:,} rows"
        )
    basis = "measured in an earlier run" if found.estimate.measured else "a guess before the first run"
    typer.echo(f"steps: about {found.estimate.seconds:.0f} s ({basis}), model calls not counted")
    for line in lines_of(found.calls):
        typer.echo(line)
    for warning in found.warnings:
        typer.secho(f"warning: {warning}", fg=typer.colors.YELLOW)
    typer.echo("the recipe is fine")
