"""Questions that say nearly the same, and how far their answers agree."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]

_BLOCK_ROWS = 512
_DIGITS = re.compile(r"\d+")


def near_groups(texts: Sequence[str], vectors: Vectors, cosine: float) -> list[list[int]]:
    """Groups of texts, each near to the first of its group, in the order of the texts.

    A text joins the group whose first is nearest, if their cosine is at least `cosine` and both hold the same
    numbers; else it opens a group. So no chain of small changes brings unlike questions together, and the
    order of the texts decides which are first: give them in an order of their own.

    Args:
        texts: n texts.
        vectors: (n, dimension), rows of length 1 or 0.
        cosine: -1 to 1.

    Anchor: texts that are all unlike give n groups of one.
    """
    groups: list[list[int]] = []
    firsts = np.empty(0, dtype=np.int64)
    numbers = [tuple(sorted(_DIGITS.findall(text))) for text in texts]
    for start in range(0, len(texts), _BLOCK_ROWS):
        block = np.arange(start, min(start + _BLOCK_ROWS, len(texts)))
        known = vectors[block] @ vectors[firsts].T if len(firsts) else np.empty((len(block), 0))
        among = vectors[block] @ vectors[block].T
        opened: list[int] = []
        for row in block.tolist():
            likeness = np.concatenate([known[row - start], among[row - start, np.array(opened, int) - start]])
            heads = [*firsts.tolist(), *opened]
            near = np.flatnonzero(likeness >= cosine)
            fitting = [place for place in near.tolist() if numbers[heads[place]] == numbers[row]]
            if fitting:
                groups[max(fitting, key=lambda place: likeness[place])].append(row)
            else:
                groups.append([row])
                opened.append(row)
        firsts = np.concatenate([firsts, np.array(opened, dtype=np.int64)])
    return groups


def agreement(vectors: Vectors) -> NDArray[np.float64]:
    """How far each of n answers agrees with the others: its mean cosine to them, 0 to 1; shape (n,).

    Anchor: 1 where all are equal; 1 for a single answer, as none speaks against it.
    """
    if len(vectors) < 2:
        return np.ones(len(vectors))
    cosines = np.clip(vectors.astype(np.float64) @ vectors.T, 0, 1)
    np.fill_diagonal(cosines, 0)
    return cosines.sum(axis=1) / (len(vectors) - 1)
