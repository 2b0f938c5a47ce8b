"""Pattern: what matches, what that means, and which expressions are refused."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from tests.unit.curation.frames import CONTEXT, empty, pairs, reasons
from zhiling.curation.pattern import Pattern

FRAME = pairs(("As an AI model?", "no"), ("作为语言模型", "不"), ("hello", "as an ai model"))
RULES = ({"pattern": "(?i)as an ai", "reason": "boilerplate"}, {"pattern": "作为.*模型"})


def test_matches_are_rejected_with_the_rule_that_found_them() -> None:
    answer = Pattern(patterns=RULES, on="user").decide(FRAME, CONTEXT)
    assert reasons(answer) == ["matched", "matched", None]
    assert answer["rule"].to_list() == ["boilerplate", "作为.*模型", None]
    assert answer["score"].to_list() == [1.0, 1.0, 0.0]


def test_flag_and_keep_only() -> None:
    assert Pattern(patterns=RULES, action="flag").decide(FRAME, CONTEXT)["verdict"].to_list() == ["flag"] * 3
    answer = Pattern(patterns=RULES, on="reply", action="keep_only").decide(FRAME, CONTEXT)
    assert reasons(answer) == ["not_matched", "not_matched", None]
    assert Pattern(patterns=RULES).decide(empty(), CONTEXT).height == 0


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("a(b", "no valid expression"),
        ("(?<=a)b", "look-around is not supported"),
        (r"(a)\1", "back-references are not supported"),
        ("(?:a{1000}){1000}", "too large"),
        ("a*", "matches the empty text"),
        ("", "at least 1 character"),
    ],
)
def test_an_expression_that_cannot_work_is_refused_at_once(pattern: str, words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        Pattern(patterns=({"pattern": pattern},))


def test_nested_repetition_takes_linear_time() -> None:
    frame = pairs(("a" * 1_000_000 + "!", "x"))
    assert reasons(Pattern(patterns=({"pattern": "(a+)+$"},), on="user").decide(frame, CONTEXT)) == [None]
