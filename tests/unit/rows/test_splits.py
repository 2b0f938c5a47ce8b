"""Splits: shares, strata, what stays together, what stays where it was, and the facts about it."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from pydantic import ValidationError

from zhiling.errors import StepFailed, UsageError
from zhiling.rows import splits
from zhiling.rows.split_facts import near_pairs_across
from zhiling.rows.split_texts import Texts
from zhiling.rows.splits import PARTS, Split, SplitSettings, group_keys, split

THIRDS = SplitSettings(train=0.4, dev=0.3, test=0.3)


def frame(lines: list[dict[str, object]]) -> pl.DataFrame:
    """Rows with defaults: an id by place, no group, no label, English, a text of their own."""
    default = {"group": None, "label": None, "language": "en", "roots": None}
    full = [
        default | {"id": f"r{n:04d}", "text": f"{n * 7919:x} {n * 104729:x} {n}"} | line
        for n, line in enumerate(lines)
    ]
    schema = {
        "id": pl.String,
        "group": pl.String,
        "text": pl.String,
        "label": pl.String,
        "language": pl.String,
    }
    return pl.DataFrame(full, schema={**schema, "roots": pl.List(pl.String)})


def part_of(result: Split, rows: pl.DataFrame) -> dict[str, str]:
    return dict(zip(rows["id"], result.parts, strict=True))


@pytest.fixture(scope="module")
def desk() -> pl.DataFrame:
    """24 intents in two languages, 13 unrelated rows each."""
    return frame(
        [
            {"label": f"intent{label}", "language": language}
            for label in range(24)
            for language in ("zh", "en")
            for _ in range(13)
        ]
    )


def test_every_label_and_language_gets_its_share(desk: pl.DataFrame) -> None:
    result = split(desk, SplitSettings(), 7)
    assert result.facts.rows["test"] in {62, 63}
    assert result.facts.rows["dev"] in {62, 63}
    counted = desk.with_columns(result.parts).group_by("label", "split").len()
    for part, fewest, most in (("test", 2, 3), ("dev", 2, 3), ("train", 20, 22)):
        numbers = counted.filter(pl.col("split") == part)["len"]
        assert len(numbers) == 24
        assert numbers.min() >= fewest
        assert numbers.max() <= most
    cells = desk.with_columns(result.parts).group_by("label", "language", "split").len()
    assert cells.filter(pl.col("split") == "test")["len"].max() <= 2
    assert result.facts.largest_deviation < 0.01


def test_without_strata_the_draw_stands_alone(desk: pl.DataFrame) -> None:
    settings = SplitSettings(stratify=None)
    whole = part_of(split(desk, settings, 7), desk)
    half = desk[::2]
    assert part_of(split(half, settings, 7), half) == {name: whole[name] for name in half["id"]}
    assert set(whole.values()) == set(PARTS)


def test_the_draw_is_the_same_everywhere() -> None:
    rows = frame([{} for _ in range(12)])
    parts = split(rows, SplitSettings(train=0.4, dev=0.3, test=0.3, stratify=None), 7).parts.to_list()
    assert "".join(part[1] for part in parts) == "reereeeereer"


def test_another_seed_gives_another_split(desk: pl.DataFrame) -> None:
    assert not split(desk, SplitSettings(), 7).parts.equals(split(desk, SplitSettings(), 8).parts)
    assert SplitSettings().scheme(7) != SplitSettings().scheme(8) != SplitSettings(near=0.6).scheme(8)


@pytest.mark.parametrize(
    ("texts", "together"),
    [
        (("How do I get a refund for my order?", "how do i get a refund for my orders"), True),
        (("我想退货，请问怎么办理退款", "我想退货，请问怎么办理退款呢？"), True),
        (("退款", "退款！"), True),
        (("？？？", "？？？"), True),
        (("", ""), False),
        (("Where is my parcel?", "怎么修改收货地址"), False),
    ],
)
def test_near_texts_stay_together(texts: tuple[str, str], together: bool) -> None:
    rows = frame([{"text": texts[0]}, {"text": texts[1]}, *({} for _ in range(20))])
    found = split(rows, SplitSettings(), 7)
    assert (found.components[0] == found.components[1]) is together
    assert found.facts.near_pairs_across == 0
    apart = split(rows, SplitSettings(near=None), 7)
    assert apart.components[0] != apart.components[1]
    assert apart.facts.near_pairs_across is None


def test_groups_and_lineages_stay_together() -> None:
    rows = frame(
        [{"group": f"g{n % 10}"} for n in range(40)]
        + [{"id": "child1", "roots": ["child1", "gone"]}, {"id": "child2", "roots": ["child2", "gone"]}]
        + [{"id": "child3", "roots": ["child3", "r0003"]}]
    )
    result = split(rows, THIRDS, 7)
    parted = rows.filter(pl.col("group").is_not_null()).with_columns(result.parts[:40])
    assert set(parted.group_by("group").agg(pl.col("split").n_unique())["split"]) == {1}
    assert result.facts.groups_in_two_parts == result.facts.lineages_in_two_parts == 0
    assert sum(result.facts.groups.values()) == 10
    parts = part_of(result, rows)
    assert parts["child1"] == parts["child2"]
    assert parts["child3"] == parts["r0003"]
    assert result.facts.components == 11


def test_a_list_of_groups_joins_over_each() -> None:
    rows = frame([{} for _ in range(4)]).with_columns(
        pl.Series("group", [["a"], ["a", "b"], ["b"], None], dtype=pl.List(pl.String))
    )
    assert split(rows, THIRDS, 7).components.to_list() == ["r0000", "r0000", "r0000", "r0003"]


def test_what_once_stood_in_a_test_part_never_enters_train(desk: pl.DataFrame) -> None:
    first = split(desk, SplitSettings(), 7)
    held = desk["id"].filter(first.parts == "test")
    rewritten = desk.with_columns(pl.concat_list(pl.col("id"), pl.col("id")).alias("roots")).with_columns(
        ("new-" + pl.col("id")).alias("id"), ("again " + pl.col("text")).alias("text")
    )
    later = split(rewritten, SplitSettings(), 8, held)
    assert set(later.parts.filter(first.parts == "test")) == {"test"}
    assert later.facts.formerly_test == len(held)
    assert later.facts.formerly_test_in_train == 0
    # They count towards the share: test does not grow with every new seed.
    assert later.facts.rows["test"] in {62, 63}


def test_a_held_row_takes_its_whole_component_to_test() -> None:
    rows = frame([{"group": "big"} for _ in range(30)] + [{} for _ in range(10)])
    result = split(rows, SplitSettings(), 7, ["r0003"])
    assert set(result.parts[:30]) == {"test"}
    assert result.facts.formerly_test == 1


def test_rows_keep_their_part_when_a_row_is_added(desk: pl.DataFrame) -> None:
    first = split(desk, SplitSettings(), 7)
    former = desk.select("id", first.parts)
    held = desk["id"].filter(first.parts == "test")
    more = pl.concat([frame([{"id": "a-new-row", "label": "intent3", "text": "一行新的"}]), desk])
    later = split(more, SplitSettings(), 7, held, former)
    assert later.parts[1:].equals(first.parts, check_names=False)


def test_a_huge_component_goes_to_train_and_is_reported() -> None:
    rows = frame([{"group": "big"} for _ in range(30)] + [{} for _ in range(70)])
    for seed in range(20):
        result = split(rows, SplitSettings(), seed)
        assert set(result.parts[:30]) == {"train"}
        assert result.facts.oversized == {"components": 1, "rows": 30}
        assert result.facts.largest_component == 30
        assert result.facts.rows == {"train": 80, "dev": 10, "test": 10}


def test_no_part_with_a_share_is_empty_while_there_are_components() -> None:
    rows = frame([{"group": f"g{n // 4}"} for n in range(12)])
    for seed in range(10):
        for stratify in (None, ("label", "language")):
            facts = split(rows, SplitSettings(stratify=stratify), seed).facts
            assert facts.rows == {"train": 4, "dev": 4, "test": 4}


def test_a_share_of_nothing_gives_nothing() -> None:
    rows = frame([{} for _ in range(40)])
    assert split(rows, SplitSettings(train=0.9, dev=0, test=0.1), 7).facts.rows == {
        "train": 36,
        "dev": 0,
        "test": 4,
    }
    assert split(rows, SplitSettings(train=0, dev=0, test=1), 7).facts.rows["test"] == 40
    assert split(rows, SplitSettings(train=0, dev=0.5, test=0.5), 7).facts.rows == {
        "train": 0,
        "dev": 20,
        "test": 20,
    }


def test_no_rows_at_all() -> None:
    result = split(frame([]), SplitSettings(), 7)
    assert len(result.parts) == 0
    assert result.facts.rows == {"train": 0, "dev": 0, "test": 0}
    assert result.facts.as_dict()["deviating_label"] is None


def test_labels_are_counted_per_part() -> None:
    rows = frame([{"label": "退款" if n % 4 else "refund"} for n in range(40)] + [{"label": None}])
    facts = split(rows, SplitSettings(), 7).facts
    assert facts.labels == {
        "退款": {"train": 24, "dev": 3, "test": 3},
        "refund": {"train": 8, "dev": 1, "test": 1},
    }
    assert facts.distinct_labels == 2
    assert facts.largest_deviation == pytest.approx(0)


def test_the_facts_see_a_leak(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a join that finds nothing, near rows are parted: the check stands on its own feet and says so."""
    rows = frame([{"text": f"where is my parcel, order number {n}"} for n in range(40)])
    empty = np.empty(0, dtype=np.int64)
    monkeypatch.setattr(splits, "linked_pairs", lambda *_: type("None_", (), {"left": empty, "right": empty}))
    with pytest.raises(StepFailed, match="near_pairs_across = "):
        split(rows, SplitSettings(), 7)


