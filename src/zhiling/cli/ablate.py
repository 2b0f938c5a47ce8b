"""`zhiling ablate [RECIPE]`: what each step does to the model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zhiling.cli.ablate_sources import difference, leave_out_sources, scores_of
from zhiling.cli.console import (
    AsJson,
    Overrides,
    Profile,
    RecipePath,
    Teller,
    load_recipe,
    print_json,
    print_table,
)

if TYPE_CHECKING:
    from zhiling.workflow.ablate.steps import Ablation, Ablations


def ablate_command(
    recipe: RecipePath = Path("recipe.yaml"),
    step: Annotated[
        list[str] | None,
        typer.Option(help="Only this step (with --sources: this source); may be given again."),
    ] = None,
    seeds: Annotated[int | None, typer.Option(help="Students per arm, at least 3.")] = None,
    ngrams: Annotated[bool, typer.Option("--ngrams", help="Students read n-grams alone: faster.")] = False,
    sources: Annotated[
        bool, typer.Option("--sources", help="Leave out one source after the other instead of steps.")
    ] = False,
    about: Annotated[
        list[str] | None,
        typer.Option(help="With --sources: an answer to follow: a test row's id or a text; again for more."),
    ] = None,
    overrides: Overrides = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """Tell what each step (or source) does to a cheap student: with it, without, against a random removal."""
    from zhiling.errors import UsageError
    from zhiling.workflow.ablate.steps import ablate

    if about and not sources:
        raise UsageError("--about follows answers from source to source", hint="give --sources too")
    loaded = load_recipe(recipe, profile, overrides)
    if sources:
        options = {"only": step or (), "about": about or (), "seeds": seeds, "ngrams": ngrams}
        leave_out_sources(loaded, options, as_json=as_json)
        return
    with Teller(as_json=False) as teller:
        found = ablate(loaded, only=step or (), seeds=seeds, ngrams=ngrams, tell=teller)
    if as_json:
        print_json(found.as_dict())
    else:
        _tell(found)


def _tell(found: Ablations) -> None:
    print_table(
        ("step", "verdict", "rows removed", "with", "without", "random", "with - without", "with - random"),
        [_line(each) for each in found.steps],
        title=f"{found.metric} on {found.tested} rows ({found.tested_on}), {len(found.seeds)} seeds, 95 %",
    )
    for each in found.steps:
        if each.also:
            typer.echo(f"{each.step}: left out with {', '.join(each.also)}, which needs its columns")
        if each.note:
            typer.echo(f"{each.step}: {each.note}")
    if found.tested_on == "test part":
        typer.echo("the test part holds only rows that every step let pass; `evaluate: {data: …}` is fairer")


def _line(found: Ablation) -> tuple[str | int | float | None, ...]:
    pairs = (found.differences.get(f"with-{arm}") for arm in ("without", "random"))
    return (found.step, found.verdict, found.removed, *scores_of(found), *map(difference, pairs))
