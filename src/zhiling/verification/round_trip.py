"""The round trip of a question: a second reader answers it again from the passage alone.

Source: Alberti et al. 2019, Synthetic QA corpora generation with roundtrip consistency. Deviation: the two
answers may be pieces of different length, as long as they overlap.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from zhiling.llm.asking import Said
from zhiling.llm.verdict import Complaint
from zhiling.rows.target import Place

PROMPT = "answered_again"
"""Name of the prompt that asks; it has the variables `passage` and `question`."""
PROMPTS = Path(__file__).parent / "prompts"


class Verified(Said):
    """Whether a passage answers a question, and where."""

    answerable: bool
    evidence: str


def disagreement(told: Verified, passage: str, known: Sequence[Place]) -> Complaint | None:
    """What a second reader of a passage says against an answer; None where both agree.

    Args:
        told: what the second reader says.
        passage: what was read.
        known: the places in it that answer; none: it does not answer.

    Returns:
        A complaint `answered_after_all`, or `not_answered`: no answer, words that the passage does not hold,
        or another place.
    """
    if not known:
        return Complaint("answered_after_all", f"it says {told.evidence[:80]!r}") if told.answerable else None
    found = list(standing(told.evidence, passage))
    if not told.answerable or not found:
        return Complaint("not_answered", "asked again, the passage gives no answer")
    if any(overlap(place, other) for place in found for other in known):
        return None
    return Complaint("not_answered", f"asked again, the answer stands elsewhere: {told.evidence[:80]!r}")


def standing(text: str, passage: str) -> Iterator[Place]:
    """All places of a text in a passage, white space apart."""
    words = [re.escape(word) for word in text.split()]
    for found in re.finditer(r"\s+".join(words), passage) if words else ():
        yield Place(message=0, start=found.start(), end=found.end())


def overlap(one: Place, other: Place) -> bool:
    """Whether two places of one text have a character in common."""
    return one.start < other.end and other.start < one.end
