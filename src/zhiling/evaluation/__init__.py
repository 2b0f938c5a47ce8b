"""What the data did, as numbers with intervals: metrics, the bootstrap, and arms side by side."""

from __future__ import annotations

from zhiling.evaluation.arms import Comparison, compare_arms
from zhiling.evaluation.scores import Difference, Interval, Scores, TestRows

__all__ = ["Comparison", "Difference", "Interval", "Scores", "TestRows", "compare_arms"]
