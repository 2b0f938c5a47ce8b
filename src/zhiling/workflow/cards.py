"""A step's card: what it does, its settings, reasons, cost and limits, and how often it was wrong."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from zhiling.pipeline import registry
from zhiling.pipeline.step import Decide, Make, Step
from zhiling.workflow.error_rates import NO_TRUTH, ErrorRate, error_rates


@dataclass(frozen=True)
class Setting:
    """One setting of a step."""

    name: str
    type: str
    default: Any
    description: str


@dataclass(frozen=True)
class Card:
    """What `zhiling steps NAME` shows."""

    name: str
    kind: str
    scope: str
    version: int
    summary: str
    text: str
    settings: tuple[Setting, ...]
    reasons: tuple[str, ...]
    columns: dict[str, str]
    cost: str
    source: str
    limits: str
    calibrates: tuple[str, ...]
    error_rates: tuple[ErrorRate, ...]

    def as_dict(self) -> dict[str, Any]:
        """The card as plain JSON."""
        return asdict(self)

    def render(self) -> str:
        """The card as text."""
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        yield f"{self.name} (version {self.version}): {self.kind}, sees {self.scope}"
        yield ""
        yield self.text
        if self.settings:
            yield "\nSettings"
            for setting in self.settings:
                yield f"  {setting.name}: {setting.type} = {setting.default!r}"
                yield f"      {setting.description}"
        if self.reasons:
            yield f"\nReasons: {', '.join(self.reasons)}"
        if self.columns:
            yield "\nColumns: " + ", ".join(f"<id>.{name} ({dtype})" for name, dtype in self.columns.items())
        for title, value in (("Cost", self.cost), ("Source", self.source), ("Limits", self.limits)):
            if value:
                yield f"\n{title}: {value}"
        if self.calibrates:
            yield f"\nCan be calibrated: {', '.join(self.calibrates)}"
        yield f"\nError rates: {'' if self.error_rates else NO_TRUTH}".rstrip()
        yield from (f"  {rate}" for rate in self.error_rates)


def card(name: str) -> Card:
    """The card of a step.

    Raises:
        UnknownName: no such step.
        MissingExtra: the step needs an extra that is not installed.
    """
    step: type[Step] = registry.load("step", name)
    text = inspect.getdoc(step) or ""
    return Card(
        name=name, kind=_kind(step), scope=step.scope, version=step.version,
        summary=text.splitlines()[0] if text else "", text=text,
        settings=tuple(_settings(step)), reasons=_reasons(step), columns=_columns(step),
        cost=step.cost, source=step.source, limits=step.limits,
        calibrates=_calibrates(step), error_rates=error_rates(name),
    )  # fmt: skip


def all_cards() -> list[Card]:
    """The cards of all registered steps, by name."""
    return [card(name) for name in sorted(registry.table("step"))]


def _kind(step: type[Step]) -> str:
    return f"make ({step.effect} rows)" if issubclass(step, Make) else step.kind


def _settings(step: type[Step]) -> Iterator[Setting]:
    for name, info in step.model_fields.items():
        kind = inspect.formatannotation(info.annotation) if info.annotation else "any"
        default = "required" if info.is_required() else info.get_default(call_default_factory=True)
        yield Setting(name, kind.replace("typing.", ""), default, info.description or "")


def _reasons(step: type[Step]) -> tuple[str, ...]:
    return tuple(str(reason) for reason in step.Reason) if issubclass(step, Decide) else ()


def _calibrates(step: type[Step]) -> tuple[str, ...]:
    return tuple(bound.setting for bound in step.bounds) if issubclass(step, Decide) else ()


def _columns(step: type[Step]) -> dict[str, str]:
    """Name → type of the columns; none where they depend on a setting that has to be given."""
    try:
        return {name: str(dtype) for name, dtype in step.model_construct().writes().items()}
    except AttributeError:
        return {}
