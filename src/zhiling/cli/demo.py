"""`zhiling demo`: the whole road on a help desk of our own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def demo_command(
    folder: Annotated[Path, typer.Argument(help="Where the demo's project is built.")] = Path("demo"),
    seed: Annotated[int, typer.Option(help="Seed of the planted defects.")] = 7,
) -> None:
    """Build a bilingual help desk's data, tune on it, prove what the data did, answer three questions."""
    from zhiling.workflow.demo.show import show

    show(folder, seed=seed)
