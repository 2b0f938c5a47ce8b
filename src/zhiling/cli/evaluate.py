"""`zhiling evaluate`: before · control · after."""

from __future__ import annotations

from pathlib import Path
from typing import Any

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
from zhiling.cli.train import print_transfer


def evaluate_command(
    recipe: RecipePath = Path("recipe.yaml"),
    overrides: Overrides = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """Bring everything up to date and compare the arms on rows that no step has seen."""
    import orjson

    from zhiling.errors import UsageError
    from zhiling.workflow.run import run_recipe

    loaded = load_recipe(recipe, profile, overrides)
    if loaded.evaluate is None:
        raise UsageError(
            "the recipe has no `evaluate` section",
            hint="evaluate: {arms: [before, control, after], seeds: 3}",
        )
    with Teller(as_json=False) as teller:
        result = run_recipe(loaded, listen=teller, until="evaluate")
    scores = orjson.loads((result.path / "evaluation" / "scores.json").read_bytes())
    if as_json:
        print_json(scores)
    else:
        print_scores(scores)
        print_transfer(result.folder.manifest.results.get("train", {}))


def print_scores(scores: dict[str, Any]) -> None:
    """Arms and differences as two tables, and the report of tags where scores are of tags."""
    from zhiling.evaluation.tag_report import reports_tags, tag_report

    metrics = list(next(iter(scores["arms"].values())))
    arms = [
        (arm, *(interval(values[metric]) for metric in metrics)) for arm, values in scores["arms"].items()
    ]
    print_table(
        ("arm", *metrics), arms, title=f"{scores['n']} rows, {len(scores['seeds'])} seeds, 95 % intervals"
    )
    rows = [
        (name, *(f"{interval(values[metric], sign=True)} {values[metric]['verdict']}" for metric in metrics))
        for name, values in scores["differences"].items()
    ]
    print_table(("difference", *metrics), rows)
    if reports_tags(metrics):
        arm = list(scores["arms"])[-1]
        print_table(
            (f"tag, {arm}", "precision", "recall", "F1", "words"),
            tag_report(scores, arm),
            title="\nToken report",
        )
    changed = scores.get("changed")
    if changed:
        typer.echo(
            "rows control → after: " + ", ".join(f"{name} {number}" for name, number in changed.items())
        )


def interval(value: dict[str, Any], *, sign: bool = False) -> str:
    """`.912 [.890, .930]`."""
    form = "+.3f" if sign else ".3f"
    return f"{value['mean']:{form}} [{value['low']:{form}}, {value['high']:{form}}]"
