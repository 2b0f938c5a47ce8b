"""`zhiling export RUN`: write a run's rows in a format."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zhiling.cli.console import AsJson, RunName, find_run, print_json

if TYPE_CHECKING:
    from zhiling.rows.formats.format import Format


def export_command(
    run: RunName = None,
    format: Annotated[
        str, typer.Option("--format", help="messages, alpaca, sharegpt, … (see docs/reference/recipe.md).")
    ] = "messages",
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="A setting of the format.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="File name; split parts go before its ending.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write the rows of a finished run, one file per split part, with a data card beside them."""
    from zhiling.errors import GateFailed
    from zhiling.rows.formats.losses import meaning
    from zhiling.workflow.export import write_export, write_index

    chosen = _format(format, settings or ())
    found = find_run(run)
    failed = [gate["check"] for gate in found.folder.manifest.gates if not gate["ok"]]
    if failed:
        raise GateFailed(
            f"run {found.id} did not pass its gates: {', '.join(failed)}", hint="`zhiling gates` tells why"
        )
    path = output or Path(f"export{chosen.suffix}")
    exported = write_export(found, found.table(), chosen, path.resolve())
    write_index([exported])
    result = exported.result
    if as_json:
        print_json(result)
        return
    for file in result["files"]:
        typer.echo(f"{path.parent / file['path']}: {file['rows']:,} rows")
    typer.echo(f"{path.parent / result['card']}: what the files hold, and from where")
    for loss, number in result["losses"].items():
        typer.secho(
            f"warning: {number:,} rows lose {loss}: {meaning(loss)}", fg=typer.colors.YELLOW, err=True
        )


def _format(name: str, settings: Sequence[str]) -> Format:
    """The format with its settings, as a recipe would give them."""
    from pydantic import ValidationError
    from ruamel.yaml import YAML

    from zhiling.errors import UsageError
    from zhiling.pipeline import registry

    yaml: Any = YAML(typ="safe", pure=True)
    model: type[Format] = registry.load("format", name)
    values: dict[str, Any] = {}
    for setting in settings:
        key, separator, value = setting.partition("=")
        if not separator:
            raise UsageError(f"--set takes NAME=VALUE, got {setting!r}", hint="for example --set form=kto")
        values[key] = yaml.load(value)
    try:
        return model.model_validate(values)
    except ValidationError as error:
        told = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
        hint = f"settings: {', '.join(model.model_fields) or 'none'}"
        raise UsageError(f"format {name!r}: {told}", hint=hint) from error
