"""How well predictions meet the truth: the table of metrics, a family a file, imported when it is used."""

from __future__ import annotations

_ROOM = "zhiling.evaluation.metrics"

METRICS: dict[str, str] = {
    "accuracy": f"{_ROOM}.accuracy:Accuracy",
    "answer_f1": f"{_ROOM}.answers:AnswerF1",
    "brier": f"{_ROOM}.calibration:Brier",
    "ece": f"{_ROOM}.calibration:ExpectedCalibrationError",
    "entity_f1": f"{_ROOM}.entities:EntityF1",
    "entity_macro_f1": f"{_ROOM}.entities:EntityMacroF1",
    "exact_match": f"{_ROOM}.answers:ExactMatch",
    "macro_f1": f"{_ROOM}.labels:MacroF1",
    "micro_f1": f"{_ROOM}.labels:MicroF1",
    "mrr": f"{_ROOM}.ranking:Mrr",
    "pearson": f"{_ROOM}.numbers:Pearson",
    "r_squared": f"{_ROOM}.numbers:RSquared",
    "recall_at_1": f"{_ROOM}.ranking:RecallAt1",
    "recall_at_10": f"{_ROOM}.ranking:RecallAt10",
    "recall_at_5": f"{_ROOM}.ranking:RecallAt5",
    "tag_macro_f1": f"{_ROOM}.tags:TagMacroF1",
    "tag_micro_f1": f"{_ROOM}.tags:TagMicroF1",
    "tag_weighted_f1": f"{_ROOM}.tags:TagWeightedF1",
    "triple_f1": f"{_ROOM}.triples:TripleF1",
    "triple_macro_f1": f"{_ROOM}.triples:TripleMacroF1",
    "weighted_f1": f"{_ROOM}.labels:WeightedF1",
}

__all__ = ["METRICS"]
