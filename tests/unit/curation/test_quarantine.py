"""Quarantine: rows above the bound leave with their own reason."""

from __future__ import annotations

import polars as pl

from tests.unit.curation.frames import CONTEXT, reasons
from zhiling.curation.quarantine import Quarantine


def test_rows_above_the_bound_are_quarantined_and_keep_their_score() -> None:
    rows = pl.DataFrame({"injection.score": [0.0, 0.5, 0.51, 1.0]})
    answer = Quarantine().decide(rows, CONTEXT)
    assert reasons(answer) == [None, None, "quarantine", "quarantine"]
    assert answer["score"].to_list() == [0.0, 0.5, 0.51, 1.0]
    assert Quarantine(verdict="flag").decide(rows, CONTEXT)["verdict"].to_list()[2:] == ["flag", "flag"]


def test_the_column_is_a_setting() -> None:
    step = Quarantine(column="guard.score", at_most=0.9)
    assert step.reads() == ("guard.score",)
    assert reasons(step.decide(pl.DataFrame({"guard.score": [0.8]}), CONTEXT)) == [None]
    assert (
        step.decide(pl.DataFrame({"guard.score": []}, schema={"guard.score": pl.Float64}), CONTEXT).height
        == 0
    )
