"""`zhiling ablate --sources`: what each source does to the model, and to answers that are asked about."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import typer

from zhiling.cli.console import Teller, print_json, print_table
from zhiling.cli.evaluate import interval

if TYPE_CHECKING:
    from zhiling.evaluation.scores import Difference
    from zhiling.workflow.ablate.sources import SourceAblation, SourceAblations
    from zhiling.workflow.ablate.steps import Ablation
    from zhiling.workflow.recipe import Recipe


def leave_out_sources(recipe: Recipe, options: Mapping[str, Any], *, as_json: bool) -> None:
    """Measures and prints; the options are those of `zhiling.workflow.ablate.sources.ablate_sources`."""
    from zhiling.workflow.ablate.sources import ablate_sources

    with Teller(as_json=False) as teller:
        found = ablate_sources(recipe, **options, tell=teller)
    if as_json:
        print_json(found.as_dict())
    else:
        _tell(found)


def _tell(found: SourceAblations) -> None:
    print_table(
        (
            "source",
            "verdict",
            "train rows",
            "with",
            "without",
            "random",
            "with - without",
            "random - without",
        ),
        [_line(each) for each in found.sources],
        title=f"{found.metric} on {found.tested} rows ({found.tested_on}), {len(found.seeds)} seeds, 95 %",
    )
    for each in found.sources:
        if each.note:
            typer.echo(f"{each.source}: {each.note}")
    answers = [
        (told.text, each.source, *(_counts(told.answers[arm]) for arm in ("with", "without", "random")))
        for each in found.sources
        for told in each.about
    ]
    if answers:
        print_table(("answer to", "source", "with", "without", "random"), answers, title="\nAnswers by seeds")


def _line(found: SourceAblation) -> tuple[str | int | float | None, ...]:
    pairs = (found.differences.get(f"{arm}-without") for arm in ("with", "random"))
    rows = f"{found.rows['source']} of {found.rows['all']}"
    return (found.source, found.verdict, rows, *scores_of(found), *map(difference, pairs))


def scores_of(found: Ablation | SourceAblation) -> Iterator[float | None]:
    """The scores with the unit, without it, and with a random removal."""
    return (found.scores[arm].mean if arm in found.scores else None for arm in ("with", "without", "random"))


def difference(found: Difference | None) -> str:
    """`+.012 [-.003, +.027]`; nothing where there is none."""
    return interval(vars(found), sign=True) if found else ""


def _counts(told: Mapping[str, int]) -> str:
    return ", ".join(f"{answer} × {count}" for answer, count in told.items())
