"""`zhiling evaluate`: before · control · after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
        for arm, notes in result.folder.manifest.results["evaluation"].get("notes", {}).items():
            typer.echo(f"{arm}: {told_notes(notes)}")
        print_transfer(result.folder.manifest.results.get("train", {}))


def told_notes(notes: Mapping[str, int]) -> str:
    """What had to be done to answer: `3 inputs cut at the end, …; 1 replies that could not be read, …`."""
    return "; ".join(f"{count} {what}" for what, count in notes.items())


def print_scores(scores: dict[str, Any]) -> None:
    """Arms and differences as two tables, and the report of tags where scores are of tags."""
    from zhiling.evaluation.tag_report import reports_tags, tag_report

    metrics = list(dict.fromkeys(metric for values in scores["arms"].values() for metric in values))
    print_arms(scores, metrics)
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


def print_arms(scores: dict[str, Any], metrics: Sequence[str], seeds: bool = True) -> None:
    """Arms and differences as two tables; `–` where an arm tells no probabilities and a metric needs them."""
    groups = f" in {_count(scores['groups'], 'group')}" if scores.get("groups") else ""
    told = f", {_count(len(scores['seeds']), 'seed')}" if seeds else ""
    drawn = " (groups resampled)" if groups else ""
    print_table(
        ("arm", *metrics),
        [(arm, *(_scored(values, metric) for metric in metrics)) for arm, values in scores["arms"].items()],
        title=f"{scores['n']} rows{groups}{told}, 95 % intervals{drawn}",
    )
    rows = [
        (name, *(_scored(values, metric, sign=True) for metric in metrics), _mcnemar(scores, name))
        for name, values in scores["differences"].items()
    ]
    print_table(("difference", *metrics, "only one is right (McNemar)"), rows)


def _scored(values: dict[str, Any], metric: str, *, sign: bool = False) -> str:
    """A score with its interval, and the verdict of a difference."""
    if metric not in values:
        return "–"
    verdict = values[metric].get("verdict")
    return interval(values[metric], sign=sign) + (f" {verdict}" if verdict else "")


def _mcnemar(scores: dict[str, Any], pair: str) -> str:
    """`12 : 5, p .143`: rows that only the one arm, and only the other, has right."""
    found = scores.get("mcnemar", {}).get(pair)
    return f"{found['arm_only']} : {found['other_only']}, p {found['p']:.3g}" if found else "–"


def interval(value: dict[str, Any], *, sign: bool = False) -> str:
    """`.912 [.890, .930]`."""
    form = "+.3f" if sign else ".3f"
    return f"{value['mean']:{form}} [{value['low']:{form}}, {value['high']:{form}}]"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"
