"""zhiling (指令): build instruction data, tune language models on it, and prove what the data did.

import zhiling

run = zhiling.Recipe.load("recipe.yaml").run()
run.counts                      # in, made, kept, rejected per reason, …
run.rows("train")               # a Polars frame
zhiling.open_run("runs/faq-0001").rows()
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zhiling.errors import ZhilingError
    from zhiling.pipeline.per_row import per_row
    from zhiling.pipeline.step import Context, Decide, Failure, Made, Make, Measure, verdicts
    from zhiling.workflow.recipe import Recipe
    from zhiling.workflow.run import Run, open_run

__all__ = [
    "Context",
    "Decide",
    "Failure",
    "Made",
    "Make",
    "Measure",
    "Recipe",
    "Run",
    "ZhilingError",
    "open_run",
    "per_row",
    "verdicts",
]

__version__ = "0.1.0"

_HOMES = {
    "ZhilingError": "zhiling.errors",
    "per_row": "zhiling.pipeline.per_row",
    "Recipe": "zhiling.workflow.recipe",
    "Run": "zhiling.workflow.run",
    "open_run": "zhiling.workflow.run",
} | dict.fromkeys(
    ("Context", "Decide", "Failure", "Made", "Make", "Measure", "verdicts"), "zhiling.pipeline.step"
)


def __getattr__(name: str) -> Any:
    """The public names, imported when they are used: `import zhiling` stays quick."""
    if name not in _HOMES:
        raise AttributeError(f"module 'zhiling' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
