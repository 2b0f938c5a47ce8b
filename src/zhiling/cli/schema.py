"""`zhiling schema`: the recipe's JSON Schema, for editors."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zhiling.cli.console import print_json


def schema_command(
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Write it to a file.")] = None,
) -> None:
    """Print the JSON Schema of recipes, with every installed source, step, gate and format."""
    import orjson

    from zhiling.pipeline.store import write_bytes
    from zhiling.workflow.schema import recipe_schema

    schema = recipe_schema()
    if output is None:
        print_json(schema)
    else:
        write_bytes(output, orjson.dumps(schema, option=orjson.OPT_INDENT_2))
        typer.echo(f"wrote {output}; first line of a recipe: # yaml-language-server: $schema={output.name}")
