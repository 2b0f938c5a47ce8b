"""MinHash: the estimate, the bands, and what verification removes."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from zhiling.text.jaccard import connected, jaccard
from zhiling.text.linking import Comparison, link
from zhiling.text.minhash import PERMUTATIONS, band_postings, bands, near_duplicates, signatures, thinned
from zhiling.text.shingles import Shingles, shingles
from zhiling.text.union_find import components

SIZE = 180


def constructed(similarity: float, pairs: int, seed: int = 5) -> Shingles:
    """Rows 2k and 2k + 1 have SIZE shingles each and the given similarity; no other two rows share any."""
    common = round(2 * SIZE * similarity / (1 + similarity))
    drawn = np.random.default_rng(seed).permutation(2**22).astype(np.uint32) * np.uint32(2_654_435_761)
    blocks = drawn[: pairs * (2 * SIZE - common)].reshape(pairs, -1)
    rows = np.stack([blocks[:, :SIZE], blocks[:, -SIZE:]], axis=1).reshape(2 * pairs, SIZE)
    return Shingles(np.sort(rows, axis=1).ravel(), np.arange(0, 2 * pairs * SIZE + 1, SIZE))


@pytest.mark.parametrize("similarity", [0.25, 0.5, 0.8, 0.95])
def test_signatures_estimate_the_similarity(similarity: float) -> None:
    rows = constructed(similarity, 200)
    signed = signatures(rows)
    exact = jaccard(rows, np.arange(0, 400, 2), np.arange(1, 400, 2))
    assert abs((signed[:, 0::2] == signed[:, 1::2]).mean() - exact.mean()) < 0.01


@pytest.mark.parametrize("similarity", [0.5, 0.6, 0.65, 0.7, 0.8])
def test_bands_meet_as_often_as_they_promise(similarity: float) -> None:
    rows = constructed(similarity, 1_000)
    exact = jaccard(rows, [0], [1])[0]
    postings = band_postings(rows, np.arange(2_000), 0.8)
    found = len(link(postings, Comparison(rows, 0.1))) / 1_000
    assert abs(found - (1 - (1 - exact**6) ** 21)) < 0.04


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.7, 0.8, 0.9, 0.97])
def test_recall_at_the_threshold(threshold: float) -> None:
    rows = constructed(threshold, 1_000)
    exact = jaccard(rows, [0], [1])[0]
    assert len(near_duplicates(rows, exact)) >= 985


def test_bands_are_as_wide_as_the_threshold_allows() -> None:
    assert bands(0.8) == (21, 6)
    assert bands(1.0) == (1, 126)
    for percent in range(5, 101):
        count, width = bands(percent / 100)
        assert count * width <= PERMUTATIONS
        assert 1 - (1 - (percent / 100) ** width) ** count >= 0.995


def test_candidates_below_the_threshold_are_removed() -> None:
    rows = constructed(0.75, 1_000)
    assert len(near_duplicates(rows, 0.7)) > 950
    assert len(near_duplicates(rows, 0.8)) == 0


def test_exact_method_finds_all() -> None:
    rows = constructed(0.8, 500)
    exact = jaccard(rows, [0], [1])[0]
    assert len(near_duplicates(rows, exact, method="exact")) == 500


def test_seed_decides_the_candidates() -> None:
    rows = constructed(0.6, 500)
    first, again, other = (band_postings(rows, np.arange(1_000), 0.8, seed) for seed in (1, 1, 2))
    assert first.row.tolist() == again.row.tolist()
    assert first.row.tolist() != other.row.tolist()


def test_one_word_changed_is_found_in_english_and_chinese() -> None:
    english = " ".join(f"word{number}" for number in range(80))
    chinese = "".join(chr(0x4E00 + 7 * number) for number in range(80))
    rows = shingles(pl.Series([english, chinese, english.replace("word40", "other"), chinese[:-1] + "甲"]))
    pairs = near_duplicates(rows)
    assert pairs.left.tolist() == [0, 1]
    assert pairs.right.tolist() == [2, 3]


def test_a_crowded_bucket_loses_no_pair() -> None:
    """Rows of one template fill large buckets: those alike end up connected, not all compared."""
    generator = np.random.default_rng(3)
    base = generator.integers(0, 2**32, 200, dtype=np.uint32)
    rows = []
    for _ in range(300):
        row = base.copy()
        row[generator.choice(200, 16, replace=False)] = generator.integers(0, 2**32, 16, dtype=np.uint32)
        rows.append(np.unique(row))
    made = Shingles(np.concatenate(rows), np.concatenate([[0], np.cumsum([len(row) for row in rows])]))
    pairs = near_duplicates(made, 0.84)
    truth = connected(made, 0.84)
    found = components(300, pairs.left, pairs.right)
    assert (jaccard(made, pairs.left, pairs.right) >= 0.84).all()
    assert (found == truth).mean() > 0.99


def test_templated_rows_are_not_all_compared() -> None:
    """20,000 rows of one template, none alike: as pairs of a bucket they would be millions of comparisons."""
    names = [f"name{number}" for number in range(20_000)]
    rows = shingles(
        pl.Series([f"please tell me how {a} can cancel the order of {a} for the {a} shop" for a in names])
    )
    assert len(near_duplicates(rows, 0.8)) == 0
    assert len(thinned(rows, band_postings(rows, np.arange(20_000), 0.3), 0.8).row) < 1_000
