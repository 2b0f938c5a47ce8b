"""How well predictions meet the truth: the table of metrics, one file each, imported when it is used."""

from __future__ import annotations

METRICS: dict[str, str] = {
    "accuracy": "zhiling.evaluation.metrics.accuracy:Accuracy",
    "macro_f1": "zhiling.evaluation.metrics.macro_f1:MacroF1",
}

__all__ = ["METRICS"]
