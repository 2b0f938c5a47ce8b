"""`zhiling init FOLDER`: a project that runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zhiling.cli.console import AsJson, print_json

if TYPE_CHECKING:
    from zhiling.workflow.sniff import Recognised

SHOWN_CHARACTERS = 300


def init_command(
    folder: Annotated[Path, typer.Argument(help="The new project's folder.")] = Path(),
    source: Annotated[
        Path | None, typer.Option("--from", help="A file, or a folder of files, to make the recipe for.")
    ] = None,
    rows: Annotated[int, typer.Option("-n", min=1, help="How many rows of it are shown.")] = 5,
    force: Annotated[bool, typer.Option(help="Write into a folder that has a recipe.")] = False,
    as_json: AsJson = False,
) -> None:
    """Make a small project with its own data, or one around a file of yours; both work offline."""
    from zhiling.workflow.start import start_from, start_project

    if source is None:
        written, shown = start_project(folder, force=force), None
    else:
        written, found = start_from(folder, source, force=force)
        shown = _shown(found, rows)
    if as_json:
        print_json({"written": [str(path) for path in written], "from": shown})
        return
    if shown is not None:
        _show(shown)
    for path in written:
        typer.echo(f"wrote {path}")
    typer.echo(f"next: cd {folder} && zhiling check && zhiling run")


def _shown(found: Recognised, rows: int) -> dict[str, Any]:
    """What `--json` gives: the source, the first rows, what could not be read."""
    reading = found.reading
    columns = ["locator", "task", "language", "messages", "alternatives", "target", "tools", "extra"]
    return {
        "source": reading.source,
        "also_read_by": list(found.others),
        "language": found.language,
        "rows": reading.rows.select(columns).head(rows).to_dicts(),
        "read": reading.rows.height,
        "bad": [bad.__dict__ for bad in reading.bad[:rows]],
        "unreadable": len(reading.bad),
    }


def _show(shown: dict[str, Any]) -> None:
    language = f", language {shown['language']}" if shown["language"] else ""
    typer.secho(f"read as `{shown['source']}`{language}; the first rows:", bold=True)
    for row in shown["rows"]:
        typer.secho(" · ".join(filter(None, (row["locator"], row["task"], row["language"]))), bold=True)
        for message in row["messages"]:
            name = f" ({message['name']})" if message["name"] else ""
            media = "".join(f" [{item['kind']} {item['path']}]" for item in message["media"] or ())
            typer.echo(_line(f"{message['role']}{name}", f"{message['text'] or ''}{media}"))
        for other in row["alternatives"] or ():
            typer.echo(_line(other["kind"], other["messages"][-1]["text"] or ""))
        for name in ("target", "tools", "extra"):
            if row[name] is not None:
                typer.echo(_line(name, row[name]))
    if shown["unreadable"]:
        first = shown["bad"][0]
        typer.secho(
            f"{shown['unreadable']} of the first items cannot be read, such as {first['place']}:"
            f" {first['message']}", fg=typer.colors.YELLOW,
        )  # fmt: skip
    if shown["also_read_by"]:
        others = " or ".join(f"`use: {name}`" for name in shown["also_read_by"])
        typer.echo(f"{others} reads it as well; change the recipe if that is what you mean")


def _line(head: str, text: str) -> str:
    more = "…" * (len(text) > SHOWN_CHARACTERS)
    return f"  {head}: {text[:SHOWN_CHARACTERS]}{more}".replace("\n", "\n    ")
