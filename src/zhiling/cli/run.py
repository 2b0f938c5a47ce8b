"""`zhiling run`: the whole recipe, or what is left of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zhiling.cli.console import (
    AsJson,
    Overrides,
    Profile,
    RecipePath,
    Teller,
    load_recipe,
    print_json,
    print_mixture,
    print_table,
)

if TYPE_CHECKING:
    from zhiling.workflow.recipe import Recipe
    from zhiling.workflow.run import Run


def run_command(
    recipe: RecipePath = Path("recipe.yaml"),
    overrides: Overrides = None,
    profile: Profile = None,
    new: Annotated[bool, typer.Option("--new", help="Start a new run even if nothing changed.")] = False,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Do again what failed in the newest run, and only that.")
    ] = False,
    until: Annotated[
        str, typer.Option(help="Last stage: rows, export, train, evaluate or report.")
    ] = "report",
    engine: Annotated[
        str, typer.Option(help="Where the steps are computed: local or ray. The results are the same.")
    ] = "local",
    address: Annotated[
        str | None, typer.Option(help="With --engine ray: a cluster that is there (HOST:PORT, or auto).")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Run a recipe; go on with a run that was left; carry over what did not change."""
    from zhiling.errors import UsageError
    from zhiling.pipeline.engines.engine import check_engine, open_engine
    from zhiling.training.running.led import leading
    from zhiling.workflow.run import STAGES

    if until not in STAGES:
        raise UsageError(f"--until {until!r}", hint=f"one of {', '.join(STAGES)}")
    check_engine(engine, address)
    with leading() as first:
        if first:
            loaded = load_recipe(recipe, profile, overrides)
            _run(
                loaded,
                as_json,
                new=new,
                retry_failed=retry_failed,
                until=until,
                engine=open_engine(engine, address),
            )


def _run(loaded: Recipe, as_json: bool, **how: Any) -> None:
    """Runs the recipe and tells of it."""
    from zhiling.errors import ZhilingError
    from zhiling.workflow.run import open_run, run_recipe

    try:
        with Teller(as_json=as_json) as teller:
            result = run_recipe(loaded, listen=teller, **how)
    except ZhilingError as error:
        if as_json and any((loaded.root / "runs").glob("*/manifest.json")):
            print_json(open_run(loaded.root).summary(error.exit_code))
        raise
    if as_json:
        print_json(result.summary() | _drawn(result))
    else:
        _tell(result)


def _drawn(run: Run) -> dict[str, Any]:
    """Mixtures as trees, what steps could not give, what guards said; empty where there is none of these."""
    from zhiling.workflow.inspect.loops import loops
    from zhiling.workflow.inspect.mixtures import mixtures
    from zhiling.workflow.inspect.shortfalls import shortfalls

    short = {step: {"rows": rows, "asked": asked} for step, (rows, asked) in shortfalls(run.path).items()}
    trees = {step: tree.as_dict() for step, tree in mixtures(run.path).items()}
    drawn = {"mixtures": trees, "short": short, "guards": loops(run.path)}
    return {name: found for name, found in drawn.items() if found}


def _tell(run: Run) -> None:
    """The run in words: counts, mixtures, shortfalls, guards, contaminations, gates, where it lies."""
    from zhiling.workflow.contamination import contaminations, lines_of
    from zhiling.workflow.inspect.loops import loops
    from zhiling.workflow.inspect.mixtures import mixtures
    from zhiling.workflow.inspect.shortfalls import shortfalls

    print_table(("rows", "count"), funnel(run), title=f"run {run.id}")
    for step, tree in mixtures(run.path).items():
        print_mixture(step, tree)
    for step, (rows, asked) in shortfalls(run.path).items():
        typer.echo(f"{step}: {rows:,} rows of the {asked:,} that were asked for; there were no more")
    for step, lines in loops(run.path).items():
        for line in lines:
            typer.echo(f"{step}: {line}")
    if spent := run.folder.manifest.results.get("spent"):
        typer.echo(_spent(spent, run.folder.manifest.results.get("estimate")))
    for told in contaminations(run.folder.manifest):
        for line in lines_of(told):
            typer.echo(line)
    for gate in run.folder.manifest.gates:
        typer.echo(f"gate {gate['check']}: {'ok' if gate['ok'] else 'FAILED'} ({gate['value']:g})")
    typer.echo(f"folder: {run.path}")
    report = run.path / "report" / "index.html"
    if report.exists():
        typer.echo(f"report: {report}")


def _spent(spent: dict[str, Any], estimate: dict[str, Any] | None) -> str:
    """What model calls came to, beside what had been expected."""
    told = f"model calls: {spent['calls']:,}, {spent['tokens']:,} tokens, {spent['usd']:.4f} USD"
    if estimate is None:
        return told
    low, likely, high = estimate["usd"]
    return f"{told} (expected about {likely:.4f}, from {low:.4f} to {high:.4f})"


def funnel(run: Run) -> list[tuple[str, int]]:
    """A run's counts as lines: what came in, what left at which step and why, what stayed."""
    counts = run.counts
    lines: list[tuple[str, int]] = [("in", counts["in"]), ("made", counts["made"])]
    for stage in run.folder.manifest.stages:
        for verdict in ("reject", "failed", "replaced"):
            for reason, number in stage.counts.get(verdict, {}).items():
                lines.append((f"{stage.id}: {(reason or verdict).replace('_', ' ')}", -number))
    lines += [("kept", counts["kept"]), ("  of it material", counts["material"])]
    lines.append(("unreadable items beside these", counts["bad"]))
    return [line for line in lines if line[1] or line[0] in ("in", "kept")]
