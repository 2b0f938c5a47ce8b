"""Which known texts a teacher is shown as examples: those nearest to a key by a hash of both.

A text more changes the examples of those rows alone to which it is nearer, so nearly all prompts, and the
replies that are stored for them, stay.

Source: Thaler and Ravishankar (1998), rendezvous hashing.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from zhiling.text.tokens import mix


def numbers(ids: pl.Series) -> NDArray[np.uint64]:
    """The first half of each id as a number."""
    return np.array([int(each[:16], 16) for each in ids.to_list()], dtype=np.uint64)


def keys(drawn: NDArray[np.float64]) -> NDArray[np.uint64]:
    """Keys of draws in [0, 1)."""
    return (drawn * 2.0**53).astype(np.uint64)


def nearest(ids: NDArray[np.uint64], key: np.uint64, most: int) -> list[int]:
    """The places of at most `most` ids, the nearest to the key first."""
    scores = mix(ids ^ key)
    chosen = np.argpartition(scores, most)[:most] if len(ids) > most else np.arange(len(ids))
    return chosen[np.argsort(scores[chosen], kind="stable")].tolist()


def among(own: str, others: Sequence[str], key: np.uint64) -> list[str]:
    """The own text among the others, at a place that the key tells."""
    place = int(key) % (len(others) + 1)
    return [*others[:place], own, *others[place:]]
