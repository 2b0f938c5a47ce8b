"""What a head predicts: the table of tasks, one file each, imported when it is used."""

from __future__ import annotations

TASKS: dict[str, str] = {
    "classification": "zhiling.training.tasks.classification:Classification",
    "ner": "zhiling.training.tasks.ner:Ner",
}

__all__ = ["TASKS"]
