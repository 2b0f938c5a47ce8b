"""F1 of facts: right where subject, relation and object are."""

from __future__ import annotations

from collections.abc import Set
from typing import ClassVar

import orjson

from zhiling.evaluation.metrics.counted import Average, Counted, Item


class _OfTriples(Counted):
    @staticmethod
    def items(answer: str, truth: str) -> Set[Item]:  # noqa: ARG004 - triples need no truth to be read
        """Relation, and the words of subject and object without case."""
        return {
            (each["relation"], (each["subject"].casefold(), each["object"].casefold()))
            for each in orjson.loads(answer)["relations"]
        }


class TripleF1(_OfTriples):
    """F1 of all triples together.

    Anchor: two true triples, one found and one found with its ends exchanged, gives 1/2.
    """

    name: ClassVar[str] = "triple_f1"
    how: ClassVar[Average] = "micro"


class TripleMacroF1(_OfTriples):
    """Mean F1 over the relations.

    Anchor: a relation found whole and a relation never found give (1 + 0) / 2 = 1/2.
    """

    name: ClassVar[str] = "triple_macro_f1"
    how: ClassVar[Average] = "macro"
