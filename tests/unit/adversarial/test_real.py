"""Real rows are dealt out once for all rounds, whole groups, some of each label."""

from __future__ import annotations

import json

import polars as pl
import pytest

from zhiling.adversarial.marks import mark, marked, tally
from zhiling.adversarial.real import real_rows
from zhiling.errors import UsageError
from zhiling.rows.conversation import dialogue


def frame(count: int = 60, labels: tuple[str, ...] = ("card", "快递"), group: bool = False) -> pl.DataFrame:
    label = [labels[place % len(labels)] for place in range(count)]
    return pl.DataFrame(
        {
            "id": [f"{place:032x}" for place in range(count)],
            "messages": dialogue({"user": pl.Series([f"text {place} 文本" for place in range(count)])}),
            "task": ["classification"] * count,
            "target": [json.dumps({"labels": [each]}) for each in label],
            "group": [f"g{place // 4}" if group else None for place in range(count)],
            "extra": pl.Series([None] * count, dtype=pl.String),
        }
    )


def test_each_label_is_in_each_part_in_its_share() -> None:
    found = real_rows(frame(), 0.2, 0, "s")
    assert [each.height for each in (found.anchors, found.held)] == [48, 12]
    for part in (found.anchors, found.held):
        assert part["label"].n_unique() == 2


def test_no_group_stands_in_two_parts_and_order_changes_nothing() -> None:
    rows = frame(group=True)
    found = real_rows(rows, 0.2, 0, "s")
    owners = [set(each["group"].to_list()) for each in (found.anchors, found.held)]
    assert not owners[0] & owners[1]
    again = real_rows(rows.sample(fraction=1, shuffle=True, seed=1), 0.2, 0, "s")
    assert again.held["id"].to_list() == found.held["id"].to_list()


def test_another_seed_deals_otherwise() -> None:
    one, other = (real_rows(frame(), 0.2, seed, "s").held["id"].to_list() for seed in (0, 1))
    assert one != other


def test_a_label_with_one_row_stays_an_anchor() -> None:
    found = real_rows(frame(3, ("a", "b", "c")), 0.99, 0, "s")
    assert found.anchors.height == 3


def test_proposed_rows_and_lines_are_not_real() -> None:
    rows = frame(40)
    extra = [marked('{"similarity": 0.5}', "retrieve", 2) if place < 20 else None for place in range(40)]
    rows = rows.with_columns(pl.Series("extra", extra, dtype=pl.String))
    found = real_rows(rows, 0.2, 0, "s")
    assert sum(each.height for each in (found.anchors, found.held)) == 20
    assert tally(rows) == {("retrieve", 2): 20}
    assert rows.select(mark("round"))["round"].to_list()[:1] == ["2"]
    assert json.loads(extra[0] or "")["similarity"] == 0.5


def test_one_label_is_refused_with_the_reason() -> None:
    with pytest.raises(UsageError, match="40 real labelled rows of 1 labels"):
        real_rows(frame(40, ("card",)), 0.2, 0, "gan_accept")
