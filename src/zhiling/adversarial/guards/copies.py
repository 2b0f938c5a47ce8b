"""How many made texts copy a known one, beside how many real texts copy another real one.

Three figures, each a share of the texts:

* `exact`: the whole text is a known one in its normal form (case, width, punctuation and spaces aside);
* `grams`: it has a stretch of a known text in a row: 13 tokens, or 20 where it is made of characters
  (Chinese, Japanese, Thai), as in decontamination. A shorter text copies when all of it stands in a row in a
  known text, and it has at least 5 tokens (8 characters): "cancel my order" stands in many texts that have
  nothing to do with each other. An even shorter one copies only as a whole.
* `repeats`: it is the same, in normal form, as an earlier one of its own side.

An edited copy with no such stretch is not found: near-duplicates are for `near_dedup`.

Source: Brown et al. 2020, Language Models are Few-Shot Learners, appendix C (13-grams).
"""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic.dataclasses import dataclass

from zhiling.adversarial.guards.figures import FIGURES, Share, enough, filled
from zhiling.text.grams import text_grams
from zhiling.text.ngrams import CHARACTERS, WORDS
from zhiling.text.normalise import normalise
from zhiling.text.tokens import mostly_unspaced, token_counts

LEAST_WORDS, LEAST_CHARACTERS = 5, 8

Flags = NDArray[np.bool_]


@dataclass(frozen=True, config=FIGURES)
class Copied:
    """Copies among made texts, and among real ones."""

    exact: Share
    grams: Share
    repeats: Share
    real_exact: Share
    real_grams: Share
    real_repeats: Share


def copied(made: pl.Series, known: pl.Series) -> Copied:
    """Which share of the made texts copies a known one, and which share of the known ones another of them.

    Args:
        made: the texts of a round.
        known: the real texts that the generators could see.

    Raises:
        UsageError: fewer than 20 texts on a side, or a null among them.
    """
    enough("copies", made=len(made), real=len(known))
    made, known = (normalise(filled("copies", each)) for each in (made, known))
    return Copied(
        exact=_share(made.is_in(known.implode())),
        grams=_share(_copying(made, known, own=0)),
        repeats=_share(~made.is_first_distinct()),
        real_exact=_share(known.is_duplicated()),
        real_grams=_share(_copying(known, known, own=1)),
        real_repeats=_share(~known.is_first_distinct()),
    )


def copying(texts: pl.Series, known: pl.Series) -> Flags:
    """Which texts copy a known one as a whole or in a stretch (see `grams` above), shape (texts,).

    Raises:
        UsageError: a text is null.
    """
    return _copying(*(normalise(filled("copies", each)) for each in (texts, known)), own=0)


def _share(copies: pl.Series | Flags) -> Share:
    return Share(int(copies.sum()), len(copies))


def _copying(texts: pl.Series, known: pl.Series, own: int) -> Flags:
    """Which texts have a stretch that more than `own` known texts have (1: where the texts are the known)."""
    sizes = _stretches(texts)
    found = np.zeros(len(texts), dtype=np.bool_)
    for size in np.unique(sizes[sizes > 0]).tolist():
        rows = np.flatnonzero(sizes == size)
        hashes, counts = _owners(known, size)
        asked, row = _windows(texts.gather(rows), size)
        place = np.searchsorted(hashes, asked)
        place[place == len(hashes)] = 0
        copies = (hashes[place] == asked) & (counts[place] > own) if len(hashes) else np.zeros(len(row), bool)
        found[rows[row[copies]]] = True
    whole = texts.is_duplicated() if own else texts.is_in(known.implode())
    return found | (whole & (texts != "")).to_numpy()


def _stretches(texts: pl.Series) -> NDArray[np.int64]:
    """How long a stretch of each text is looked for; 0: the text is too short for any."""
    dense = mostly_unspaced(texts)
    most = np.where(dense, CHARACTERS, WORDS)
    least = np.where(dense, LEAST_CHARACTERS, LEAST_WORDS)
    tokens = token_counts(texts).to_numpy().astype(np.int64)
    return np.where(tokens >= least, np.minimum(tokens, most), 0)


def _owners(known: pl.Series, size: int) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """The distinct stretches of `size` tokens of the known texts, sorted, and in how many texts each is."""
    long = known.filter(token_counts(known) >= size)
    hashes, rows = _windows(long, size)
    pairs = pl.DataFrame({"hash": hashes, "row": rows}).unique()
    counted = pairs.group_by("hash").len().sort("hash")
    return counted["hash"].to_numpy(), counted["len"].to_numpy().astype(np.int64)


def _windows(texts: pl.Series, size: int) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Hashes of all stretches of `size` tokens, and the row of each."""
    hashes, counts = [np.empty(0, dtype=np.uint64)], [np.empty(0, dtype=np.int64)]
    for grams in text_grams(texts, size):
        hashes.append(grams.hashes)
        counts.append(np.diff(grams.offsets))
    return np.concatenate(hashes), np.repeat(np.arange(len(texts)), np.concatenate(counts))
