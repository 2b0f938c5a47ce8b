"""Texts as windows of words without a tokenizer: words, and single characters of scripts without spaces."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from zhiling.curation.token_tags import TOKEN
from zhiling.training.reading.features import Segments, Window, Word
from zhiling.training.reading.windows import OVERLAP

LONGEST_WINDOW = 512
"""Words of a window, where the settings name no other number."""


def cut_words(sequences: Sequence[Segments], most: int | None = None) -> list[list[Window]]:
    """The windows of each sequence, at least one; place 0 of a window stands before its first word.

    Args:
        sequences: texts or pairs. Of a pair only the second text is cut in windows, and the first is read
            up to half of one.
        most: words of a window; two that follow each other share a fourth of it.
    """
    longest = most or LONGEST_WINDOW
    return [list(_windows(sequence, longest)) for sequence in sequences]


def _windows(sequence: Segments, longest: int) -> Iterator[Window]:
    if sequence.second is None:
        head, body = list[Word](), _words(sequence.first, 0)
    else:
        head, body = _words(sequence.first, 0)[: longest // 2], _words(sequence.second, 1)
    room = longest - len(head)
    step = max(1, room - longest // OVERLAP)
    for start in range(0, max(1, len(body) - room + step), step):
        words = [*head, *body[start : start + room]]
        placed = tuple(word._replace(token=place) for place, word in enumerate(words, start=1))
        yield Window(range(1 + len(words)), [0, *(word.segment for word in words)], placed)


def _words(text: str, segment: int) -> list[Word]:
    """The words of a text in order; their tokens are not yet placed."""
    return [Word(0, found.start(), found.end(), segment, found.group()) for found in TOKEN.finditer(text)]
