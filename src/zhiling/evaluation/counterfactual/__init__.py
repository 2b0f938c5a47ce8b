"""Counterfactual swaps: the same text about another person or place, and whether the answer stays."""

from __future__ import annotations

from zhiling.evaluation.counterfactual.effect import Effect, effect
from zhiling.evaluation.counterfactual.swap import KINDS, Kind, Swapped, swap_texts
from zhiling.evaluation.counterfactual.words import templates

__all__ = ["KINDS", "Effect", "Kind", "Swapped", "effect", "swap_texts", "templates"]
