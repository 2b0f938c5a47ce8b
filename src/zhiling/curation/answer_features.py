"""What a span is judged by as an answer: the question's words near it, its kind and what is asked, its edges.

Source: Rajpurkar et al. 2016, section 5 (features of a linear model for answer spans), without parse trees;
what a question asks for is told by its words, as in Li and Roth 2002.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cache
from itertools import chain, pairwise

import numpy as np
from numpy.typing import NDArray

from zhiling.curation.answer_spans import Passage, Span, function_words, words

STEM = 5
"""Characters of a word that must agree: `named` meets `names`."""
REACH = 12
"""Tokens to either side within which the question's words count as near."""
LENGTHS = (1, 2, 4, 8, 16)
"""Bounds of length, in tokens."""
SHAPE = slice(17, 33)
"""Columns of the features of shape: seven of place and ten of nearness stand before them."""
MOST = 30.0
"""Counts end here: one passage of a megabyte would stretch the scale of all."""
_NEARNESS = 1 / (1 + np.arange(REACH))


@cache
def _expressions(table: str) -> dict[str, re.Pattern[str]]:
    return {
        kind: re.compile("|".join(each), re.IGNORECASE | re.ASCII) for kind, each in words()[table].items()
    }


def kind_asked(question: str) -> int:
    """Number of the kind of answer that a question asks for, in the word list's order; one more: none."""
    kinds = list(_expressions("asks").values())
    return next((at for at, kind in enumerate(kinds) if kind.search(question)), len(kinds))


def focus_of(question: str) -> set[str]:
    """Terms of what is asked for: those after the question's word, or before one that ends the question."""
    found = next((m for kind in _expressions("asks").values() if (m := kind.search(question))), None)
    if not found:
        return set()
    after = Passage(question[found.end() :]).tokens
    if found[0][0] > "\u3000" and (not after or not after[0].isalnum()):
        after = Passage(question[: found.start()]).tokens[-3:]
    return {term for each in [t for t in terms(after) if t][:3] for term in each}


def terms(tokens: Sequence[str]) -> list[tuple[str, ...]]:
    """Terms at each token: a word's stem, or a character and the pair it begins; none of function words."""
    found: list[tuple[str, ...]] = []
    for at, token in enumerate(tokens):
        if not token[0].isalnum() or token in function_words():
            found.append(())
        elif len(token) == 1 and token > "\u3000":
            after = tokens[at + 1] if at + 1 < len(tokens) else ""
            pair = len(after) == 1 and after > "\u3000" and after.isalnum()
            found.append((token, token + after) if pair else (token,))
        else:
            found.append((token[:STEM],))
    return found


class Statistics:
    """How often terms and neighbours stand in the passages of a table."""

    def __init__(self, passages: Iterable[Passage]) -> None:
        """Counts the terms of each sentence, tokens and pairs of tokens."""
        self.sentences = 0
        self.frequency: Counter[str] = Counter()
        self.tokens: Counter[str] = Counter()
        self.pairs: Counter[tuple[str, str]] = Counter()
        for passage in passages:
            at = terms(passage.tokens)
            for low, high in passage.sentences:
                self.frequency.update({term for each in at[low:high] for term in each})
            self.sentences += len(passage.sentences)
            self.tokens.update(passage.tokens)
            self.pairs.update(pairwise(passage.tokens))

    def weight(self, term: str) -> float:
        """How rare a term is: ln((n + 1) / (sentences with it + .5))."""
        return float(np.log((self.sentences + 1) / (self.frequency[term] + 0.5)))

    def cohesion(self, left: str, right: str) -> float:
        """How much two neighbours belong together, 0 to 1: their count over the geometric mean of each's."""
        return self.pairs[left, right] / max((self.tokens[left] * self.tokens[right]) ** 0.5, 1.0)


