"""The recipe: one YAML file that says what is read, judged, trained and proved.

Every problem of a recipe is found and told at once, each with its place. Unknown keys are errors.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zhiling.llm.role import Role
from zhiling.pipeline.gates import Gate
from zhiling.pipeline.plan import RepeatLine, StepLine, steps_of
from zhiling.pipeline.step import Source
from zhiling.rows.formats.format import Format
from zhiling.rows.splits import SplitSettings
from zhiling.training.settings import TrainSettings
from zhiling.workflow.document import Document, load_document
from zhiling.workflow.settings import Budget, DiversitySettings, EvaluateSettings

if TYPE_CHECKING:
    from zhiling.workflow.run import Run


@dataclass(frozen=True)
class SourceEntry:
    """A source line: id and settings; its files are matched when a run starts."""

    id: str
    source: Source


@dataclass(frozen=True)
class ExportEntry:
    """An export line: the format's settings, the file under the run's `export/`, and where it is sent."""

    format: Format
    path: str
    to: str | None = None


@dataclass(frozen=True)
class Recipe:
    """A validated recipe.

    Attributes:
        document: the file as it was read.
        root: its folder; relative paths start there.
    """

    document: Document
    root: Path
    name: str
    seed: int = 0
    limit: int | None = None
    max_failed: float = 0.01
    encoder: Mapping[str, Any] | None = None
    models: Mapping[str, Role] = field(default_factory=dict[str, Role])
    sources: tuple[SourceEntry, ...] = ()
    steps: tuple[StepLine | RepeatLine, ...] = ()
    gates: tuple[Gate, ...] = ()
    split: SplitSettings = field(default_factory=lambda: SplitSettings.model_validate({}))
    exports: tuple[ExportEntry, ...] = ()
    train: TrainSettings | None = None
    evaluate: EvaluateSettings | None = None
    diversity: DiversitySettings = field(default_factory=DiversitySettings)
    budget: Budget = field(default_factory=Budget)

    @classmethod
    def load(
        cls, path: str | Path = "recipe.yaml", *, profile: str | None = None, overrides: Iterable[str] = ()
    ) -> Recipe:
        """Reads and validates a recipe.

        Args:
            path: the YAML file.
            profile: a profile of the recipe to lay over it.
            overrides: `step.field=value` settings, the last word.

        Raises:
            RecipeError: all problems at once.
            MissingInput: no such file.
        """
        file = Path(path).resolve()
        from zhiling.workflow.reader import Reader

        return Reader(load_document(file, profile, overrides)).recipe()

    def step_ids(self) -> list[str]:
        """Ids of all steps, inner ones of `repeat` too, in order."""
        ids: list[str] = []
        for line in self.steps:
            ids += (
                [line.id, *(inner.id for inner in line.steps)] if isinstance(line, RepeatLine) else [line.id]
            )
        return ids

    def roles(self) -> dict[str, Role]:
        """The models that some step asks, by role."""
        asked = {role for line in self.steps for inner in steps_of(line) for role in inner.step.roles()}
        return {name: role for name, role in self.models.items() if name in asked}

    def run(self, **options: Any) -> Run:
        """Runs the recipe; see `zhiling.workflow.run.run_recipe`."""
        from zhiling.workflow.run import run_recipe

        return run_recipe(self, **options)
