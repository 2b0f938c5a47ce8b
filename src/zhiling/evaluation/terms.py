"""The words that tell some texts from the others: what a group of texts is about, in their own words."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from itertools import groupby, pairwise

from zhiling.text.normalise import normalise_text
from zhiling.text.spacing import is_spaceless

PRIOR_TEXTS = 20.0
"""What is believed before counting, in texts: rare terms need that much evidence to stand out."""
LEAST_Z = 1.96
LEAST_TEXTS = 2
_HAN_LENGTHS = (2, 3, 4)


def terms_of(text: str) -> set[str]:
    """Words, pairs of words, and runs of 2 to 4 characters of scripts without spaces, in normal form.

    Anchor: "Reset PIN 密码忘了" has reset, pin, "reset pin", 密码, 码忘, 忘了, 密码忘, 码忘了, 密码忘了.
    """
    found: set[str] = set()
    words: list[str] = []
    for word in normalise_text(text).split():
        for spaceless, letters in groupby(word, key=is_spaceless):
            run = "".join(letters)
            if spaceless:
                found |= set(_runs(run))
            else:
                words.append(run)
    return found | {word for word in words if len(word) > 1} | {f"{a} {b}" for a, b in pairwise(words)}


def _runs(text: str) -> Iterator[str]:
    if len(text) == 1:
        yield text
    for size in _HAN_LENGTHS:
        yield from (text[start : start + size] for start in range(len(text) - size + 1))


def telling_terms(texts: Sequence[Collection[str]], inside: Collection[int], count: int = 5) -> list[str]:
    """The terms that are most over-represented in some of the texts, the clearest first.

    By the log-odds ratio between the two groups with a prior of the terms' overall frequency, in standard
    deviations; a term counts once a text. A term that holds a better one, or is held by one, is left out.

    Args:
        texts: the terms of each text.
        inside: numbers of the texts to be described.
        count: at most.

    Source: Monroe, Colaresi and Quinn 2008, Fightin' Words, equations 16 and 22.
    """
    members = set(inside)
    ours = Counter(term for number in members for term in texts[number])
    whole = Counter(term for terms in texts for term in terms)
    sizes = (len(members), len(texts) - len(members))
    if not all(sizes):
        return []
    scored = sorted(
        ((-_z(seen, whole[term] - seen, sizes), term) for term, seen in ours.items() if seen >= LEAST_TEXTS)
    )
    chosen: list[str] = []
    for score, term in scored:
        if -score < LEAST_Z or len(chosen) == count:
            break
        if not any(term in other or other in term for other in chosen):
            chosen.append(term)
    return chosen


def _z(ours: int, theirs: int, sizes: tuple[int, int]) -> float:
    """The log-odds ratio of a term between two groups of texts, in standard deviations."""
    share = (ours + theirs) / sum(sizes)
    prior = PRIOR_TEXTS * share
    rest = PRIOR_TEXTS - prior + 1e-9

    def log_odds(seen: int, size: int) -> float:
        return math.log((seen + prior) / (size - seen + rest))

    deviation = math.sqrt(1 / (ours + prior) + 1 / (theirs + prior))
    return (log_odds(ours, sizes[0]) - log_odds(theirs, sizes[1])) / deviation
