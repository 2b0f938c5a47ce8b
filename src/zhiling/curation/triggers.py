"""Rare n-grams whose rows have one label that nothing else in them explains: what planted triggers are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from zhiling.text.normalise import normalise

WORDS, CHARACTERS = 3, 6
"""Longest n-grams: words, characters of scripts without spaces."""
SLACK = 0.01
"""How much likelier than usual the texts around a trigger may make its outcome."""
PIECES = r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}]|[\p{L}\p{M}\p{N}_]+"
_SPACELESS = r"^[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}]$"


@dataclass(frozen=True)
class Trigger:
    """One suspicious n-gram."""

    text: str
    outcome: int
    rows: NDArray[np.int64]
    """The rows that hold it and have the outcome."""
    surprise: float
    """-ln of a bound on the chance that so many of its rows have this outcome, after all n-grams tried."""


def rare_grams(texts: pl.Series, least: int, most: int) -> pl.DataFrame:
    """N-grams of words (1 to 3) and of Chinese characters (2 to 6) in `least` to `most` rows.

    Returns:
        `gram` (string) and `rows` (list of row numbers, ascending); of n-grams in exactly the same rows only
        the longest.
    """
    tokens = pl.DataFrame({"token": normalise(texts).str.extract_all(PIECES)}).with_row_index("row")
    flat = tokens.explode("token").drop_nulls("token")
    flat = flat.with_columns(spaceless=pl.col("token").str.contains(_SPACELESS))
    found: list[pl.DataFrame] = []
    for size in range(1, CHARACTERS + 1):
        window = [pl.col("token").shift(-step) for step in range(size)]
        alike = [pl.col("spaceless").shift(-step) for step in range(size)]
        grams = flat.select(
            "row",
            gram=pl.when(pl.all_horizontal(alike))
            .then(pl.concat_str(window))
            .otherwise(pl.concat_str(window, separator=" ")),
            whole=(pl.col("row") == pl.col("row").shift(-(size - 1))).fill_null(value=False),
            characters=pl.all_horizontal(alike),
            words=~pl.any_horizontal(alike),
        ).filter(
            "whole",
            (pl.col("words") & (size <= WORDS)) | (pl.col("characters") & (size > 1)),
        )
        held = grams.select("row", "gram").unique().group_by("gram").agg(rows=pl.col("row").sort())
        found.append(held.filter(pl.col("rows").list.len().is_between(least, most)))
    everything = pl.concat(found).with_columns(length=pl.col("gram").str.len_chars())
    longest = everything.sort("length", "gram", descending=True).unique(
        "rows", keep="first", maintain_order=True
    )
    return longest.sort("gram").select("gram", pl.col("rows").cast(pl.List(pl.Int64)))


def triggers(
    grams: pl.DataFrame,
    outcomes: NDArray[np.int64],
    probabilities: NDArray[np.float64],
    least_surprise: float,
) -> list[Trigger]:
    """The n-grams whose rows have one outcome more often than the rest of their texts lets expect.

    An honest rare word comes with a text that makes its label likelier than usual; so n-grams are left out
    whose rows do, by more than `SLACK`. (Without this rule a seventh of Chinese headlines is flagged.)

    Args:
        grams: from `rare_grams`.
        outcomes: the outcome of each row, -1 where it has none.
        probabilities: (rows, outcomes), how likely the rest of each text makes each outcome.
        least_surprise: in nats, after the number of n-grams tried was paid for.

    Source: Chernoff's bound for a sum of independent Bernoulli trials, n · KL(observed share ‖ mean chance).
    """
    found: list[Trigger] = []
    usual = np.bincount(outcomes[outcomes >= 0], minlength=probabilities.shape[1]) / len(outcomes)
    price = np.log(max(grams.height, 1)) + np.log(max(probabilities.shape[1], 1))
    for gram, held in zip(grams["gram"].to_list(), grams["rows"].to_list(), strict=True):
        rows = np.asarray(held, dtype=np.int64)
        rows = rows[outcomes[rows] >= 0]
        if not len(rows):
            continue
        outcome = int(np.bincount(outcomes[rows]).argmax())
        hit = rows[outcomes[rows] == outcome]
        expected = float(probabilities[rows, outcome].mean())
        share = np.float64(len(hit) / len(rows))
        surprise = float(len(rows) * divergence(np.asarray(share), expected)) - price
        if expected <= usual[outcome] + SLACK and expected < share and surprise >= least_surprise:
            found.append(Trigger(gram, outcome, hit, surprise))
    return sorted(found, key=lambda trigger: (-trigger.surprise, trigger.text))


def divergence(share: NDArray[np.float64], chance: float) -> NDArray[np.float64]:
    """Kullback-Leibler divergence of coins, nats. 0 for equal ones, ln 2 for (1, .5)."""
    chance = min(max(chance, 1e-6), 1 - 1e-6)
    with np.errstate(divide="ignore", invalid="ignore"):
        yes = np.where(share > 0, share * np.log(share / chance), 0.0)
        no = np.where(share < 1, (1 - share) * np.log((1 - share) / (1 - chance)), 0.0)
    return yes + no


def strongest(found: Sequence[Trigger], height: int) -> tuple[list[str | None], NDArray[np.float64]]:
    """For each row the most surprising trigger that it holds, and its surprise (0: none)."""
    names: list[str | None] = [None] * height
    scores = np.zeros(height)
    for trigger in reversed(found):
        for row in trigger.rows.tolist():
            names[row], scores[row] = trigger.text, trigger.surprise
    return names, scores
