"""A head that learns from its own surest answers."""

from __future__ import annotations

import numpy as np

from zhiling.encoders.semi_supervised.prior import adjust
from zhiling.encoders.semi_supervised.seeds import Seeds, Taught, Vectors, softmax, surest
from zhiling.training.few_labels.head import fit_head

ROUNDS = 4


def teach(seeds: Seeds, vectors: Vectors) -> Taught:
    """What rows are taken for by heads that each learn from the answers of the one before.

    In round r of R the surest r/R of the rows of *each* class are believed, so that a class of which the head
    is never very sure is learnt as well, and one of which it always is takes no more than its share.

    Source: Zou et al. 2018, Unsupervised Domain Adaptation for Semantic Segmentation via Class-Balanced
    Self-Training. Deviation: the seeds' posteriors are first fitted to the estimated prior (a later head has
    learnt it), and a row counts by the lead of its class.
    """
    first = softmax(fit_head(seeds, vectors).logits(vectors))
    answers = surest(adjust(first).posteriors)
    for number in range(1, ROUNDS):
        taught = Taught(answers.numbers, _most_sure(answers, seeds.classes, number / ROUNDS))
        answers = surest(softmax(fit_head(seeds, vectors, taught).logits(vectors)))
    return answers


def _most_sure(answers: Taught, classes: int, share: float) -> np.ndarray:
    """The weights, 0 for all but the surest share of each class."""
    weights = np.zeros_like(answers.weights)
    for each in range(classes):
        rows = np.flatnonzero(answers.numbers == each)
        order = rows[np.argsort(-answers.weights[rows], kind="stable")]
        kept = order[: int(np.ceil(share * len(rows)))]
        weights[kept] = answers.weights[kept]
    return weights
