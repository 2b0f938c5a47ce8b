"""What the rare words of a question and a reply tell of a pair.

Beside shares of rarity stand the rarest words alone: a reply about silver to a question about gold may share
all words but one. Words are runs of letters and digits; of Chinese, every two neighbouring characters.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from zhiling.curation.pairing_features import Matrix
from zhiling.text.normalise import normalise

RAREST = 4
"""Words of a question that are looked for one by one."""
_RUN = re.compile(r"[\u3400-\u9fff]+|[^\W_\u3400-\u9fff]+")

Words = frozenset[str]


def words_of(texts: Sequence[str]) -> list[Words]:
    """The distinct words of each text."""
    return [_words(text) for text in normalise(pl.Series(texts, dtype=pl.String)).to_list()]


class Rarity:
    """How rare words are among some questions and replies: ln((texts + 1) / (texts with it + .5))."""

    def __init__(self, questions: Sequence[Words], replies: Sequence[Words]) -> None:
        self._texts = len(questions) + len(replies)
        self._found = Counter(word for words in (*questions, *replies) for word in words)

    def of(self, words: Words) -> dict[str, float]:
        """The rarity of each of the words, 0 for one that nearly every text holds, the rarest first."""
        counts = np.array([self._found[word] for word in words])
        values = np.log((self._texts + 1) / (counts + 0.5)).clip(0).tolist()
        return dict(sorted(zip(words, values, strict=True), key=lambda each: (-each[1], each[0])))

    def features(
        self, questions: Sequence[Words], replies: Sequence[Words], paired: NDArray[np.int64]
    ) -> list[Matrix]:
        """Six numbers of some pairs, each (b, p).

        They are the rarity of the shared words, its share of the question's and of the reply's, of the
        question's rarest words the rarest one that the reply holds and the one that it lacks, and how many
        numbers are shared.

        Args:
            questions: words of b questions.
            replies: words of the replies.
            paired: numbers of the replies that each question is paired with, (b, p).
        """
        totals = [sum(self.of(words).values()) for words in replies]
        made = np.zeros((*paired.shape, 6), dtype=np.float32)
        for row, words in enumerate(questions):
            rarity = self.of(words)
            rarest = [*rarity.items()][:RAREST]
            total = sum(rarity.values())
            for column, reply in enumerate(paired[row]):
                held = replies[int(reply)]
                shared = sum(rarity[word] for word in words & held)
                made[row, column] = (
                    shared,
                    shared / (total + 1e-6),
                    shared / (totals[reply] + 1e-6),
                    max((value for word, value in rarest if word in held), default=0),
                    max((value for word, value in rarest if word not in held), default=0),
                    sum(word[0].isdigit() for word in words & held),
                )
        return [made[..., number] for number in range(made.shape[-1])]


def _words(text: str) -> Words:
    found: set[str] = set()
    for run in _RUN.findall(text):
        chinese = "\u3400" <= run[0] <= "\u9fff"
        found.update([run[at : at + 2] for at in range(max(1, len(run) - 1))] if chinese else [run])
    return frozenset(found)