class Matcher:
    """A question held against its passage; gives the features of any span."""

    def __init__(self, question: str, passage: Passage, statistics: Statistics) -> None:
        """Finds the question's terms in the passage."""
        self.passage, self.statistics = passage, statistics
        asking = Passage(question).tokens
        weights = {term: statistics.weight(term) for each in terms(asking) for term in each}
        total = sum(weights.values()) or 1.0
        at = terms(passage.tokens)
        self.hits = np.array([sum(weights.get(term, 0) for term in each) for each in at] or [0.0]) / total
        shared = [{term for each in at[a:b] for term in each} & weights.keys() for a, b in passage.sentences]
        self.overlap = np.array([sum(weights[term] for term in each) / total for each in shared] or [0.0])
        self.kind = kind_asked(question)
        self.clause = np.cumsum([not token[0].isalnum() for token in passage.tokens])
        focus = focus_of(question)
        self.focus = np.array([len(focus.intersection(each)) for each in at] or [0]) / (len(focus) or 1)

    def features(self, span: Span) -> list[float]:
        """Features of a span; its length is above 0."""
        parts = (self._place(span), self._near(span), self._shape(span), self._edges(span))
        return [float(self.kind), *chain.from_iterable(parts)]

    def _place(self, span: Span) -> tuple[float, ...]:
        number = self.passage.sentence_of[span[0]]
        low, high = self.passage.sentences[number]
        here, best = self.overlap[number], self.overlap.max()
        around = self.overlap[max(number - 1, 0) : number + 2].max()
        return (
            here, here - best, min(float((self.overlap > here).sum()), MOST), around - best,
            number / len(self.overlap), (span[0] - low) / (high - low), float(span[1] > high),
        )  # fmt: skip

    def _near(self, span: Span) -> tuple[float, ...]:
        start, end = span
        low, high = self.passage.sentences[self.passage.sentence_of[start]]
        before = self.hits[max(low, start - REACH) : start][::-1]
        after = self.hits[end : min(max(high, end), end + REACH)]
        own = self.hits[start:end]
        first, last = self.clause[start], self.clause[end - 1]
        clause = slice(*np.searchsorted(self.clause, (first, last + 1)))
        return (
            float(before @ _NEARNESS[: len(before)]), float(after @ _NEARNESS[: len(after)]),
            float(before.sum()), float(after.sum()),
            float(own.sum()), float((own > 0).mean()),
            float(self.hits[clause].sum() - own.sum()),
            float(self.focus[start:end].sum()), float(self.focus[max(start - 4, 0) : end + 4].sum()),
            float(own.sum() / max(self.hits[low:high].sum(), 1e-9)),
        )  # fmt: skip

    def _shape(self, span: Span) -> tuple[float, ...]:
        text = self.passage.words_of(span)
        tokens = self.passage.tokens[span[0] : span[1]]
        letters = [self.passage.text[self.passage.places[at][0]] for at in range(*span)]
        size = len(tokens)
        return (
            float(np.log1p(size)), *(float(size > bound) for bound in LENGTHS),
            sum(map(str.isupper, letters)) / size, sum(map(str.isdigit, letters)) / size,
            sum(token in function_words() for token in tokens) / size,
            min(float(sum(not char.isalnum() for char in letters)), MOST),
            *(float(bool(look.search(text))) for look in _expressions("looks").values()),
        )  # fmt: skip

    def _edges(self, span: Span) -> tuple[float, ...]:
        tokens, (start, end) = self.passage.tokens, span
        before = tokens[start - 1] if start else "\n"
        after = tokens[end] if end < len(tokens) else "\n"
        first, last = tokens[start], tokens[end - 1]
        inner = [self.statistics.cohesion(*pair) for pair in pairwise(tokens[start:end])]
        return (
            *(float(token in function_words()) for token in (before, first, last, after)),
            *(float(not token[0].isalnum()) for token in (before, first, last, after)),
            self.statistics.cohesion(before, first), self.statistics.cohesion(last, after),
            min(inner, default=1.0),
        )  # fmt: skip


def crossed(features: NDArray[np.float32], like: NDArray[np.float32]) -> NDArray[np.float32]:
    """Standardised features, and the span's shape once more for each kind of question.

    Args:
        features: of some spans, the kind of the question first.
        like: of the spans whose mean and deviation count.
    """
    columns = slice(1, None)
    deviation = like[:, columns].std(axis=0)
    even = (features[:, columns] - like[:, columns].mean(axis=0)) / np.where(deviation > 0, deviation, 1)
    kinds = np.eye(len(_expressions("asks")) + 1, dtype=np.float32)[features[:, 0].astype(int)]
    by_kind = kinds[:, :, None] * even[:, None, SHAPE]
    return np.hstack([even, kinds, by_kind.reshape(len(even), -1)])
