"""What holds for any rows: order changes no verdict, and redaction changes nothing but what it finds."""

from __future__ import annotations

import re

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.curation.frames import CONTEXT, pairs
from zhiling.curation.exact_dedup import ExactDedup
from zhiling.curation.length import Length
from zhiling.curation.near_dedup import NearDedup
from zhiling.curation.personal_data import KINDS, find
from zhiling.curation.placeholders import Numbering, rewrite
from zhiling.curation.redact import Redact
from zhiling.curation.truncated import Truncated
from zhiling.curation.valid import Valid
from zhiling.pipeline.step import Decide

WORDS = st.sampled_from(
    ["refund", "Refund", "order", "ships", "退款", "订单", "何时", "到账", "!", "，", "👍", " "]
)
SHORT = st.lists(WORDS, max_size=12).map(" ".join)
ROWS = st.lists(st.tuples(SHORT | st.none(), SHORT | st.none()), max_size=14)
HARMLESS = (
    "https://example.com/a/13812345678?id=4111111111111111#s",
    "比分1:3",
    "`x = [1, 2, 3]; y: int = 10_000`",
    "def f(a: int) -> str: return a @ b",
    "退款三到五天👩‍💻",
    "😀🇨🇳",
    "v10.2.3, 3.14, 1/2, 50%",
    "¥1,299.00 on 2024-05-06 at 10:30",
    "std::vector<int>::iterator",
)
PERSONAL = (
    "a.b@example.com",
    "13812345678",
    "+44 7700 900123",
    "4111 1111 1111 1111",
    "11010519491231002X",
    "203.0.113.77",
    "https://example.com/?token=9f8e7d6c5b4a",
)
PIECES = st.lists(st.sampled_from([*HARMLESS, *PERSONAL, "你好", "hello", "，", "\n"]), max_size=12)
ALL = frozenset(KINDS)


def by_id(answer: pl.DataFrame, ids: pl.Series) -> dict[str, tuple[object, ...]]:
    return dict(zip(ids.to_list(), answer.rows(), strict=True))


@settings(max_examples=60, deadline=None)
@given(ROWS, st.randoms(use_true_random=False))
def test_order_changes_nothing(texts: list[tuple[str | None, str | None]], random: object) -> None:
    frame = pairs(*texts)
    scores = pl.Series([len(reply or "") % 3 for _, reply in texts], dtype=pl.Float64)
    extra = pl.Series([f'{{"day": "{len(asked or "") % 3}"}}' for asked, _ in texts], dtype=pl.String)
    frame = frame.with_columns(scores.alias("q.score"), extra.alias("extra"))
    order = list(range(frame.height))
    random.shuffle(order)  # type: ignore[attr-defined]
    steps: list[Decide] = [
        ExactDedup(),
        ExactDedup(on="user"),
        NearDedup(jaccard=0.5, size=2),
        NearDedup(size=3),
        NearDedup(jaccard=0.5, size=2, keep="first"),
        NearDedup(jaccard=0.5, size=2, keep="best", column="q.score"),
        NearDedup(jaccard=0.5, size=2, keep="newest", column="extra.day", method="exact"),
    ]
    for step in [*steps, Length(), Valid(), Truncated()]:
        straight = by_id(step.decide(frame, CONTEXT), frame["id"])
        assert by_id(step.decide(frame[order], CONTEXT), frame["id"].gather(order)) == straight


@settings(max_examples=60, deadline=None)
@given(ROWS)
def test_a_duplicate_names_a_kept_row_and_a_second_pass_finds_no_more_exact_ones(
    texts: list[tuple[str | None, str | None]],
) -> None:
    frame = pairs(*texts)
    for step in (ExactDedup(), NearDedup(jaccard=0.5, size=2, method="exact")):
        answer = step.decide(frame, CONTEXT)
        kept = frame.filter(answer["verdict"] == "keep")
        assert answer["related"].drop_nulls().is_in(kept["id"].implode()).all()
        assert (step.decide(kept, CONTEXT)["verdict"] == "keep").all()


@settings(max_examples=150, deadline=None)
@given(PIECES)
def test_redaction_is_idempotent_and_changes_nothing_outside_its_placeholders(pieces: list[str]) -> None:
    text = " ".join(pieces)
    new = rewrite(text, ALL, Numbering())
    assert find(new.text, ALL) == []
    rest = [
        text[high:low]
        for (_, high, _), (low, _, _) in zip(
            [(0, 0, 0), *new.edits], [*new.edits, (len(text), 0, 0)], strict=True
        )
    ]
    assert re.split(r"\[(?:EMAIL|PHONE|CARD|ID|SSN|IBAN|IP|SECRET)_\d+\]", new.text) == rest
    for low, high, length in new.edits:
        start, end = new.span(low, high)
        assert end - start == length
        assert new.text[start] == "["


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from(HARMLESS), max_size=8), st.sampled_from([" ", "，", "\n", "。"]))
def test_urls_code_ratios_prices_dates_chinese_and_emoji_are_left_alone(
    pieces: list[str], between: str
) -> None:
    text = between.join(pieces)
    assert rewrite(text, ALL, Numbering()).text == text


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=80))
def test_any_text_survives(text: str) -> None:
    frame = pairs((text, text))
    step = Redact()
    made = step.make(frame.select("id", *step.reads()), CONTEXT)
    once = rewrite(text, ALL, Numbering()).text
    assert made.rows.height == (once != text)
    for decide in (Length(), Valid(), Truncated(), ExactDedup(), NearDedup()):
        assert decide.decide(frame, CONTEXT).height == 1


@settings(max_examples=100, deadline=None)
@given(PIECES)
def test_the_prefilter_hides_no_finding(pieces: list[str]) -> None:
    text = "，".join(pieces)
    step = Redact()
    made = step.make(pairs((text, None)).select("id", *step.reads()), CONTEXT)
    assert bool(made.rows.height) == bool(find(text, ALL))