def test_equal_texts_without_letters_are_seen_across_parts() -> None:
    texts = Texts.of(pl.Series(["？？？", "？？？", "!!", " ", None]), 0.5)
    assert near_pairs_across(texts, np.array([0, 1, 2, 0, 1])) == 1
    assert near_pairs_across(texts, np.array([1, 1, 2, 0, 1])) == 0


def test_settings_are_checked() -> None:
    with pytest.raises(ValidationError, match=r"must sum up to 1, but 0.8 \+ 0.1 \+ 0.2 = 1.1"):
        SplitSettings(test=0.2)
    for wrong in ({"near": 0}, {"near": 1.5}, {"stratify": "colour"}, {"trian": 0.8}, {"train": -0.1}):
        with pytest.raises(ValidationError):
            SplitSettings.model_validate(wrong)
    assert SplitSettings.model_validate({"stratify": "label", "group_by": ["origin.group"]}).strata == (
        "label",
    )
    assert SplitSettings.model_validate({"stratify": None}).strata == ()


def test_equal_ids_are_refused() -> None:
    with pytest.raises(ValueError, match="same id"):
        split(frame([{"id": "x"}, {"id": "x"}]), SplitSettings(), 7)


def test_group_keys_come_from_columns_and_fields() -> None:
    rows = pl.DataFrame(
        {"origin": [{"group": "a", "source": "s"}, {"group": None, "source": "s"}], "lang.code": ["en", None]}
    )
    assert group_keys(rows, ["origin.group", "lang.code"]).to_list() == [
        ["origin.group\0a", "lang.code\0en"],
        [],
    ]
    assert group_keys(rows, []).to_list() == [[], []]
    with pytest.raises(UsageError, match=r"'origin\.grup'"):
        group_keys(rows, ["origin.grup"])


def test_the_same_rows_get_the_same_split_again(desk: pl.DataFrame) -> None:
    first = split(desk, SplitSettings(), 7)
    again = split(desk, SplitSettings(), 7, desk["id"].filter(first.parts == "test"))
    assert again.parts.equals(first.parts)
