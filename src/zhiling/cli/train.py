"""`zhiling train`: rows to a tuned model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

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

if TYPE_CHECKING:
    from zhiling.workflow.recipe import Recipe


def train_command(
    recipe: RecipePath = Path("recipe.yaml"),
    overrides: Overrides = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """Bring the recipe's rows up to date and train its model.

    Started in several processes by torchrun or accelerate launch, they share each batch.
    """
    from zhiling.training.running.led import leading

    with leading() as first:
        if first:
            _train(load_recipe(recipe, profile, overrides), as_json)


def _train(loaded: Recipe, as_json: bool) -> None:
    import orjson

    from zhiling.errors import UsageError
    from zhiling.workflow.run import run_recipe

    if loaded.train is None:
        raise UsageError(
            "the recipe has no `train` section", hint="train: {task: classification, features: ngrams}"
        )
    with Teller(as_json=False) as teller:
        result = run_recipe(loaded, listen=teller, until="train")
    trained = result.folder.manifest.results["train"]
    model = orjson.loads((result.path / "model" / "config.json").read_bytes())
    epochs = model["history"]
    if as_json:
        print_json({"run": result.id, "model": str(result.path / "model"), **trained, "epochs": epochs})
    else:
        told = [(each["epoch"], each["loss"], each["dev_score"]) for each in epochs]
        if told:  # nothing is learnt in epochs where prompts answer
            title = f"seed {trained['seed']}, the best on dev"
            print_table(("epoch", "loss", "dev score"), told, title=title)
        typer.echo(
            f"model: {result.path / 'model'} (dev score {trained['dev_score']:.3f}, {trained['rows']} rows)"
        )
        _print_notes(trained, model)
        print_transfer(trained)


def _print_notes(trained: dict[str, Any], model: dict[str, Any]) -> None:
    """How much is trained, and what was decided or found on the way."""
    if weights := model.get("weights"):
        typer.echo(f"trained weights: {weights['tuned']:,} of {weights['all']:,}")
    pieces = max((epoch.get("pieces", 1) for epoch in model["history"]), default=1)
    if pieces > model["settings"]["accumulate"]:
        size = model["settings"]["batch_size"]
        typer.echo(f"memory ran out: batches of {size} were computed in {pieces} pieces, to the same result")
    if choice := model.get("choice"):
        _print_choice(choice)
    for what, count in trained["unseen"].items():
        typer.echo(f"noted: {what}: {count}")


def _print_choice(choice: dict[str, Any]) -> None:
    """What few labels were learnt by, and what was tried."""
    if choice["scores"]:
        title = f"{choice['held_out']} held-out answers each"
        print_table(("plan", "held-out score"), list(choice["scores"].items()), title=title)
    rows = choice["unlabelled"]
    typer.echo(f"plan: {choice['plan']} ({choice['why']})")
    typer.echo(f"rows without a label: {rows['rows']}, {rows['used']} learnt from")


def print_transfer(trained: dict[str, Any]) -> None:
    """How far the rows to be tested on are from those learnt from, where it was measured."""
    from zhiling.training.transfer.distance import Transfer

    if trained.get("transfer"):
        typer.echo(str(Transfer(**trained["transfer"])))
