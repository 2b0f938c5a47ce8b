"""Whether a place of a target holds what it says: inside its text, its words there, no word cut through."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from enum import StrEnum
from itertools import pairwise

from zhiling.rows.target import Entities, Place, Span
from zhiling.text.characters import UNSPACED_RANGES

_LETTERS = re.compile(rf"[^\W\d_{UNSPACED_RANGES}]{{2}}|\d{{2}}")
"""Two letters of a script with spaces, or two digits: they belong to one word."""


class Fault(StrEnum):
    """What can be wrong with a place."""

    OUTSIDE = "outside"
    NOT_THERE = "not_there"
    RAGGED = "ragged"
    CUT_WORD = "cut_word"


def fault(texts: Sequence[str], place: Place, words: str | None = None) -> tuple[Fault, str] | None:
    """What is wrong with a place, and in words; None where it holds what it should.

    Args:
        texts: of the row's messages.
        place: in code points.
        words: what should stand there, character by character; None: anything.
    """
    where = f"{place.start}–{place.end} of message {place.message}"
    if place.message >= len(texts):
        return Fault.OUTSIDE, f"{where}: there are {len(texts)} messages"
    text = texts[place.message]
    if not place.start < place.end <= len(text):
        return Fault.OUTSIDE, f"{where}: the text has {len(text)} characters"
    found = text[place.start : place.end]
    if words is not None and found != words:
        return Fault.NOT_THERE, f"{where}: {found!r:.60} stands there, not {words!r:.60}"
    if found != found.strip():
        return Fault.RAGGED, f"{where}: {found!r:.60} begins or ends with white space"
    if _cuts(text, place.start) or _cuts(text, place.end):
        around = text[max(0, place.start - 8) : place.end + 8]
        return Fault.CUT_WORD, f"{where}: {found!r:.60} cuts a word of {around!r:.80}"
    return None


def _cuts(text: str, at: int) -> bool:
    return at > 0 and _LETTERS.fullmatch(text[at - 1 : at + 1]) is not None


def crossing(spans: Sequence[Span]) -> Iterator[str]:
    """Spans that begin in another one and end outside of it; nested ones are none."""
    ordered = sorted(spans, key=lambda span: (span.message, span.start, -span.end))
    for at, first in enumerate(ordered):
        for second in ordered[at + 1 :]:
            if second.message != first.message or second.start >= first.end:
                break
            if first.start < second.start < first.end < second.end:
                yield f"{_told(first)} and {_told(second)} cross"


def repeated(spans: Sequence[Span]) -> Iterator[str]:
    """Spans that are told twice."""
    counts = Counter(map(_told, spans))
    yield from (f"{told} is told twice" for told, count in counts.items() if count > 1)


def untrue_tags(truth: Entities, text: str) -> Iterator[str]:
    """Where tokens and tags do not say what the spans do, or do not fit the text (that of message 0)."""
    tokens, tags = truth.tokens, truth.tags
    if tokens is None:
        return
    for start, end in tokens:
        if not 0 <= start < end <= len(text):
            yield f"token {start}–{end}: the text has {len(text)} characters"
    if any(first[1] > second[0] for first, second in pairwise(tokens)):
        yield "tokens overlap or are out of order"
    if tags is not None and len(tags) != len(tokens):
        yield f"{len(tokens)} tokens have {len(tags)} tags"
    starts, ends = {start for start, _ in tokens}, {end for _, end in tokens}
    for span in truth.spans:
        if not span.message and not (span.start in starts and span.end in ends):
            yield f"{_told(span)} begins or ends inside a token"
        elif tags is not None and len(tags) == len(tokens):
            yield from _differing(span, tokens, tags)


def _differing(span: Span, tokens: Sequence[tuple[int, int]], tags: Sequence[str]) -> Iterator[str]:
    """Tags inside a span that name another type; an outer span of nested ones has none of its own."""
    inside = [
        tag for (start, end), tag in zip(tokens, tags, strict=True) if span.start <= start and end <= span.end
    ]
    if not span.message and span.label not in {tag.partition("-")[2] or tag for tag in inside}:
        yield f"{_told(span)} is tagged {' '.join(inside)}"


def _told(span: Span) -> str:
    return f"{span.label} {span.start}–{span.end} of message {span.message}"
