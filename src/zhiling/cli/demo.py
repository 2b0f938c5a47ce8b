"""`zhiling demo`: the whole road on a help desk of our own, told on one screen."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zhiling.cli.console import Teller, print_table
from zhiling.cli.evaluate import interval
from zhiling.cli.run import funnel

if TYPE_CHECKING:
    from zhiling.workflow.demo.play import Built, Played

_METRIC = "accuracy"
_COLUMNS = 5  # of the comparison: arm, accuracy, two differences, rows


def demo_command(
    folder: Annotated[Path, typer.Argument(help="Where the demo's projects are built.")] = Path("demo"),
    seed: Annotated[int, typer.Option(help="Seed of the planted defects.")] = 7,
) -> None:
    """Build a bilingual help desk's data, tune on it, prove what the data did, answer three questions."""
    from zhiling.workflow.demo.play import play

    started = time.monotonic()
    with Teller(as_json=False) as teller:
        played = play(folder.resolve(), seed=seed, listen=teller)
    _show(played, time.monotonic() - started)


def _show(played: Played, seconds: float) -> None:
    print_table(("what became of the rows", "count"), funnel(played.planted.run))
    lines = [(s.defect.replace("_", " "), s.planted, s.found, s.wrongly_removed) for s in played.found]
    print_table(("planted defect", "planted", "found", "wrongly removed"), lines)
    rows = [_arms("with planted defects", played.planted), _arms("without", played.clean)]
    n = played.planted.scores["n"]
    seeds = len(played.planted.scores["seeds"])
    header = (f"accuracy, {n} questions, {seeds} seeds", "before", "control", "after", "after − control")
    print_table(header, rows)
    _few_labels(played)
    for answer in played.answers:
        typer.echo(f"? {answer.question}")
        typer.echo(f"  {answer.label} ({answer.score:.2f}) · {answer.place} ({answer.similarity:.2f})")
        typer.echo(f"  {_cut(answer.reply)}")
    report = _near(played.planted.run.path / "report" / "index.html")
    typer.echo(f"report: {report} (中文: index.zh.html) · {seconds:.0f} s")
    place = _near(played.planted.run.project.root)
    typer.echo(f"next: cd {place} && zhiling rows --rejected -n 5 && zhiling why n:100")


def _few_labels(played: Played) -> None:
    """What the loop does beside a filter once; diversity and cost stand in the comparison's own page."""
    from zhiling.workflow.adversarial import text

    found, words = played.few_labels, text.words_of("en")
    first = (
        f"{found.known[0]} labels, {found.lines[0]} lines, {found.tested[0]} asked, {len(found.seeds)} seeds"
    )
    header = (first, *text.header(words)[1:_COLUMNS])
    print_table(header, [line[:_COLUMNS] for line in text.lines(found, words)])


def _near(path: Path) -> Path:
    """The path as seen from here, where it lies below."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _arms(name: str, built: Built) -> tuple[str, ...]:
    arms = {arm: interval(values[_METRIC]) for arm, values in built.scores["arms"].items()}
    difference: dict[str, Any] = built.scores["differences"]["after-control"][_METRIC]
    told = f"{interval(difference, sign=True)} {difference['verdict']}"
    return (name, arms["before"], arms["control"], arms["after"], told)


def _cut(text: str, length: int = 110) -> str:
    return text if len(text) <= length else text[:length] + "…"
