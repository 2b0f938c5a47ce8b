"""Tokens of texts, kept while their tokenizer is: arms, seeds and ways to tune share them.

`load_local_model` gives one tokenizer per folder and content of its files, so a changed file is another one.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

from zhiling.training.reading.features import Cut, Segments, Window

REMEMBERED_TOKENS = 2_000_000
"""Kept per tokenizer: some 100 MB. The oldest texts leave first."""


@dataclass
class TokenMemory:
    """Sequences with their windows, by the way they were cut."""

    tokens: int = 0
    known: OrderedDict[tuple[object, Segments], list[Window]] = field(
        default_factory=OrderedDict[tuple[object, Segments], list[Window]]
    )

    def windows(self, way: object, sequences: Sequence[Segments], cut: Cut) -> list[list[Window]]:
        """The windows of each sequence; `cut` is asked for those that are new.

        Args:
            way: all that the windows depend on beside the sequence and the tokenizer.
            sequences: texts or pairs; all of one kind.
            cut: sequences to the windows of each.
        """
        new = [each for each in dict.fromkeys(sequences) if (way, each) not in self.known]
        fresh = dict(zip(new, cut(new), strict=True))
        found = [fresh[each] if each in fresh else self.known[way, each] for each in sequences]
        for each, windows in fresh.items():
            self.known[way, each] = windows
            self.tokens += _size(windows)
        while self.tokens > REMEMBERED_TOKENS:
            _, windows = self.known.popitem(last=False)
            self.tokens -= _size(windows)
        return found


def _size(windows: Sequence[Window]) -> int:
    """Tokens of a sequence; an empty one counts too, so that their number is bounded."""
    return 1 + sum(len(window.ids) for window in windows)


_memories: WeakKeyDictionary[Any, TokenMemory] = WeakKeyDictionary()


def memory_of(tokenizer: Any) -> TokenMemory:
    """What is remembered of this tokenizer's texts."""
    return _memories.setdefault(tokenizer, TokenMemory())
