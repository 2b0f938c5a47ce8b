"""Sections of a recipe that no lower room owns."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Arm = Literal["before", "control", "after"]


class Section(BaseModel):
    """A recipe section: frozen, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Budget(Section):
    """Hard limits of a run."""

    usd: float | None = Field(default=None, ge=0, description="money for model calls, in US dollars")
    minutes: float | None = Field(
        default=None, gt=0, description="wall-clock minutes; the run then pauses (exit 4)"
    )
    calls: int | None = Field(default=None, ge=0, description="model calls")
    on_limit: Literal["pause"] = Field(default="pause", description="what happens at a limit")


class DiversitySettings(Section):
    """What the report's page on diversity compares the run's rows with."""

    reference: str | None = Field(
        default=None,
        description="real rows of the kind that is wanted (JSONL or CSV); without it the evaluation file",
    )
    size: int = Field(default=500, ge=2, le=5000, description="rows of each sample, at most")


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
        None, description="YAML file: label → words per language, for the untuned arm"
    )
    unseen: bool = Field(
        True,
        description="whether rows that repeat the file stop the run: the gate `contaminated`, unless listed",
    )
    arms: tuple[Arm, ...] = Field(("before", "control", "after"), description="what is compared")
    metrics: tuple[str, ...] = Field(("accuracy", "macro_f1"), description="names of metrics")
    seeds: int = Field(3, ge=1, le=100, description="how many seeds each trained arm gets")
    resamples: int = Field(2000, ge=100, description="bootstrap resamples of each interval")

    def files(self) -> list[str]:
        """Paths and globs of all files that it reads, relative to the recipe."""
        paths = (self.source or {}).get("path", [])
        return [name for name in (self.data, self.label_names) if name] + (
            [paths] if isinstance(paths, str) else list(paths)
        )

    @property
    def from_file(self) -> bool:
        """Whether what is tested on is not the run's own test part."""
        return self.data is not None or self.source is not None
