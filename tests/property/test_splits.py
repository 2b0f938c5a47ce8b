"""What holds for the split of any rows, against brute force over all pairs."""

from __future__ import annotations

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from zhiling.rows.split_facts import near_pairs_across
from zhiling.rows.split_texts import Texts
from zhiling.rows.splits import Split, SplitSettings, split
from zhiling.text.normalise import normalise_text

SHARES = SplitSettings(train=0.5, dev=0.2, test=0.3)
WORDS = st.sampled_from(
    [
        "refund",
        "Refund",
        "order",
        "ships late",
        "退款",
        "订单",
        "何时到账",
        "！",
        "，",
        "👍",
        "e\u0301",
        "Ｆｕｌｌ",
    ]
)
TEXTS = st.lists(WORDS, max_size=5).map(" ".join) | st.text(max_size=8)
ROW = st.tuples(
    st.sampled_from("abcd") | st.none(),
    TEXTS,
    st.sampled_from(["退款", "ship"]) | st.none(),
    st.sampled_from(["zh", "en"]),
    st.lists(st.sampled_from(["p", "q", "r00", "r05"]), max_size=2),
)
ROWS = st.lists(ROW, max_size=14)
SEEDS = st.integers(0, 2**32)


def frame(lines: list[tuple[object, ...]]) -> pl.DataFrame:
    schema = {"group": pl.String, "text": pl.String, "label": pl.String, "language": pl.String}
    rows = pl.DataFrame(lines, schema={**schema, "roots": pl.List(pl.String)}, orient="row")
    return rows.with_columns(pl.Series("id", [f"r{n:02d}" for n in range(len(lines))], dtype=pl.String))


def grams(text: str) -> set[str]:
    """5-grams of code points, written without the code under test."""
    normal = normalise_text(text)
    return {normal[at : at + 5] for at in range(max(len(normal) - 4, 1))} if normal else set()


def near(left: str, right: str) -> bool:
    first, second = grams(left), grams(right)
    if first and second:
        return len(first & second) / len(first | second) >= 0.5
    return left.strip() == right.strip() != ""


def assert_no_leak(rows: pl.DataFrame, result: Split) -> None:
    lines = list(zip(rows.iter_rows(named=True), result.parts, result.components, strict=True))
    for number, (one, part, component) in enumerate(lines):
        for other, other_part, other_component in lines[number + 1 :]:
            bound = (
                (one["group"] is not None and one["group"] == other["group"])
                or bool({one["id"], *one["roots"]} & {other["id"], *other["roots"]})
                or near(one["text"], other["text"])
            )
            if bound:
                assert part == other_part
                assert component == other_component


@settings(max_examples=60, deadline=None)
@given(ROWS, SEEDS, st.sets(st.sampled_from(["p", "r01", "r02", "elsewhere"])))
def test_nothing_leaks(lines: list[tuple[object, ...]], seed: int, held: set[str]) -> None:
    rows = frame(lines)
    result = split(rows, SHARES, seed, held)
    assert_no_leak(rows, result)
    formerly = [bool({row["id"], *row["roots"]} & held) for row in rows.iter_rows(named=True)]
    assert all(part == "test" for part, was in zip(result.parts, formerly, strict=True) if was)
    assert result.facts.formerly_test == sum(formerly)
    assert sum(result.facts.rows.values()) == rows.height
    assert result.facts.components == result.components.n_unique()
    assert result.facts.leak_free


@settings(max_examples=40, deadline=None)
@given(ROWS, SEEDS, st.randoms(use_true_random=False))
def test_the_order_of_the_rows_changes_nothing(lines: list[tuple[object, ...]], seed: int, random) -> None:
    rows = frame(lines)
    order = list(range(rows.height))
    random.shuffle(order)
    result, shuffled = split(rows, SHARES, seed), split(rows[order], SHARES, seed)
    assert shuffled.parts.equals(result.parts.gather(order))
    assert shuffled.components.equals(result.components.gather(order))
    assert shuffled.facts == result.facts


@settings(max_examples=40, deadline=None)
@given(ROWS, SEEDS, st.integers(0, 14))
def test_an_unrelated_row_moves_no_other(lines: list[tuple[object, ...]], seed: int, place: int) -> None:
    rows = frame(lines)
    first = split(rows, SHARES, seed)
    former = rows.select("id", first.parts)
    held = rows["id"].filter(first.parts == "test")
    new = frame([("new group", "ζ一行完全不同的新文字ζ", "退款", "zh", [])]).with_columns(
        id=pl.lit("0-first")
    )
    later = split(pl.concat([rows[:place], new, rows[place:]]), SHARES, seed, held, former)
    kept = later.parts.filter(pl.Series([n != min(place, rows.height) for n in range(rows.height + 1)]))
    assert kept.equals(first.parts)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(TEXTS, st.integers(0, 2)), min_size=1, max_size=14))
def test_the_check_counts_what_brute_force_counts(rows: list[tuple[str, int]]) -> None:
    texts = pl.Series([text for text, _ in rows], dtype=pl.String)
    parts = np.array([part for _, part in rows], dtype=np.int64)
    distinct = sorted({(text.strip(), part) for text, part in rows if text.strip()})
    pairs = [
        (one, other)
        for number, one in enumerate(distinct)
        for other in distinct[number + 1 :]
        if one[1] != other[1] and near(one[0], other[0])
    ]
    found = near_pairs_across(Texts.of(texts, 0.5), parts)
    assert bool(found) == bool(pairs)
    if all(grams(text) for text, _ in distinct):
        assert found == len(pairs)
