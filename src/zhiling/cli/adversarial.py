"""`zhiling adversarial compare [RECIPE]`: what an adversarial block brings beside simpler ways to rows."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

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

adversarial_app = typer.Typer(
    help="Prove what an adversarial block does to a student.", no_args_is_help=True, add_completion=False
)


@adversarial_app.callback()
def _verbs() -> None:
    """Verbs about a recipe's step `use: adversarial`."""


@adversarial_app.command(name="compare")
def compare_command(
    recipe: RecipePath = Path("recipe.yaml"),
    arms: Annotated[
        str | None,
        typer.Option(help="Such as loop,eda,temperature; all by default. Controls are always there."),
    ] = None,
    seeds: Annotated[int, typer.Option(help="Each deals out known and test rows anew.")] = 3,
    test: Annotated[float, typer.Option(help="Share of each label's rows that is tested on.")] = 0.3,
    test_file: Annotated[
        Path | None, typer.Option(help="Rows to test on instead: JSONL or CSV with text and label.")
    ] = None,
    shots: Annotated[
        int | None, typer.Option(help="Labelled rows of a label that are known; others become lines.")
    ] = None,
    truth: Annotated[
        str | None,
        typer.Option(help="True labels of lines: a file (text, label), or a field of a source."),
    ] = None,
    rows: Annotated[
        int | None, typer.Option(help="Rows that arms draw; by default as many as the loop accepts.")
    ] = None,
    language: Annotated[str, typer.Option(help="en or zh.")] = "en",
    overrides: Overrides = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """Compare the loop with simpler ways to rows, at equal budget, on real rows that none of them saw."""
    from zhiling.workflow.adversarial import text
    from zhiling.workflow.adversarial.compare import compare
    from zhiling.workflow.adversarial.draw import Wanted
    from zhiling.workflow.adversarial.page import write_pages
    from zhiling.workflow.adversarial.trials import Options

    words = text.words_of(language)
    named = [name.strip() for name in (arms or "").split(",") if name.strip()]
    options = Options(named, seeds, rows, Wanted(test, test_file, shots, truth))
    with Teller(as_json=False) as teller:
        found = compare(load_recipe(recipe, profile, overrides), options, teller)
    write_pages(found)
    if as_json:
        print_json(found.as_dict())
        return
    print_table(text.header(words), text.lines(found, words), title=text.title(found, words))
    for note in text.notes(found, words):
        typer.echo(note)
    typer.echo(words("table.folder", folder=found.folder))
