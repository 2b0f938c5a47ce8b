"""Sections of a recipe that no lower room owns."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from zhiling.llm.limits import Limits
from zhiling.training.prompting.settings import PromptSettings

Arm = Literal["before", "control", "after"]


class Section(BaseModel):
    """A recipe section: frozen, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Budget(Limits):
    """The most that one run may take, in all its attempts together; at a limit it pauses (exit 4).

    The most that a model call can cost is set aside before it is sent, so no limit is passed. `minutes` count
    from each start of the run.
    """

    on_limit: Literal["pause"] = Field(default="pause", description="what happens at a limit")


class DiversitySettings(Section):
    """What the report's page on diversity compares the run's rows with."""

    reference: str | None = Field(
        default=None,
        description="real rows of the kind that is wanted (JSONL or CSV); without it the evaluation file",
    )
    size: int = Field(default=500, ge=2, le=5000, description="rows of each sample, at most")


class ExplainSettings(Section):
    """Why the tuned model answers as it does; part of `evaluate`."""

    rows: int = Field(
        8, ge=0, description="answers that are explained: the surest wrong ones first, then the least sure"
    )
    neighbours: int = Field(5, ge=1, le=50, description="nearest training rows told of each")
    train_rows: int = Field(
        5000, ge=1, description="training rows that are looked through; of more, as many are drawn"
    )
    test_rows: int = Field(
        5000, ge=1, description="test rows in which slices of errors are sought; of more, as many are drawn"
    )


class CounterfactualSettings(Section):
    """Whether answers stay when a text is about somebody else; part of `evaluate`."""

    kinds: tuple[Literal["gender", "name", "region"], ...] = Field(
        ("gender", "name", "region"), min_length=1, description="what is swapped"
    )
    rows: int = Field(200, ge=1, description="test rows of each kind and language that are swapped, at most")
    templates: bool = Field(True, description="swap sentences of zhiling's own too, where one text is read")
    before: bool = Field(True, description="ask the untuned arm as well, so that what tuning added is seen")


class EvaluateSettings(Section):
    """Before · control · after on rows that no step has seen."""

    data: str | None = Field(
        None, description="evaluation file (JSONL or CSV); without it the run's own test part"
    )
    source: dict[str, Any] | None = Field(
        None, description="instead of `data`: a source (`use`, `path`, its settings) with rows of the task"
    )
    text: str = Field("text", description="field of the file with the text")
    label: str = Field("label", description="field of the file with the label")
    language: str = Field("language", description="field of the file with the language, where it has one")
    label_names: str | None = Field(
        None, description="YAML file: label → words per language, for what is answered from prompts"
    )
    before: PromptSettings = Field(
        default_factory=PromptSettings, description="How the untuned arm answers: see `train.prompting`."
    )
    unseen: bool = Field(
        True,
        description="whether rows that repeat the file stop the run: the gate `contaminated`, unless listed",
    )
    arms: tuple[Arm, ...] = Field(("before", "control", "after"), description="what is compared")
    metrics: tuple[str, ...] = Field(("accuracy", "macro_f1"), description="names of metrics")
    seeds: int = Field(3, ge=1, le=100, description="how many seeds each trained arm gets")
    resamples: int = Field(2000, ge=100, description="bootstrap resamples of each interval")
    explain: ExplainSettings | None = Field(
        ExplainSettings.model_validate({}),
        description="nearest training rows, attribution and slices of errors of the tuned model; null: none",
    )
    counterfactual: CounterfactualSettings | None = Field(
        CounterfactualSettings.model_validate({}),
        description="whether answers change with gender, names and places, beside the untuned arm; null: no",
    )

    def files(self) -> list[str]:
        """Paths and globs of all files that it reads, relative to the recipe."""
        paths = (self.source or {}).get("path", [])
        return [
            *(name for name in (self.data, self.label_names) if name),
            *([paths] if isinstance(paths, str) else paths),
            *self.before.files(),
        ]

    @property
    def from_file(self) -> bool:
        """Whether what is tested on is not the run's own test part."""
        return self.data is not None or self.source is not None
