"""What verbs share: finding a run, printing results, telling progress.

Results go to stdout, progress to stderr. A terminal gets a live line with counts, rate and time left;
anything else a plain line every ten seconds. `NO_COLOR` is honoured (by Rich).
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from zhiling.curation.mixing import Branch
    from zhiling.workflow.recipe import Recipe
    from zhiling.workflow.run import Run

RecipePath = Annotated[Path, typer.Argument(help="The recipe.", show_default=True)]
RunName = Annotated[str | None, typer.Argument(help="A run's id or folder; the newest one by default.")]
AsJson = Annotated[bool, typer.Option("--json", help="Machine-readable output on stdout.")]
Overrides = Annotated[
    list[str] | None, typer.Option("--set", metavar="STEP.FIELD=VALUE", help="Set one value of the recipe.")
]
Profile = Annotated[str | None, typer.Option("--profile", help="A profile of the recipe to lay over it.")]

PLAIN_EVERY_S = 10.0


def load_recipe(path: Path, profile: str | None = None, overrides: Sequence[str] | None = None) -> Recipe:
    """The recipe at `path` (a folder means its `recipe.yaml`)."""
    from zhiling.workflow.recipe import Recipe

    return Recipe.load(
        path / "recipe.yaml" if path.is_dir() else path, profile=profile, overrides=overrides or ()
    )


def find_run(name: str | None) -> Run:
    """A run by folder or id; the newest one of the project in the current folder by default."""
    from zhiling.workflow.run import open_run

    if name is None:
        return open_run(Path.cwd())
    folder = Path(name)
    if not folder.exists() and (Path("runs") / name).exists():
        folder = Path("runs") / name
    return open_run(folder)


def print_json(value: Any) -> None:
    """One JSON document on one line."""
    import orjson

    sys.stdout.write(orjson.dumps(value, default=str).decode() + "\n")
    sys.stdout.flush()


def print_table(header: Sequence[str], rows: Iterable[Sequence[Any]], *, title: str | None = None) -> None:
    """A table on stdout; numbers stand right."""
    from rich.console import Console
    from rich.table import Table

    lines = [[_cell(value) for value in row] for row in rows]
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for index, name in enumerate(header):
        numeric = bool(lines) and all(_numeric(line[index]) for line in lines)
        table.add_column(name, justify="right" if numeric else "left", overflow="fold")
    for line in lines:
        table.add_row(*line)
    width = None if sys.stdout.isatty() else 140
    Console(width=width, highlight=False, markup=False).print(table)


def print_mixture(step: str, tree: Branch) -> None:
    """A mixture on stdout, as a tree with its counts in columns; a Chinese character takes two cells."""
    from rich.cells import cell_len
    from rich.console import Console
    from rich.tree import Tree

    def width(branch: Branch, depth: int) -> int:
        return max([4 * depth + cell_len(branch.title), *(width(part, depth + 1) for part in branch.parts)])

    def label(branch: Branch, depth: int, name: str) -> str:
        gap = " " * (column - 4 * depth - cell_len(name))
        amounts = f"{branch.share:>6.1%}  {branch.drawn:>{digits},} of {branch.rows:>{digits},} rows"
        return f"{name}{gap}  {amounts}  {branch.epochs:.2f} epochs"

    def grow(node: Tree, branch: Branch, depth: int) -> None:
        for part in branch.parts:
            grow(node.add(label(part, depth, part.title)), part, depth + 1)

    head = f"{tree.title} {step}"
    column = max(width(tree, 0), cell_len(head))
    digits = len(f"{max(tree.rows, tree.drawn):,}")
    drawn = Tree(label(tree, 0, head))
    grow(drawn, tree, 1)
    console_width = None if sys.stdout.isatty() else 140
    Console(width=console_width, highlight=False, markup=False).print(drawn)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def _numeric(text: str) -> bool:
    return text.replace(".", "", 1).replace("-", "", 1).replace(",", "").rstrip("%").isdigit() or not text


class Teller:
    """Progress on stderr, events on stdout where JSON was asked for."""

    def __init__(self, *, as_json: bool, quiet: bool = False) -> None:
        self._json, self._quiet = as_json, quiet
        self._live = sys.stderr.isatty() and not quiet
        self._spinner: Any = None
        self._last = time.monotonic()
        self._started = time.monotonic()
        self._step, self._total, self._kept_line, self._expected = "", None, "", ""

    def __enter__(self) -> Teller:
        if self._live:
            from rich.console import Console
            from rich.status import Status

            self._spinner = Status("starting", console=Console(stderr=True, highlight=False))
            self._spinner.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._spinner:
            self._spinner.stop()

    def __call__(self, event: dict[str, Any]) -> None:
        """One event of a run."""
        if self._json:
            print_json(event)
        if self._quiet:
            return
        kind = event.get("event")
        if kind == "start":
            self._step, self._total = event["step"], event.get("total")
            self._started = time.monotonic()
            self._progress(f"{self._step} …", force=False)
        elif kind == "part":
            self._progress(self._rate(event.get("seen") or 0), force=False)
        elif kind == "calls":
            told = f"{self._step}: {event['calls']:,} calls · {event['usd']:.4f} USD"
            self._progress(f"{told}{self._expected}", force=False)
        elif kind == "expected":
            low, _, high = event["usd"]
            self._expected = f" of {low:.2f} to {high:.2f} expected in all"
        elif kind in ("done", "reused"):
            self._line(_done(event))
        elif kind in ("stage", "epoch", "arm"):
            told = [f"{key} {_cell(value)}" for key, value in event.items() if key != "event"]
            self._progress(" · ".join(told), force=False)

    def _rate(self, seen: int) -> str:
        seconds = max(1e-6, time.monotonic() - self._started)
        rate = seen / seconds
        left = f" · {max(0.0, (self._total - seen) / rate):.0f} s left" if self._total and rate else ""
        of = f" of {self._total:,}" if self._total else ""
        return f"{self._step}: {seen:,}{of} rows · {rate:,.0f} rows/s{left}"

    def _progress(self, text: str, *, force: bool) -> None:
        if self._spinner:
            self._spinner.update(text)
        elif force or time.monotonic() - self._last >= PLAIN_EVERY_S:
            self._last = time.monotonic()
            typer.echo(text, err=True)

    def _line(self, text: str) -> None:
        if self._spinner:
            self._spinner.console.print(text, markup=False)
        else:
            self._progress(text, force=True)


_QUIET = {"measured": "measured", "keep": "kept", "passed": "unchanged"}


def _done(event: dict[str, Any]) -> str:
    counts = event.get("counts", {})
    told: list[str] = []
    for name, values in counts.items():
        if name in ("columns", "measured", "passed", "keep"):
            continue
        inner = ", ".join(f"{key or name} {number:,}" for key, number in values.items() if number)
        if inner:
            told.append(
                inner if name in ("rows", "repeat") else f"{name}: {inner}" if list(values) != [""] else inner
            )
    quiet = [f"{sum(counts[name].values()):,} {word}" for name, word in _QUIET.items() if name in counts]
    reused = event.get("reused") or (event["event"] == "reused" and "all")
    seconds = f" · {event['seconds']:.1f} s" if event.get("seconds") else ""
    taken_over = f" · {reused} reused" if reused else ""
    return f"  {event['step']:<14} {'; '.join(told or quiet) or 'no rows'}{taken_over}{seconds}"
