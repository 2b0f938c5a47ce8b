"""What a head predicts: the table of tasks, one file each, imported when it is used."""

from __future__ import annotations

_ROOM = "zhiling.training.tasks"

TASKS: dict[str, str] = {
    "choice": f"{_ROOM}.choice:Choice",
    "classification": f"{_ROOM}.classification:Classification",
    "extractive_qa": f"{_ROOM}.extractive_qa:ExtractiveQa",
    "matching": f"{_ROOM}.matching:Matching",
    "multi_label": f"{_ROOM}.multi_label:MultiLabel",
    "ner": f"{_ROOM}.ner:Ner",
    "ordinal": f"{_ROOM}.ordinal:Ordinal",
    "relation": f"{_ROOM}.relation:Relation",
    "relation_classification": f"{_ROOM}.relation_classification:RelationClassification",
    "regression": f"{_ROOM}.regression:Regression",
}

__all__ = ["TASKS"]
