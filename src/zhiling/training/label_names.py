"""The answer without any training: the label whose name is nearest to the text."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from zhiling.errors import UsageError
from zhiling.training.examples import Predictions


def nearest_label_name(
    texts: Sequence[str],
    names: Mapping[str, Sequence[str]],
    encode: Callable[[Sequence[str]], NDArray[np.float32]],
    temperature: float = 0.05,
) -> Predictions:
    """For each text the label with a name of the highest cosine to it: the arm *before* any tuning.

    A label may have several names, in several languages: its best one counts. Ties go to the label that
    sorts first. Scores are the softmax of the cosines divided by the temperature; they order the labels and
    are not calibrated.

    Args:
        texts: what to label.
        names: label → its names in words; at least one each.
        encode: texts → rows of unit length, float32, shape (n, dimension).
        temperature: above 0; smaller makes the scores more certain.

    Raises:
        UsageError: no labels, or a label without a name.
    """
    nameless = sorted(label for label, words in names.items() if not words)
    if not names or nameless:
        raise UsageError(f"labels without a name: {nameless!r}" if names else "no labels were given")
    classes = tuple(sorted(names))
    words = [(column, word) for column, label in enumerate(classes) for word in names[label]]
    cosines = encode(texts) @ encode([word for _, word in words]).T
    best = np.full((len(texts), len(classes)), -np.inf, dtype=np.float32)
    for position, (column, _) in enumerate(words):
        best[:, column] = np.maximum(best[:, column], cosines[:, position])
    powers = np.exp((best - best.max(axis=1, keepdims=True)) / temperature)
    labels = tuple(classes[int(column)] for column in np.argmax(best, axis=1))
    scores = powers / powers.sum(axis=1, keepdims=True)
    return Predictions(labels, scores.max(axis=1, initial=0), scores, classes)
