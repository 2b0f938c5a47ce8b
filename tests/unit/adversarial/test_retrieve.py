"""Retrieve: lines get the label of the rows that they are near to, and of what was accepted before."""

from __future__ import annotations

import json
from collections.abc import Sequence

import polars as pl
import pytest

from tests.desk_lines import desk
from zhiling.adversarial.generators.retrieve import Retrieve
from zhiling.encoders.hashing import HashingEncoder
from zhiling.errors import UsageError
from zhiling.pipeline.step import Context
from zhiling.rows.conversation import dialogue, user_text
from zhiling.rows.target import LABEL


def frame(known: Sequence[tuple[str, str]], lines: Sequence[str]) -> pl.DataFrame:
    texts = [*(text for text, _ in known), *lines]
    truths = [json.dumps({"labels": [label]}) for _, label in known]
    none = pl.Series([None] * len(texts), dtype=pl.String)
    return pl.DataFrame(
        {
            "id": [f"{place:032x}" for place in range(len(texts))],
            "messages": dialogue({"user": pl.Series(texts, dtype=pl.String)}),
            "task": ["classification"] * len(known) + ["utterance"] * len(lines),
            "target": pl.Series([*truths, *[None] * len(lines)], dtype=pl.String),
        }
    ).with_columns(none.alias("group"), none.alias("extra"))


def made(step: Retrieve, rows: pl.DataFrame, before: pl.DataFrame | None = None) -> dict[str, str]:
    context = Context(step_id="r", round=2, load_encoder=HashingEncoder, reference=before)
    found = step.make(rows.filter(step.applies(rows)), context).rows
    assert found["parents"].list.len().to_list() == [1] * found.height
    return dict(found.select(user_text(found["messages"]).alias("text"), LABEL.alias("label")).iter_rows())


def test_lines_get_the_label_of_their_nearest_rows_in_both_languages() -> None:
    known, others = desk(6, 12)
    found = made(Retrieve(least=0.2), frame(known, [text for text, _ in others]))
    right = [found[text] == label for text, label in others if text in found]
    assert len(right) > 50
    assert sum(right) / len(right) > 0.85


def test_known_texts_empty_ones_and_copies_are_not_made() -> None:
    known, _ = desk(3, 0)
    found = made(Retrieve(least=-1), frame(known, [known[0][0], "", " ", "my bank card", "my bank card"]))
    assert list(found) == ["my bank card"]


def test_what_was_accepted_before_is_known_too() -> None:
    known = [("reset the password", "password"), ("where is the parcel", "parcel")]
    rows = frame(known, ["the gizmo squeaks loudly"])
    assert not made(Retrieve(least=0.5), rows)
    before = frame([("the gizmo squeaks", "parcel")], [])
    assert made(Retrieve(least=0.5), rows, before) == {"the gizmo squeaks loudly": "parcel"}


def test_without_a_labelled_row_it_is_refused() -> None:
    with pytest.raises(UsageError, match="knows no labelled row"):
        made(Retrieve(), frame([], ["a line"]))
