"""Where a model's rows come from: their licences, the templates that wrote them, and the recipe."""

from __future__ import annotations

from typing import Any

import polars as pl

from zhiling.errors import UnknownName
from zhiling.pipeline.plan import steps_of
from zhiling.pipeline.table import RowTable
from zhiling.rows.templates.library import Library, read_files
from zhiling.synthesis.template import Template
from zhiling.workflow.recipe import Recipe

UNKNOWN = "unknown"


def origin_of(recipe: Recipe, table: RowTable, rows: pl.DataFrame) -> dict[str, object]:
    """What a saved model keeps of its rows (JSON values).

    Args:
        recipe: of the run.
        table: of the run.
        rows: what the model learns from, with their numbers in column `n`.
    """
    facts = table.read(["licence", "target"], rows["n"].unique().sort().to_numpy()).select(
        "n", "licence", wording=pl.col("target").str.json_path_match("$.template.wording")
    )
    facts = rows.select("n").join(facts, on="n", how="left", maintain_order="left")
    return {
        "licences": _counts(facts["licence"].fill_null(UNKNOWN)),
        "templates": _templates(recipe, _counts(facts["wording"].drop_nulls())),
        "recipe": recipe.document.dump(),
    }


def _counts(values: pl.Series) -> dict[str, int]:
    """Value → rows, the most frequent first."""
    counted = values.alias("value").value_counts().sort(["count", "value"], descending=[True, False])
    return dict(counted.iter_rows())


def _templates(recipe: Recipe, rows: dict[str, int]) -> dict[str, Any]:
    """Each wording with its rows and its text."""
    steps = [inner.step for line in recipe.steps for inner in steps_of(line)]
    own = [recipe.root / path for step in steps if isinstance(step, Template) for path in step.own_wordings]
    library = read_files(own)
    return {name: {"rows": count, **_text(library, name)} for name, count in rows.items()}


def _text(library: Library, name: str) -> dict[str, Any]:
    """A wording's settings; nothing of one that came with rows which were templated elsewhere."""
    try:
        return library.get(name).model_dump(mode="json", exclude_none=True, by_alias=True)
    except UnknownName:
        return {}
