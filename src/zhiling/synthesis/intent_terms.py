"""Names of clusters: the terms that stand in one more than in the others, English and Chinese."""

from __future__ import annotations

import re
import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib.resources import files
from math import log

from zhiling.synthesis.skeletons import without_values

_WORD = re.compile(r"[^\W\d_\u3400-\u9fff]+(?:['’][^\W\d_]+)?|[\u3400-\u9fff]+")
_LONGEST_CHINESE = 4
_LEAST_TEXTS = 2
_MOST_CHARACTERS = 2000  # of a text: what a customer wants stands at its beginning


def cluster_terms(texts: Sequence[str], clusters: Sequence[int], terms: int = 4) -> dict[int, list[str]]:
    """The `terms` most telling terms of each cluster, the best first.

    A term is an English word or pair of words, or two to four Chinese characters in a row; dates, numbers and
    other values are none. Its weight in a
    cluster is the share of the cluster's texts that hold it, times ln(1 + A / f): f is the sum of these
    shares over all clusters, A their mean over all terms. A term that is part of a better one is left out.

    Args:
        texts: n texts.
        clusters: the cluster of each.
        terms: how many.

    Source: Grootendorst 2022 (class-based TF-IDF). Deviation: shares of texts instead of counts of words, so
    that a long text has no more say than a short one.
    """
    sizes = Counter(clusters)
    counts: defaultdict[int, Counter[str]] = defaultdict(Counter)
    for text, cluster in zip(texts, clusters, strict=True):
        counts[cluster].update(set(_terms(text)))
    least = {cluster: min(_LEAST_TEXTS, size) for cluster, size in sizes.items()}
    shares = {
        cluster: {t: n / sizes[cluster] for t, n in found.items() if n >= least[cluster]}
        for cluster, found in counts.items()
    }
    whole = Counter[str]()
    for found in shares.values():
        whole.update(found)
    mean = sum(whole.values()) / max(len(whole), 1)
    return {
        cluster: _best({t: share * log(1 + mean / whole[t]) for t, share in found.items()}, terms)
        for cluster, found in sorted(shares.items())
    }


def _best(weights: Mapping[str, float], terms: int) -> list[str]:
    """The heaviest terms, of overlapping ones the heavier; longer ones win ties."""
    chosen: list[str] = []
    for term in sorted(weights, key=lambda term: (-round(weights[term], 9), -len(term), term)):
        if not any(_overlap(term, other) for other in chosen):
            chosen.append(term)
        if len(chosen) == terms:
            break
    return chosen


def _overlap(term: str, other: str) -> bool:
    """Whether they share a word, or three of four Chinese characters."""
    if term[0] >= "\u3400" or other[0] >= "\u3400":
        return term in other or other in term or bool({*_pairs(term)} & {*_pairs(other)})
    return bool({*term.split()} & {*other.split()})


def _pairs(term: str) -> Iterator[str]:
    return (term[place : place + 2] for place in range(len(term) - 1))


def _terms(text: str) -> Iterator[str]:
    before = ""
    for word in _WORD.findall(without_values(text[:_MOST_CHARACTERS]).casefold()):
        if word[0] >= "\u3400":
            yield from _chinese(word)
            before = ""
        elif word in _words()["en"]:
            before = ""
        else:
            yield word
            if before:
                yield f"{before} {word}"
            before = word


def _chinese(run: str) -> Iterator[str]:
    """Pieces of two to four characters that neither begin nor end with one that names nothing."""
    plain = _words()["zh"]
    for size in range(2, _LONGEST_CHINESE + 1):
        for start in range(len(run) - size + 1):
            piece = run[start : start + size]
            if not plain.intersection((piece[0], piece[-1])) and piece not in plain:
                yield piece


@cache
def _words() -> Mapping[str, frozenset[str]]:
    text = (files("zhiling.synthesis") / "term_words.toml").read_text(encoding="utf-8")
    return {language: frozenset(words["words"]) for language, words in tomllib.loads(text).items()}
