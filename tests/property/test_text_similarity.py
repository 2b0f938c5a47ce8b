"""The exact join, the linking and the components against brute force."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from zhiling.text import linking, prefix_filter
from zhiling.text.jaccard import connected, jaccard, linked_pairs, similar_pairs
from zhiling.text.minhash import near_duplicates
from zhiling.text.shingles import Shingles
from zhiling.text.union_find import components

# Few values, so that sets overlap, are equal, or are empty; spread over 32 bits as hashes are.
elements = st.sampled_from([(7 + 2 * number) * 0x9E3779B1 % 2**32 for number in range(24)])
families = st.lists(st.frozensets(elements, max_size=12), max_size=14)
thresholds = st.sampled_from([0.2, 1 / 3, 0.5, 0.6, 0.75, 0.8, 0.9, 1.0])


def of_sets(family: list[frozenset[int]]) -> Shingles:
    hashes = np.array([value for row in family for value in sorted(row)], dtype=np.uint32)
    return Shingles(hashes, np.concatenate([[0], np.cumsum([len(row) for row in family], dtype=np.int64)]))


def brute_force(family: list[frozenset[int]], threshold: float) -> dict[tuple[int, int], float]:
    return {
        (a, b): len(family[a] & family[b]) / len(family[a] | family[b])
        for b in range(len(family))
        for a in range(b)
        if family[a] and family[b] and len(family[a] & family[b]) / len(family[a] | family[b]) >= threshold
    }


def flood(n: int, pairs: dict[tuple[int, int], float] | list[tuple[int, int]]) -> list[int]:
    """Labels by repeated sweeps: the slow way."""
    labels = list(range(n))
    for _ in range(n):
        for a, b in pairs:
            labels[a] = labels[b] = min(labels[a], labels[b])
    return labels


@given(families, thresholds)
def test_join_finds_exactly_what_brute_force_finds(family: list[frozenset[int]], threshold: float) -> None:
    pairs = similar_pairs(of_sets(family), threshold)
    found = dict(zip(zip(pairs.left.tolist(), pairs.right.tolist(), strict=True), pairs.jaccard, strict=True))
    first = [family.index(row) for row in family]
    truth = brute_force(family, threshold)
    expected = {
        (a, b): similarity
        for (a, b), similarity in truth.items()
        if (first[a] == a and first[b] == b) or (first[b] == a)
    }
    assert found == expected
    assert list(found) == sorted(found)


@given(families, thresholds)
def test_components_are_those_of_all_pairs(family: list[frozenset[int]], threshold: float) -> None:
    expected = flood(len(family), brute_force(family, threshold))
    assert connected(of_sets(family), threshold).tolist() == expected
    exact = near_duplicates(of_sets(family), threshold, method="exact")
    assert components(len(family), exact.left, exact.right).tolist() == expected


@given(families, thresholds)
def test_every_reported_pair_is_true(family: list[frozenset[int]], threshold: float) -> None:
    truth = brute_force(family, threshold)
    for find in (linked_pairs, near_duplicates):
        pairs = find(of_sets(family), threshold)
        for a, b, similarity in zip(pairs.left.tolist(), pairs.right.tolist(), pairs.jaccard, strict=True):
            assert truth[a, b] == similarity


@given(families, thresholds, st.randoms())
def test_order_of_rows_changes_no_component(
    family: list[frozenset[int]], threshold: float, random: Random
) -> None:
    order = list(range(len(family)))
    random.shuffle(order)
    labels = connected(of_sets(family), threshold)
    moved = connected(of_sets([family[row] for row in order]), threshold)
    for a, row_a in enumerate(order):
        for b, row_b in enumerate(order):
            assert (moved[a] == moved[b]) == (labels[row_a] == labels[row_b])


@given(families)
def test_jaccard_of_all_pairs(family: list[frozenset[int]]) -> None:
    pairs = [(a, b) for a in range(len(family)) for b in range(len(family))]
    expected = [len(family[a] & family[b]) / max(len(family[a] | family[b]), 1) for a, b in pairs]
    assert jaccard(of_sets(family), [a for a, _ in pairs], [b for _, b in pairs]).tolist() == expected


@given(
    st.integers(1, 12).flatmap(
        lambda n: st.tuples(st.just(n), st.lists(st.tuples(*[st.integers(0, n - 1)] * 2)))
    )
)
def test_union_find(case: tuple[int, list[tuple[int, int]]]) -> None:
    n, pairs = case
    left, right = [a for a, _ in pairs], [b for _, b in pairs]
    assert components(n, left, right).tolist() == flood(n, pairs)
    assert components(n, right[::-1], left[::-1]).tolist() == flood(n, pairs)


def random_family(rows: int, seed: int) -> Shingles:
    """Rows with shared boilerplate, of very different size, many of them alike."""
    generator = np.random.default_rng(seed)
    common = generator.integers(0, 2**32, 60, dtype=np.uint32)
    made: list[NDArray[np.uint32]] = []
    for row in range(rows):
        if row % 3 == 2:
            base = made[generator.integers(len(made))]
            own = base[generator.random(len(base)) < 0.9]
        else:
            own = generator.integers(0, 2**32, generator.integers(1, 90), dtype=np.uint32)
        name = np.array([row], dtype=np.uint32)  # so that no two sets are equal
        made.append(np.unique(np.concatenate([own, name, common[: generator.integers(0, 60)]])))
    return Shingles(np.concatenate(made), np.concatenate([[0], np.cumsum([len(row) for row in made])]))


def test_small_blocks_and_bitmaps_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = random_family(400, seed=11)
    left, right = np.triu_indices(400, 1)
    similarity = jaccard(rows, left, right)
    for threshold in (0.3, 0.5, 0.8):
        reached = similarity >= threshold
        labels = components(400, left[reached], right[reached]).tolist()
        for block, few in ((1 << 20, 1 << 16), (50, 0)):
            monkeypatch.setattr(linking, "_BLOCK_PAIRS", block)
            monkeypatch.setattr(linking, "_FEW_PAIRS", few)
            monkeypatch.setattr(prefix_filter, "_MOST_TABLE_BITS", 24 if few else 6)
            assert len(similar_pairs(rows, threshold)) == reached.sum()
            assert connected(rows, threshold).tolist() == labels
