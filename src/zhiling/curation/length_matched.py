"""How well a score tells better rows from worse ones, on all pairs and on pairs of like length.

Long replies are liked: of judged pairs the longer reply wins four in five, of pairs of like length about
half. So a score that only counts words looks good until lengths are held equal.

    found = length_matched(scores, lengths, better)
    found.share, found.matched        # .81 of all pairs, .63 of those of like length
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

TOLERANCE = 0.1
"""Lengths are alike where the shorter is at least nine tenths of the longer."""

_ROUNDING = 1e-9

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class LengthMatched:
    """A score held against length.

    Attributes:
        share: of all pairs of a better and a worse row, those in which the better one has the higher score,
            ties by half: the AUROC, or of given pairs the win rate. .5 is chance; NaN without a pair.
        matched: the same of pairs of like length.
        longer: the same of all pairs, if length were the score.
        pairs: number of pairs.
        matched_pairs: number of pairs of like length.
        correlation: rank correlation (Spearman) of score and length over all rows, -1 to 1; NaN where one of
            them is the same everywhere.
    """

    share: float
    matched: float
    longer: float
    pairs: int
    matched_pairs: int
    correlation: float


def length_matched(
    scores: Numbers, lengths: Numbers, better: NDArray[np.bool_], *, tolerance: float = TOLERANCE
) -> LengthMatched:
    """Every better row against every worse one; shape (n,) each. Scores may be infinite, not NaN."""
    order = np.argsort(lengths, kind="stable")
    scores, lengths, better = scores[order], lengths[order], better[order]
    others, other_lengths = scores[better], lengths[better]
    low = np.searchsorted(other_lengths, lengths[~better] * (1 - tolerance) - _ROUNDING, side="left")
    high = np.searchsorted(other_lengths, lengths[~better] / (1 - tolerance) + _ROUNDING, side="right")
    won = sum(
        _won(others[start:end], score)
        for score, start, end in zip(scores[~better].tolist(), low.tolist(), high.tolist(), strict=True)
    )
    pairs, matched = int(better.sum() * (~better).sum()), int((high - low).sum())
    return LengthMatched(
        share=_auroc(scores, better), matched=won / matched if matched else np.nan,
        longer=_auroc(lengths, better), pairs=pairs, matched_pairs=matched,
        correlation=rank_correlation(scores, lengths),
    )  # fmt: skip


def length_matched_pairs(
    better: tuple[Numbers, Numbers], worse: tuple[Numbers, Numbers], *, tolerance: float = TOLERANCE
) -> LengthMatched:
    """Given pairs, such as a chosen and a rejected reply to one question.

    Args:
        better: score and length of the better one of each pair, shape (pairs,) each.
        worse: the same of the other one.
        tolerance: how much shorter the shorter one may be in a pair of like length, as a share.
    """
    shorter = np.minimum(better[1], worse[1])
    alike = shorter >= (1 - tolerance) * np.maximum(better[1], worse[1]) - _ROUNDING
    wins, longer = _wins(better[0], worse[0]), _wins(better[1], worse[1])
    return LengthMatched(
        share=_mean(wins), matched=_mean(wins[alike]), longer=_mean(longer),
        pairs=len(alike), matched_pairs=int(alike.sum()),
        correlation=rank_correlation(
            np.concatenate([better[0], worse[0]]), np.concatenate([better[1], worse[1]])
        ),
    )  # fmt: skip


def rank_correlation(first: Numbers, second: Numbers) -> float:
    """Spearman's: the correlation of the ranks, ties sharing theirs; NaN where a side has one value only."""
    ranks = [pl.Series(side).rank("average").to_numpy() for side in (first, second)]
    if any(len(side) < 2 or side.min() == side.max() for side in ranks):
        return float("nan")
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])


def _auroc(scores: Numbers, better: NDArray[np.bool_]) -> float:
    """By the sum of ranks (Mann & Whitney 1947)."""
    above, below = int(better.sum()), int((~better).sum())
    if not above or not below:
        return float("nan")
    ranks = pl.Series(scores).rank("average").to_numpy()
    return float((ranks[better].sum() - above * (above + 1) / 2) / (above * below))


def _won(scores: Numbers, score: float) -> float:
    """How many of the scores are higher, ties by half."""
    return float((scores > score).sum() + (scores == score).sum() / 2)


def _wins(first: Numbers, second: Numbers) -> Numbers:
    return (first > second) + (first == second) / 2


def _mean(values: Numbers) -> float:
    return float(values.mean()) if len(values) else float("nan")
