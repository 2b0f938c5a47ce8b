"""F1 of the tags of single words, O included: a report over words, not over entities."""

from __future__ import annotations

from collections.abc import Sequence, Set
from functools import lru_cache
from typing import Any, ClassVar

import orjson

from zhiling.evaluation.metrics.counted import Average, Counted, Item


class OfTags(Counted):
    """Metrics of the tags of words."""

    @staticmethod
    def items(answer: str, truth: str) -> Set[Item]:
        """The tag of each word: B- where an entity begins, I- inside, O outside."""
        return tags(answer, truth)


@lru_cache(maxsize=200_000)
def tags(answer: str, truth: str) -> frozenset[Item]:
    """Tag and number of each word of the truth, as the answer's entities say it.

    Raises:
        ValueError: the truth tells no words.
    """
    words = orjson.loads(truth).get("tokens")
    if words is None:
        raise ValueError(f"words of a row are needed, and its truth has no `tokens`: {truth:.80}")
    return frozenset(
        (tag, number) for number, tag in enumerate(tags_of(words, orjson.loads(answer)["spans"]))
    )


def tags_of(words: Sequence[Sequence[int]], spans: Sequence[dict[str, Any]]) -> list[str]:
    """The tag of each word; a word belongs to the first entity that it overlaps."""
    ordered = sorted(spans, key=lambda span: (span.get("message", 0), span["start"], -span["end"]))
    found: list[str] = []
    before: int | None = None
    first = 0
    for start, end in words:
        while first < len(ordered) and ordered[first]["end"] <= start:
            first += 1
        inside = first < len(ordered) and ordered[first]["start"] < end
        if inside:
            found.append(("I-" if before == first else "B-") + ordered[first]["label"])
        else:
            found.append("O")
        before = first if inside else None
    return found


class TagMicroF1(OfTags):
    """F1 of all tags together, which is the share of words with the right tag.

    Anchor: B-PER I-PER O O with one I-PER missed gives 3/4.
    """

    name: ClassVar[str] = "tag_micro_f1"
    how: ClassVar[Average] = "micro"


class TagMacroF1(OfTags):
    """Mean F1 over the tags that occur, O as one of them.

    Anchor: B-PER I-PER O O with the I-PER read as O gives (1 + 0 + 4/5) / 3 = 3/5.
    """

    name: ClassVar[str] = "tag_macro_f1"
    how: ClassVar[Average] = "macro"


class TagWeightedF1(OfTags):
    """Mean F1 over the tags, each as often as it is true.

    Anchor: B-PER I-PER O O with the I-PER read as O gives (1 + 0 + 2 · 4/5) / 4 = 13/20.
    """

    name: ClassVar[str] = "tag_weighted_f1"
    how: ClassVar[Average] = "weighted"
