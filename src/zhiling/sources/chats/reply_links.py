"""Which earlier message each message of a log answers: a linker that learns from linked logs.

linker = Linker.shipped()
[(link.message, link.answers, link.probability) for link in linker.links(messages)]
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from zhiling.sources.chats.reply_features import NAMES, Features, Message, shipped_file

RIDGE = 1.0
_STEPS = 50
_CLOSE = 1e-6
_LOG_MESSAGES = 5_000
_OVERLAP = 500
_TINY = 1e-12

_Pair = tuple[NDArray[np.float64], NDArray[np.bool_]]


class Link(NamedTuple):
    """A message and the one that it answers; itself where it starts a thread. The probability: 0 to 1."""

    message: int
    answers: int
    probability: float


class Linked(NamedTuple):
    """A log to learn from: its messages, and for some of them the ones that they answer (or themselves)."""

    messages: Sequence[Message]
    answers: Mapping[int, set[int]]


@dataclass(frozen=True)
class Linker:
    """A conditional logit: the probability that a message answers one of those before it, or none.

    Attributes:
        weights: (len(NAMES),), one a feature.

    Source: McFadden 1974, Conditional logit analysis; features after Elsner & Charniak 2008 and Kummerfeld
    et al. 2019.
    """

    weights: NDArray[np.float64]

    @classmethod
    def shipped(cls) -> Linker:
        """The linker that comes along; see its file for what it was learnt from."""
        return cls(_shipped())

    @classmethod
    def learnt(cls, logs: Iterable[Linked], ridge: float = RIDGE) -> Linker:
        """The weights that make the given answers most probable.

        Args:
            logs: with answers; a message whose answers all lie outside the window is left out.
            ridge: penalty on the squared weights.

        Raises:
            ValueError: no message has an answer inside the window.
        """
        pairs = [pair for log in logs for pair in _pairs(log)]
        if not pairs:
            raise ValueError("no message of the logs has an answer within the window: nothing can be learnt")
        weights, loss = np.zeros(len(NAMES)), _loss(pairs, np.zeros(len(NAMES)), ridge)
        for _ in range(_STEPS):
            step = _newton(pairs, weights, ridge)
            while (reached := _loss(pairs, weights - step, ridge)) > loss and np.abs(step).max() > _CLOSE:
                step = step / 2
            if reached > loss - _CLOSE:
                break
            weights, loss = weights - step, reached
        return cls(weights)

    def links(self, messages: Sequence[Message], start: int = 0) -> list[Link]:
        """The most probable link of each message from `start` on."""
        found: list[Link] = []
        for first in range(start, len(messages), _LOG_MESSAGES):
            low = max(0, first - _OVERLAP)
            part = messages[low : first + _LOG_MESSAGES]
            features = Features(part)
            for number in range(first - low, len(part)):
                chances = _softmax(features.of(number) @ self.weights)
                best = int(chances.argmax())
                answered = number + low - best
                found.append(Link(number + low, answered, float(chances[best])))
        return found


def _pairs(log: Linked) -> Iterator[_Pair]:
    """Of each message with answers its features, and which of its candidates are right."""
    features = Features(log.messages)
    for number, answers in sorted(log.answers.items()):
        table = features.of(number)
        right = np.zeros(len(table), dtype=np.bool_)
        right[[number - one for one in answers if 0 <= number - one < len(table)]] = True
        if right.any():
            yield table, right


def _loss(pairs: Sequence[_Pair], weights: NDArray[np.float64], ridge: float) -> float:
    """The negative log likelihood with its penalty."""
    right = sum(-math.log(_softmax(table @ weights)[right].sum() + _TINY) for table, right in pairs)
    return right + ridge / 2 * float(weights @ weights)


def _newton(pairs: Sequence[_Pair], weights: NDArray[np.float64], ridge: float) -> NDArray[np.float64]:
    """A step of Newton's method on the negative log likelihood, with the curvature of all candidates."""
    gradient = ridge * weights
    curvature = ridge * np.eye(len(weights))
    for table, right in pairs:
        chances = _softmax(table @ weights)
        wanted = np.where(right, chances, 0) / (chances[right].sum() + _TINY)
        mean = chances @ table
        gradient = gradient + mean - wanted @ table
        curvature += (table * chances[:, None]).T @ table - np.outer(mean, mean)
    return np.linalg.solve(curvature, gradient).astype(np.float64)


def _softmax(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    powers = np.exp(scores - scores.max())
    return powers / powers.sum()


@cache
def _shipped() -> NDArray[np.float64]:
    weights = shipped_file()["weights"]
    return np.array([float(weights[name]) for name in NAMES])
