"""Code rows: functions that stand alone become tasks with tests that they pass; others are left alone."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from tests.unit.synthesis.passages import made_by, passages, told
from zhiling.rows import target
from zhiling.synthesis.code_rows import CodeRows

MODULE = '''\
"""Small sums."""

from __future__ import annotations

import math
from collections import Counter as Count

LIMIT = 3


def hypotenuse(a: float, b: float) -> float:
    """The longest side of a right triangle.

    Examples:

    >>> hypotenuse(3, 4)
    5.0
    >>> hypotenuse(0, 0)
    0.0
    """
    # both sides count
    return math.sqrt(a * a + b * b)


def 次数(文字: str) -> dict[str, int]:
    """数出每个字出现的次数。

    >>> 结果 = 次数("上海自来水来自海上")
    >>> 结果["来"]
    2
    >>> print(结果)
    Counter()
    """

    return dict(Count(文字))


def mean(values: list[float]) -> float:
    """The mean of some numbers."""
    return sum(values) / len(values)


def test_mean() -> None:
    assert mean([1, 2, 3]) == 2


def test_both() -> None:
    assert mean([1, 2]) < hypotenuse(3, 4)


def limited(value: int) -> int:
    """At most the limit."""
    return min(value, LIMIT)


def undocumented(value: int) -> int:
    return value


def short(): "One line."; return 1


class Box:
    """A box."""

    size = 3

    def area(self) -> int:
        """Its area."""
        return self.size**2
'''


@pytest.fixture
def rows(tmp_path: Path) -> pl.DataFrame:
    return passages(tmp_path, {"sums.py": MODULE})


def replies(made: pl.DataFrame) -> dict[str, tuple[str, str, target.Tests]]:
    """Name of the function → prompt, code and truth."""
    found: dict[str, tuple[str, str, target.Tests]] = {}
    for (prompt, code), truth in told(made):
        found[code.partition("def ")[2].partition("(")[0]] = prompt, code, target.Tests.model_validate(truth)
    return found


def test_functions_that_stand_alone_become_tasks(rows: pl.DataFrame) -> None:
    found = replies(made_by(CodeRows(), rows).rows)
    assert set(found) == {"hypotenuse", "次数", "mean"}
    prompt, code, _ = found["hypotenuse"]
    assert "The longest side of a right triangle." in prompt
    assert "def hypotenuse(a: float, b: float) -> float" in prompt
    assert ">>>" not in prompt
    assert "Example" not in prompt
    assert code == (
        "import math\n\n\ndef hypotenuse(a: float, b: float) -> float:\n"
        "    # both sides count\n    return math.sqrt(a * a + b * b)"
    )
    prompt, code, _ = found["次数"]
    assert "数出每个字出现的次数。" in prompt
    assert "函数" in prompt
    assert code.startswith("from collections import Counter as Count\n\n\ndef 次数")


def test_their_tests_hold_and_fail_where_they_should(rows: pl.DataFrame) -> None:
    found = replies(made_by(CodeRows(), rows).rows)
    assert {name: len(truth.tests) for name, (_, _, truth) in found.items()} == {
        "hypotenuse": 2,
        "次数": 1,
        "mean": 1,
    }
    for _, code, truth in found.values():
        for test in truth.tests:
            names: dict[str, object] = {}
            exec(code, names)
            exec(test, names)
            broken = {**names, **{name: lambda *_: None for name in found}}
            with pytest.raises((AssertionError, TypeError)):
                exec(test, broken)


def test_settings(rows: pl.DataFrame, tmp_path: Path) -> None:
    assert set(replies(made_by(CodeRows(max_characters=80), rows).rows)) == {"mean"}
    untested = passages(tmp_path, {"a.py": 'def one() -> int:\n    """One."""\n    return 1\n'})
    untested = untested.filter(untested["group"] == "a.py")
    assert made_by(CodeRows(), untested).rows.height == 1
    assert made_by(CodeRows(tests=True), untested).rows.is_empty()


def test_other_passages_and_files_that_are_no_python_are_left_alone(tmp_path: Path) -> None:
    rows = passages(
        tmp_path, {"a.md": "# def\n\ndef f(): pass\n", "b.py": "def f(:\n    '''x'''\n    return\n"}
    )
    step = CodeRows()
    assert step.applies(rows).to_list() == [False, True]
    made = made_by(step, rows)
    assert made.rows.is_empty()
    assert list(made.failures) == []
