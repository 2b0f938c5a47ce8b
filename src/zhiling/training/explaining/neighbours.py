"""Inputs as the model sees them just before its head, and which training inputs lie nearest there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from zhiling.training.inputs import Input
from zhiling.training.trained import INPUTS_PER_CHUNK, Trained

Vectors = NDArray[np.float32]


def head_vectors(trained: Trained, inputs: Sequence[Input], batch_size: int = 64) -> Vectors:
    """What the head reads of each input, as rows of length 1: float32, shape (n, width).

    The mean over the sequences of an input (the options of a choice) and over the windows of a long text. A
    row is 0 where the model reads nothing of an input (an empty text).
    """
    model = trained.model
    found = np.zeros((len(inputs), model.features.width), dtype=np.float32)
    for first in range(0, len(inputs), INPUTS_PER_CHUNK):
        chunk = inputs[first : first + INPUTS_PER_CHUNK]
        found[first : first + len(chunk)] = model.vectors(model.prepare(chunk), batch_size).numpy()
    norms = np.linalg.norm(found, axis=1, keepdims=True)
    return np.divide(found, norms, out=np.zeros_like(found), where=norms > 0)


def nearest(asked: Vectors, parts: Iterable[Vectors], count: int) -> tuple[NDArray[np.int64], Vectors]:
    """The nearest rows of all parts to each asked vector, the nearest first; ties by place.

    Args:
        asked: rows of length 1, shape (n, width).
        parts: the rows to be looked through, one part in memory at a time.
        count: how many; fewer where there are not as many.

    Returns:
        Places among all parts' rows, and cosines, both of shape (n, count).
    """
    places, cosines = np.zeros((len(asked), 0), np.int64), np.zeros((len(asked), 0), np.float32)
    start = 0
    for part in parts:
        number = np.broadcast_to(np.arange(start, start + len(part)), (len(asked), len(part)))
        places = np.concatenate([places, number], axis=1)
        cosines = np.concatenate([cosines, asked @ part.T], axis=1)
        best = np.argsort(-cosines, axis=1, kind="stable")[:, :count]
        places, cosines = np.take_along_axis(places, best, 1), np.take_along_axis(cosines, best, 1)
        start += len(part)
    return places, cosines
