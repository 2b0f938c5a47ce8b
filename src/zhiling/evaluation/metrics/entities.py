"""F1 of whole entities: right where type, start and end are."""

from __future__ import annotations

from collections.abc import Set
from functools import lru_cache
from typing import ClassVar

import orjson

from zhiling.evaluation.metrics.counted import Average, Counted, Item


class _OfEntities(Counted):
    @staticmethod
    def items(answer: str, truth: str) -> Set[Item]:  # noqa: ARG004 - entities need no truth to be read
        """Type and place of each entity."""
        return entities(answer)


@lru_cache(maxsize=200_000)
def entities(answer: str) -> frozenset[Item]:
    """Type and place of each entity of `Entities` as JSON."""
    spans = orjson.loads(answer)["spans"]
    return frozenset((span["label"], (span.get("message", 0), span["start"], span["end"])) for span in spans)


class EntityF1(_OfEntities):
    """F1 of all entities together, as CoNLL's own script and seqeval count it.

    Anchor: two true entities, one found with its type and one with another, gives 1/2.

    Source: Tjong Kim Sang and De Meulder 2003, Introduction to the CoNLL-2003 Shared Task, section 2.3.
    """

    name: ClassVar[str] = "entity_f1"
    how: ClassVar[Average] = "micro"


class EntityMacroF1(_OfEntities):
    """Mean F1 over the types of entities.

    Anchor: a type found whole and a type never found give (1 + 0) / 2 = 1/2.
    """

    name: ClassVar[str] = "entity_macro_f1"
    how: ClassVar[Average] = "macro"
