"""Code runs: right programs pass, wrong ones are told by test, and tests that prove nothing are found."""

from __future__ import annotations

import json
import sys
from typing import Any

import polars as pl
import pytest

from tests.unit.curation.frames import CONTEXT, pairs
from zhiling.verification.code_runs import CodeRuns, program_of
from zhiling.verification.sandbox import available

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or not available(), reason="programs cannot be isolated on this system"
)
TESTS = {"tests": ["assert add(1, 2) == 3", "assert add(2, 2) == 4"], "setup": "zero = 0"}


def judged(*cases: tuple[str, Any], step: CodeRuns | None = None) -> pl.DataFrame:
    targets = [target if isinstance(target, str) else json.dumps(target) for _, target in cases]
    rows = pairs(*(("写一个函数。", reply) for reply, _ in cases)).with_columns(target=pl.Series(targets))
    step = step or CodeRuns(seconds=2)
    assert step.applies(rows).all()
    return step.decide(rows, CONTEXT)


def test_programs_are_judged_by_their_tests() -> None:
    answer = judged(
        ("def add(a, b):\n    return a + b + zero\n", TESTS),
        ("Here it is:\n```python\ndef add(a, b):\n    return a + b\n```\nIt adds.", TESTS),
        ("分两段：\n```\none = int\n```\n然后\n```py\ndef add(a, b):\n    return one(a) + b\n```", TESTS),
        ("def add(a, b):\r\n    return a * b\r\n", TESTS),
        ("def add(a):\n    return a", TESTS),
        ("def add(a, b) return a", TESTS),
        ("while True: pass", TESTS),
        ("```bash\nls\n```", TESTS),
        ("def add(a, b): return a + b", {"tests": ["assert True", "x = 1"]}),
        ("def add(a, b): return a + b", {"tests": []}),
        ("def add(a, b): return a + b", '{"tests": 3}'),
        ("fn add(a: i32) {}", {"tests": ["x"], "language": "rust"}),
    )  # fmt: skip
    assert answer["reason"].to_list() == [
        None, None, None, "failed_test", "error", "broken_code", "over_limit", "no_code", "vacuous_tests",
        "broken_target", "broken_target", "other_language",
    ]  # fmt: skip
    assert answer["verdict"].to_list() == ["keep"] * 3 + ["reject"] * 8 + ["review"]
    assert answer["score"].to_list()[:5] == [0, 0, 0, 1, 2]
    assert answer["problems"][3] == "test 1: failed: AssertionError"
    assert answer["problems"][4].startswith("test 1: error: TypeError: add() takes 1")


def test_vacuous_tests_may_be_let_pass() -> None:
    case = ("def add(a, b): return a + b", {"tests": ["assert True"]})
    assert judged(case, step=CodeRuns(vacuous=False))["verdict"].to_list() == ["keep"]


def test_rows_without_tests_or_reply_pass_by() -> None:
    rows = pairs(("a", "b"), ("a", None)).with_columns(target=pl.Series(['{"labels":[]}', json.dumps(TESTS)]))
    assert not CodeRuns().applies(rows).any()


def test_a_program_is_the_fenced_python_or_all() -> None:
    assert program_of("x = 1") == "x = 1"
    assert program_of("a\n```python\nx\n```\nb\n~~~\ny\n~~~\n```json\n{}\n```") == "x\n\ny"
