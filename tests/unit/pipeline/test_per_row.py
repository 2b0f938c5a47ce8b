"""Plain functions of one row as steps of all three kinds, run by the runner."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tests.toys import World
from zhiling.errors import UsageError
from zhiling.pipeline.per_row import per_row
from zhiling.pipeline.plan import StepLine

LINES = ["one", "two two", "three three three"]


class Reason(StrEnum):
    LONG = "long"


def count_words(row: dict[str, Any]) -> dict[str, Any]:
    """How many words the question has."""
    return {"words": len(row["messages"][0]["text"].split())}


def test_each_kind_does_its_work(tmp_path: Path) -> None:
    measure = per_row(count_words, name="words", writes={"words": pl.UInt32()})
    decide = per_row(
        lambda row: Reason.LONG if row["count.words"] > 2 else None,
        name="brief", reads=("count.words",), reasons=Reason,
    )  # fmt: skip
    make = per_row(
        lambda row: [{"messages": row["messages"][:1]}] * 2, name="again", effect="adds", reads=("messages",)
    )
    world = World(tmp_path)
    runner, table = world.run(
        LINES, [StepLine("count", measure()), StepLine("brief", decide()), StepLine("again", make())]
    )
    assert table.read(["count.words"], table.sources())["count.words"].to_list() == [1, 2, 3]
    assert runner.totals()["rejected"] == {"long": 1}
    assert world.texts(table) == ["one", "two two", "one", "one", "two two", "two two"]


def test_the_class_is_named_after_the_function() -> None:
    step = per_row(count_words, name="words", writes={"words": pl.UInt32()})
    assert (step.__name__, step.name, step.kind) == ("words", "words", "measure")
    assert step.__doc__ == count_words.__doc__
    assert step.__module__ == __name__
    assert step().reads() == ("messages",)


def test_exactly_one_kind_is_asked_for() -> None:
    with pytest.raises(UsageError, match="exactly one"):
        per_row(count_words, name="words")
    with pytest.raises(UsageError, match="exactly one"):
        per_row(count_words, name="words", reasons=Reason, effect="adds")
