"""Hashed n-grams: a text's row never depends on its company, and equals a plain count."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zhiling.encoders.ngrams import FIRST_DENSE_SCRIPT, hash_ngrams, normalise

texts = st.lists(
    st.text(alphabet=st.sampled_from("ab 密码?🙂Ａ\n"), max_size=12) | st.text(max_size=8), max_size=6
)


@settings(max_examples=100, deadline=None)
@given(texts)
def test_rows_do_not_depend_on_their_company(rows: list[str]) -> None:
    together = hash_ngrams(rows, 1, 4, 4096).dense()
    for place, text in enumerate(rows):
        assert np.array_equal(together[place], hash_ngrams([text], 1, 4, 4096).dense()[0])


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet="ab 密码?", max_size=15))
def test_weights_equal_a_plain_count(text: str) -> None:
    plain = normalise(text)
    padded = f" {plain} " if plain else ""
    windows = Counter(
        padded[start : start + size]
        for size in (1, 2, 3)
        for start in range(len(padded) - size + 1)
        if size > 1 or ord(padded[start]) >= FIRST_DENSE_SCRIPT
    )
    weights = np.array(sorted(1 + np.log(count) for count in windows.values()))
    found = np.sort(np.abs(hash_ngrams([text], 1, 3, 2**24).values))
    assert found == pytest.approx(weights / max(np.linalg.norm(weights), 1e-9), abs=1e-6)
