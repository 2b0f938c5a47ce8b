"""The licence gate and what it looks back on: a row, and all rows that it was made of."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import polars as pl
import pytest

from tests.toys import World
from zhiling.pipeline.ancestry import roots
from zhiling.pipeline.gates import Licence
from zhiling.pipeline.table import RowTable


@pytest.mark.parametrize(("stated", "allowed", "ok"), [("MIT", "mit", True), ("CC-BY-NC-4.0", "MIT", False)])
def test_a_licence_is_allowed_by_its_name(tmp_path: Path, stated: str, allowed: str, ok: bool) -> None:
    runner, table = World(tmp_path).run(["one", "two"], (), source={"licence": stated})
    result = Licence(allow=(allowed,)).check(table, runner.totals(), tmp_path)
    assert (result.ok, result.value) == (ok, 0 if ok else 2)
    assert result.detail == ("" if ok else f"{stated}: 2 rows")


def test_a_row_without_licence_is_told_as_such(tmp_path: Path) -> None:
    runner, table = World(tmp_path).run(["one"], ())
    result = Licence(allow=("MIT",)).check(table, runner.totals(), tmp_path)
    assert (result.ok, result.detail) == (False, "none stated: 1 rows")


class _Table:
    """Four rows: `c` was made of `a` and `b`, `d` of `c` and `b`."""

    parents = {"c": ["a", "b"], "d": ["c", "b"]}

    def made(self) -> list[str]:
        return list(self.parents)

    def read(self, columns: list[str], numbers: list[str]) -> pl.DataFrame:
        return pl.DataFrame({"id": numbers, "origin": [{"parents": self.parents[name]} for name in numbers]})


def test_ancestry_goes_back_to_the_sources_and_names_each_row_once() -> None:
    found = roots(cast(RowTable, cast(Any, _Table())), pl.Series("id", ["a", "d", "c"]))
    assert [set(each) for each in found] == [{"a"}, {"a", "b", "c", "d"}, {"a", "b", "c"}]
    assert [len(each) for each in found] == [1, 4, 3]
    assert [each[0] for each in found] == ["a", "d", "c"]
