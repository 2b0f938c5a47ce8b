"""Gates that ask the evaluation: what must hold of the tuned model before a run counts as passed.

gates:
  - {check: score, metric: accuracy, at_least: 0.8}
  - {check: score, metric: accuracy, minus: control, end: low, at_least: 0}
  - {check: counterfactual, at_most: 0.05}
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field

from zhiling.errors import UsageError
from zhiling.pipeline.gates import Gate, GateTime
from zhiling.pipeline.store import read_json
from zhiling.pipeline.table import RowTable

End = Literal["low", "mean", "high"]


class EvaluationGate(Gate):
    """A figure of the evaluation; asked behind it, and only of recipes that have one."""

    asked: ClassVar[GateTime] = "evaluation"

    end: End = Field("mean", description="which end of the 95 % interval is held against the bounds, or mean")

    def _read(self, table: RowTable, name: str) -> dict[str, Any]:
        """A file of the run's evaluation."""
        file = table.files().folder / "evaluation" / name
        if not file.is_file():
            raise UsageError(
                f"gate {self.name!r} asks for evaluation/{name}, which this run does not have",
                hint="Look at the recipe's `evaluate` section.",
            )
        return read_json(file)


class Score(EvaluationGate):
    """A score of an arm, or how much higher it is than another arm's."""

    name = "score"

    metric: str = Field(description="one of the evaluation's metrics")
    arm: Literal["before", "control", "after"] = Field("after", description="whose score")
    minus: Literal["before", "control"] | None = Field(
        None, description="take the difference to this arm's score instead"
    )

    def value(self, table: RowTable, counts: Mapping[str, Any], root: Path) -> float:
        """The score, or the difference.

        Raises:
            UsageError: the evaluation has no such arm, pair or metric.
        """
        scores = self._read(table, "scores.json")
        kind, name = ("arms", self.arm) if self.minus is None else ("differences", f"{self.arm}-{self.minus}")
        known: Mapping[str, Any] = scores.get(kind) or {}
        figures: Mapping[str, Any] = known.get(name) or {}
        if self.metric not in figures:
            told = ", ".join(f"{each} ({', '.join(metrics)})" for each, metrics in known.items()) or "none"
            raise UsageError(
                f"gate 'score': no {self.metric!r} of {name!r}", hint=f"the evaluation has: {told}"
            )
        return float(figures[self.metric][self.end])


class Counterfactual(EvaluationGate):
    """The largest share of answers that a swap changes, over kinds (gender, name, region) and languages."""

    name = "counterfactual"

    kind: Literal["gender", "name", "region"] | None = Field(None, description="only this kind of swap")
    on: Literal["rows", "templates"] | None = Field(None, description="only test rows, or only templates")
    added: bool = Field(False, description="only what tuning added to the untuned arm's share")

    def value(self, table: RowTable, counts: Mapping[str, Any], root: Path) -> float:
        """Between 0 and 1; of what tuning added, between -1 and 1.

        Raises:
            UsageError: nothing of this kind was swapped, or the task's answers cannot be compared.
        """
        return max(self._figures(table).values())

    def detail(self, table: RowTable) -> str:
        """Each line with its figure, the worst first."""
        worst = sorted(self._figures(table).items(), key=lambda item: -item[1])
        return "; ".join(f"{name}: {value:.3f}" for name, value in worst)

    def _figures(self, table: RowTable) -> dict[str, float]:
        told = self._read(table, "counterfactual.json")
        found = dict(self._lines(told))
        if not found:
            raise UsageError(
                f"gate 'counterfactual' has nothing to look at: {told['refused'] or 'no text was swapped'}",
                hint="Take the gate out, or look at evaluate.counterfactual (kinds, templates, before).",
            )
        return found

    def _lines(self, told: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
        for line in told["effects"]:
            if line["kind"] in (self.kind or line["kind"],) and line["on"] in (self.on or line["on"],):
                figure = line["added"] if self.added else line["flips"]["after"]
                if figure is not None:
                    yield f"{line['kind']}, {line['language']}, {line['on']}", float(figure[self.end])
