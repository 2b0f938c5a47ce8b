"""`zhiling calibrate STEP`: a threshold from labelled rows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zhiling.cli.console import AsJson, Overrides, Profile, load_recipe, print_json, print_table

if TYPE_CHECKING:
    from zhiling.curation.length_matched import LengthMatched
    from zhiling.workflow.calibrate.bounds import Share
    from zhiling.workflow.calibrate.calibrate import Calibration
    from zhiling.workflow.calibrate.curve import Point

CURVE_POINTS = 20


def calibrate_command(
    step: Annotated[str, typer.Argument(help="A step with a threshold, or the measure that one reads.")],
    truth: Annotated[
        Path, typer.Option(help="JSONL or CSV of labelled rows: texts, or `id`s of rows of the project.")
    ],
    precision: Annotated[
        float, typer.Option(help="Least share of bad rows among those that the step acts on.")
    ] = 0.95,
    recipe: Annotated[Path, typer.Option(help="The recipe.")] = Path("recipe.yaml"),
    bad: Annotated[str, typer.Option(help="Field of the truth file that says whether a row is bad.")] = "bad",
    setting: Annotated[str | None, typer.Option(help="Which setting, where the step has several.")] = None,
    confidence: Annotated[float, typer.Option(help="Of the bound on unseen rows.")] = 0.95,
    write: Annotated[bool, typer.Option(help="Write the value into the recipe.")] = True,
    curve: Annotated[bool, typer.Option("--curve", help="Show what other values would do.")] = False,
    overrides: Overrides = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """Set a step's threshold from labelled rows, with a bound that holds on unseen ones."""
    from zhiling.workflow.calibrate.calibrate import Promise, calibrate, write_setting
    from zhiling.workflow.calibrate.curve import measure
    from zhiling.workflow.calibrate.truth import read_truth

    loaded = load_recipe(recipe, profile, overrides)
    promise = Promise(precision, confidence)
    measured = measure(loaded, step, read_truth(truth, bad), setting)
    points = measured.curve(CURVE_POINTS, confidence) if curve else []
    if points and not as_json:
        _draw(measured.bound.setting, points)
    ranking = measured.ranking
    if ranking and not as_json:
        _tell_ranking(ranking)
    found = calibrate(measured, promise)
    if write:
        write_setting(loaded.document.file, found.step, found.setting, found.point.value)
    if as_json:
        told: dict[str, Any] = {"curve": [asdict(point) for point in points]} if curve else {}
        told["ranking"] = ranking and _plain(ranking)
        print_json({**found.as_dict(), **told, "written": write})
    else:
        _tell(found, loaded.document.file.name if write else None)


def _tell(found: Calibration, file: str | None) -> None:
    typer.echo(f"{found.step}.{found.setting}: {_number(found.before)} → {_number(found.point.value)}"
               + (f", written to {file}" if file else ", not written"))  # fmt: skip
    shares = {
        "precision: bad among the rows acted upon": (
            found.point.precision,
            f"≥ {found.point.precision.low:.3f}",
        ),
        "recall: bad rows acted upon": (found.point.recall, f"≥ {found.point.recall.low:.3f}"),
        "false rejects: good rows acted upon": (
            found.point.false_rejects,
            f"≤ {found.point.false_rejects.high:.3f}",
        ),
    }
    print_table(
        ("on rows that chose nothing", "counted", "share", f"with confidence {found.confidence:g}"),
        [(name, _counted(share), share.value, limit) for name, (share, limit) in shares.items()],
    )
    typer.echo(
        f"chosen on {found.chosen_on} labelled rows, judged on {found.judged_on} others; "
        f"{found.passed_by} were not for this step, {found.unreadable} not read"
    )


def _tell_ranking(ranking: LengthMatched) -> None:
    """Whether the score does more than count words."""
    typer.echo(
        f"a bad row before a good one: {_share(ranking.share)} of {ranking.pairs:,} pairs,"
        f" {_share(ranking.matched)} of {ranking.matched_pairs:,} of like length (within 10 %);"
        f" rank correlation with length {_share(ranking.correlation)}"
    )


def _share(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.3f}"


def _plain(ranking: LengthMatched) -> dict[str, float | None]:
    """Its figures; null where there is none, as JSON knows no NaN."""
    return {name: None if math.isnan(value) else value for name, value in asdict(ranking).items()}


def _draw(setting: str, points: Sequence[Point]) -> None:
    """The curve as a table."""
    print_table(
        (setting, "acted on", "precision", "recall", "false rejects"),
        [
            (f"{p.value:.6g}", p.precision.n, p.precision.value, p.recall.value, p.false_rejects.value)
            for p in points
        ],
        title="on the judged half, the strictest value first",
    )


def _counted(share: Share) -> str:
    return f"{share.count} of {share.n}"


def _number(value: float | None) -> str:
    return "unset" if value is None else f"{value:.12g}"
