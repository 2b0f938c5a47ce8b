"""The index over blocks finds what the function over all rows finds, from memory or from the file."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zhiling.text import near
from zhiling.text.minhash import Method, near_duplicates
from zhiling.text.near import NearIndex
from zhiling.text.normalise import normalise
from zhiling.text.shingles import bags, shingles

WORDS = ["refund", "order", "ships", "today", "退款", "订单", "到账"]
TEXTS = st.lists(st.lists(st.sampled_from(WORDS), max_size=9).map(" ".join), max_size=16)


def found(texts: list[str], cuts: list[int], method: Method, jaccard: float) -> list[tuple[int, int, float]]:
    with NearIndex(jaccard, method) as index:
        for low, high in zip([0, *cuts], [*cuts, len(texts)], strict=True):
            index.add(bags(normalise(pl.Series(texts[low:high], dtype=pl.String)), 2))
        answer = index.find()
        assert (index.sizes[answer.rows] >= answer.sets.sizes).all()
    pairs = answer.pairs
    left, right = answer.rows[pairs.left].tolist(), answer.rows[pairs.right].tolist()
    return list(zip(left, right, pairs.jaccard.tolist(), strict=True))


@settings(max_examples=80, deadline=None)
@given(TEXTS, st.data(), st.sampled_from(["minhash", "exact"]), st.sampled_from([0.4, 0.6, 0.9]))
def test_blocks_change_nothing(texts: list[str], data: st.DataObject, method: Method, jaccard: float) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(texts)), max_size=3)))
    pairs = near_duplicates(shingles(normalise(pl.Series(texts, dtype=pl.String)), 2), jaccard, method)
    expected = list(zip(pairs.left.tolist(), pairs.right.tolist(), pairs.jaccard.tolist(), strict=True))
    assert found(texts, cuts, method, jaccard) == expected


def test_shingles_are_spilled_and_read_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(near, "_MEMORY_BYTES", 1_000)
    monkeypatch.setattr(near, "_READ_CELLS", 64)
    draw = np.random.default_rng(4)
    texts = [" ".join(f"w{word}" for word in draw.integers(0, 5_000, 40)) for _ in range(300)]
    texts += [text.replace(text.split()[20], "other") for text in texts[::3]]
    pairs = found(texts, [100, 250], "minhash", 0.5)
    assert [(left, right) for left, right, _ in pairs] == [(3 * n, 300 + n) for n in range(100)]
    assert found([], [], "minhash", 0.8) == []
