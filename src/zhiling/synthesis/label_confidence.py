"""Labels that spread from seeds to texts, each with the probability that it is right."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from zhiling.encoders.nearest import nearest
from zhiling.encoders.semi_supervised.propagation import neighbours, spread
from zhiling.encoders.semi_supervised.seeds import Numbers, Seeds, Vectors
from zhiling.encoders.sparse import require

FOLDS = 5
NOISE = 4.0
"""Odds of being a seed that are lower than expected by less than 4/√(seeds), a fifth of 400, are as expected.
On halves of BANKING77 and CLINC150 with all labels known .77 and .85 of the texts get one; with 0 here .60
and .84, and .87 is claimed where .94 are right. With half of the labels unknown .89 and .85 of what is given
is right; with 0 here .92 and .94."""

Floats = NDArray[np.float64]


class Guesses(NamedTuple):
    """What texts are taken for, and how surely."""

    numbers: Numbers
    """The class of each, shape (m,)."""
    scores: Floats
    """The lead of the class over the second one, times what came of all labels, over its mean; shape (m,)."""


class Believed(NamedTuple):
    """What texts are taken for, and how probably that is right."""

    numbers: Numbers
    """The class of each, shape (m,)."""
    confidence: Floats
    """0 to 1, shape (m,)."""


class HeldOut(NamedTuple):
    """What labelled texts were taken for while their labels were hidden."""

    places: Floats
    """Of each, see `places`; shape (s,)."""
    scores: Floats
    right: NDArray[np.bool_]


def believed(seeds: Seeds, vectors: Vectors) -> Believed:
    """The class of each text, and how probably it is right: 0 where no seed reaches it.

    Seeds of a class take turns in being held out; one at least stays. The share of them that is right falls
    with their place (`right_at`). Texts of none of the classes are not among the seeds: where there are more
    texts at a score than the seeds explain, the others count as such (`in_scope`); so does a text that is
    less like every seed than any seed is like the others (of n texts like seeds about n / (s + 1) are).

    Args:
        seeds: the labelled texts; at least one class has two.
        vectors: of the others, shape (m, width).
    """
    everything = np.concatenate([seeds.vectors, vectors])
    graph = neighbours(everything)
    told = np.zeros((len(everything), seeds.classes), dtype=np.float32)
    told[: len(seeds.numbers)] = seeds.one_hot()
    found = _guesses(graph, told)
    held_out = _held_out(graph, told, seeds.numbers)
    chance = right_at(held_out, places(found, found)) * in_scope(held_out, found.scores)
    return Believed(found.numbers, np.where((found.scores > 0) & _like(seeds.vectors, vectors), chance, 0))


def _like(seeds: Vectors, vectors: Vectors) -> NDArray[np.bool_]:
    """Which texts are as like a seed as the least like one of the seeds is; shape (m,)."""
    _, among = nearest(seeds, seeds, 1, apart=True)
    _, cosines = nearest(vectors, seeds, 1)
    return cosines[:, 0] >= among.min()


def _guesses(graph: Any, told: NDArray[np.float32]) -> Guesses:
    """What the texts without a label are taken for.

    On halves of BANKING77 and CLINC150 the cosine to the nearest seed instead of the mass ranked texts of the
    known classes as well (.91 right among 72 %, .93 among 83 %). Where half of the classes were unknown, it
    told these far worse: area under the curve .80 instead of .88 (BANKING77), .81 instead of .92 (CLINC150).
    """
    taught, mass = spread(graph, told)
    return Guesses(taught.numbers, taught.weights.astype(np.float64) * mass / max(float(mass.mean()), 1e-30))


def _held_out(graph: Any, told: NDArray[np.float32], numbers: Numbers) -> HeldOut:
    """Each seed whose class has another one, asked while it is hidden."""
    turns = folds_of(numbers)
    parts: list[HeldOut] = []
    for turn in range(turns.max(initial=-1) + 1):
        held = np.flatnonzero(turns == turn)
        hidden = told.copy()
        hidden[held] = 0
        found = _guesses(graph, hidden)
        asked, others = (
            Guesses(found.numbers[part], found.scores[part])
            for part in (slice(len(held)), slice(len(held), None))
        )
        parts.append(HeldOut(places(asked, others), asked.scores, asked.numbers == numbers[held]))
    return HeldOut(*(np.concatenate(each) for each in zip(*parts, strict=True)))


def folds_of(numbers: Numbers) -> Numbers:
    """In which fold each seed is held out, from 0; -1: never, as its class has no other one; shape (n,)."""
    turns = np.full(len(numbers), -1, dtype=np.int64)
    for each in np.unique(numbers):
        rows = np.flatnonzero(numbers == each)
        if len(rows) > 1:
            turns[rows] = np.arange(len(rows)) % FOLDS
    return turns


def places(found: Guesses, among: Guesses) -> Floats:
    """Where each text stands, from 0 (surest) to 1; shape (m,).

    The mean of two shares: of all texts of `among` that are surer, and of those of its class. So a class
    whose texts are all less sure than those of another one is not left out. Of BANKING77 with five seeds a
    class a student gained .039 from labels so chosen, .038 by the first share alone, .035 by the second.
    """
    own = np.ones(len(found.scores))
    for each in np.unique(found.numbers):
        rows = found.numbers == each
        own[rows] = _surer(found.scores[rows], among.scores[among.numbers == each])
    return (own + _surer(found.scores, among.scores)) / 2


def _surer(scores: Floats, among: Floats) -> Floats:
    """The share of `among` that is greater than each score; 1 where there is none at all."""
    if not len(among):
        return np.ones(len(scores))
    return 1 - np.searchsorted(np.sort(among), scores, side="right") / len(among)


def right_at(held_out: HeldOut, asked: Floats) -> Floats:
    """How probably a text of one of the classes gets its own, by its place; it falls with the place.

    Anchor: where all of n held-out seeds are right, (n + 1) / (n + 2) at every place.

    Source: Zadrozny and Elkan 2002, Transforming Classifier Scores into Accurate Multiclass Probability
    Estimates (isotonic regression), with the targets short of 0 and 1 of Platt 1999, Probabilistic Outputs
    for Support Vector Machines.
    """
    right = int(held_out.right.sum())
    wrong = len(held_out.right) - right
    targets = np.where(held_out.right, (right + 1) / (right + 2), 1 / (wrong + 2))
    curve = require("sklearn.isotonic").IsotonicRegression(increasing=False, out_of_bounds="clip")
    return curve.fit(held_out.places, targets).predict(asked)


def in_scope(held_out: HeldOut, scores: Floats) -> Floats:
    """How probably a text is of one of the classes at all, by its score; it rises with the score.

    Seeds are held against texts, and the odds of being a seed are told by isotonic regression. Texts at least
    as sure as the median seed are taken for texts of the classes: where the odds are lower than theirs, there
    are more texts than the seeds explain. Anchor: 1 everywhere where texts and seeds are alike.

    Source: Elkan and Noto 2008, Learning Classifiers from Only Positive and Unlabeled Data. Deviation: odds
    are compared with those of the upper half, not with the greatest, and may be lower by `NOISE`:
    up to 16 seeds tell nothing, and all is 1.
    """
    values = np.concatenate([held_out.scores, scores])
    is_seed = np.arange(len(values)) < len(held_out.scores)
    chance = require("sklearn.isotonic").IsotonicRegression().fit(values, is_seed).predict(scores)
    median = np.median(held_out.scores)
    upper = (held_out.scores >= median).sum() / max((scores >= median).sum(), 1)
    expected = upper * (1 - NOISE / len(held_out.scores) ** 0.5)
    if expected <= 0:
        return np.ones(len(scores))
    return np.minimum(1, chance / np.maximum(1 - chance, 1e-9) / expected)
