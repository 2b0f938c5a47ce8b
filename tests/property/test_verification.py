"""Laws of verification: any target gets an answer, and what is right stays right however it is spelled."""

from __future__ import annotations

import json
from typing import Any

import polars as pl
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.curation.frames import CONTEXT, turns
from zhiling.rows.target import Constraint
from zhiling.verification.check import Check
from zhiling.verification.constraints import Constraints, check
from zhiling.verification.counting import COUNTS
from zhiling.verification.dialogue_replay import DialogueReplay
from zhiling.verification.same_facts import SameFacts
from zhiling.verification.sequence_order import SequenceOrder
from zhiling.verification.spans import Spans
from zhiling.verification.summary_support import SummarySupport

STEPS: tuple[Check, ...] = (
    Constraints(),
    Spans(verbatim=True),
    SameFacts(compare="equal", names=True),
    SequenceOrder(),
    DialogueReplay(never_before={"a": ("b",)}, unsayable=("一",)),
)
TEXTS = st.text(st.sampled_from("ab 一二十万点1,.%:-/5年月日“”\"'\n步 step"), max_size=40)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 99) | TEXTS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["start", "end", "label", "message", "text", "kind", "values", "at_least", "place", "acts"]
            ),
            inner,
        )
    ),
    max_leaves=6,
)
TARGETS = st.dictionaries(
    st.sampled_from(
        ["spans", "answers", "relations", "constraints", "steps", "operations", "template", "turns", "state"]
    ),
    VALUES,
    max_size=3,
).map(json.dumps)
PLACES = st.integers(0, 30)
SPAN = st.fixed_dictionaries({"start": PLACES, "end": PLACES, "label": st.sampled_from("ab")})


def answered(step: Check, target: str | None, reply: str) -> None:
    rows = turns([("document", "一二三 step 5"), ("user", "x 1"), ("assistant", reply)])
    rows = rows.with_columns(target=pl.lit(target, dtype=pl.String), task=pl.lit("qa"))
    seen = rows.filter(step.applies(rows))
    answer = step.decide(seen, CONTEXT)
    assert answer.height == seen.height
    told = answer.select("verdict", "reason", "score", "problems")
    for verdict, reason, score, problems in told.iter_rows():
        assert (verdict == "keep") == (reason is None) == (score == 0) == (problems is None)
        assert reason is None or reason in set(step.Reason)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(TARGETS | TEXTS, TEXTS)
def test_any_target_is_answered_for(target: str, reply: str) -> None:
    for step in STEPS:
        answered(step, target, reply)


@settings(max_examples=40, deadline=None)
@given(TARGETS | TEXTS, TEXTS, TEXTS, st.sampled_from([None, "en", "zh-Hant", "??"]))
def test_any_summary_is_answered_for(target: str, source: str, reply: str, language: str | None) -> None:
    step = SummarySupport(tasks=("qa",), least_ratio=0.1)
    rows = turns([("user", f"x{source}"), ("assistant", reply)]).with_columns(
        target=pl.lit(target), task=pl.lit("qa"), language=pl.lit(language, dtype=pl.String)
    )
    assert step.applies(rows).all()
    verdict, reason, share = step.decide(rows, CONTEXT).select("verdict", "reason", "score").row(0)
    assert (verdict == "keep") == (reason is None)
    assert (reason in ("unreadable_reply", "language", "not_comparable")) == (share is None)
    assert share is None or 0 <= share <= 1


@settings(max_examples=40, deadline=None)
@given(st.lists(SPAN, max_size=4))
def test_spans_of_any_places_are_answered_for(spans: list[dict[str, Any]]) -> None:
    answered(Spans(), json.dumps({"spans": spans}), "x")


@settings(max_examples=60, deadline=None)
@given(TEXTS, st.sampled_from(sorted(COUNTS)))
def test_a_length_is_kept_at_its_count_and_broken_beside_it(text: str, unit: str) -> None:
    count = COUNTS[unit](text)

    def holds(**bounds: int) -> bool:
        return check(text, Constraint(kind="length", values=[unit], **bounds)) is None

    assert holds(at_least=count, at_most=count)
    assert not holds(at_least=count + 1)
    assert count == 0 or not holds(at_most=count - 1)
