"""`zhiling batch ANSWERS`: answers to a batch file become stored replies."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zhiling.cli.console import AsJson, Overrides, Profile, load_recipe, print_json


def batch_command(
    answers: Annotated[Path, typer.Argument(help="File of answers, as the server gives it (JSONL).")],
    recipe: Annotated[Path, typer.Option("--recipe", help="The recipe.")] = Path("recipe.yaml"),
    overrides: Overrides = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """Read answers to a batch file, so that `zhiling run` goes on; a role writes one with `batch: true`."""
    from zhiling.llm.batch_file import read_answers
    from zhiling.llm.store import ResponseStore
    from zhiling.pipeline.database import FILE_NAME

    loaded = load_recipe(recipe, profile, overrides)
    with ResponseStore(loaded.root / FILE_NAME) as store:
        found = read_answers(answers, store, loaded.models)
    if as_json:
        print_json(found.__dict__)
        return
    typer.echo(f"{found.stored:,} requests answered, {found.failed:,} failed, {found.unknown:,} not awaited")
    typer.echo("`zhiling run` goes on" + (" and asks again for what failed" if found.failed else ""))
