"""Laws of the normal form on text of all scripts."""

from __future__ import annotations

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from zhiling.text.normalise import normalise, normalise_text

texts = st.lists(
    st.text(max_size=40) | st.sampled_from(["a\u0301\u200d\u0302", "Σ.Σ", "...", "é" * 9]), max_size=8
)


@given(texts)
def test_twice_is_once(rows: list[str]) -> None:
    once = normalise(pl.Series(rows, dtype=pl.String))
    assert normalise(once).to_list() == once.to_list()


@given(texts)
def test_a_row_does_not_depend_on_its_neighbours(rows: list[str]) -> None:
    assert normalise(pl.Series(rows, dtype=pl.String)).to_list() == [normalise_text(row) for row in rows]


@given(st.text(max_size=40))
def test_case_and_spaces_do_not_matter(text: str) -> None:
    form = normalise_text(text)
    assert form == form.strip()
    assert "  " not in form
    assert normalise_text(f" \t{text}\n.") == form


@given(st.text(alphabet="abc XYZ,.你好！😀é", max_size=30))
def test_upper_case_is_lower_case(text: str) -> None:
    assert normalise_text(text.upper()) == normalise_text(text.lower())
