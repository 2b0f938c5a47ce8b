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


def print_scores(scores: dict[str, Any]) -> None:
    """Arms and differences as two tables."""
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
    for arm in _reported(metrics, scores):
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


def _reported(metrics: list[str], scores: dict[str, Any]) -> list[str]:
    """The arm whose tags are reported: the last one, where the scores per label are of tags."""
    counted = [name for name in metrics if name.endswith("_f1") and name != "answer_f1"]
    return list(scores["arms"])[-1:] if counted and counted[0].startswith("tag_") else []


def tag_report(scores: dict[str, Any], arm: str) -> list[tuple[str | float, ...]]:
    """Precision, recall, F1 and number of words of each tag that is true somewhere, then their averages.

    Micro: of all words, where the three are the share of right words. Macro: each tag counts the same.
    Weighted: as often as it is true. Means over the seeds, in the layout of a classification report.
    """
    tags: dict[str, tuple[float, ...]] = {
        name: (each["n"], *(each["arms"][arm][key] for key in ("precision", "recall", "f1")))
        for name, each in scores["per_label"].items()
    }
    words = sum(size for size, *_ in tags.values())
    # every word has one tag, so the right words are the recalled ones
    right = sum(size * recall for size, _, recall, _ in tags.values()) / words
    macro = [sum(values[column] for values in tags.values()) / len(tags) for column in (1, 2, 3)]
    weighted = [sum(each[0] * each[column] for each in tags.values()) / words for column in (1, 2, 3)]
    return [
        *((name, *figures, size) for name, (size, *figures) in tags.items()),
        ("micro average", right, right, right, words),
        ("macro average", *macro, words),
        ("weighted average", *weighted, words),
    ]


def interval(value: dict[str, Any], *, sign: bool = False) -> str:
    """`.912 [.890, .930]`."""
    form = "+.3f" if sign else ".3f"
    return f"{value['mean']:{form}} [{value['low']:{form}}, {value['high']:{form}}]"
