"""Names and addresses: found in both languages on request, replaced by placeholder or pseudonym."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from tests.unit.curation.frames import CONTEXT, pairs, turns
from zhiling.curation.names_tagger import TAGS, decode, tagged
from zhiling.curation.pseudonyms import pseudonym
from zhiling.curation.redact import Redact


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("My name is Tobias Lindqvist.", "person", "Tobias Lindqvist"),
        ("我叫孙晓梅，想退货。", "person", "孙晓梅"),
        ("联系人：欧阳明", "person", "欧阳明"),
        ("Please deliver to 18 Walnut Lane, Ferndale 30412.", "address", "18 Walnut Lane, Ferndale 30412"),
        ("收货地址：浙江省临安市西湖区光明路18号3栋", "address", "浙江省临安市西湖区光明路18号3栋"),
    ],
)
def test_names_and_addresses_are_found(text: str, kind: str, value: str) -> None:
    assert [(each.kind, text[each.start : each.end]) for each in tagged(text)] == [(kind, value)]


@pytest.mark.parametrize(
    "text", ["How do I reset the lock?", "怎么重置门锁？", "[PERSON_1] [ADDRESS_2]", "3:1 😀", "", "\n"]
)
def test_nothing_in_plain_texts(text: str) -> None:
    assert tagged(text) == []


def test_an_inside_tag_follows_its_own_beginning_only() -> None:
    fits = np.random.default_rng(0).normal(size=(200, len(TAGS))).astype(np.float32)
    names = ["O", *(TAGS[tag] for tag in decode(fits))]
    for before, name in itertools.pairwise(names):
        assert name[0] != "I" or before[2:] == name[2:]


def test_people_are_left_unless_they_are_asked_for() -> None:
    rows = turns([("user", "我叫孙晓梅。"), ("assistant", "你好，孙晓梅女士，请讲。")])
    assert Redact().make(rows, CONTEXT).rows.height == 0
    made = Redact.model_validate({"kinds": ["person", "email"]}).make(rows, CONTEXT)
    texts = [turn["text"] for turn in made.rows["messages"][0]]
    assert texts[0] == "我叫[PERSON_1]。"
    assert "[PERSON_1]" in texts[1]


def test_pseudonyms_are_the_same_in_every_row_and_never_the_name() -> None:
    rows = pairs(("My name is Tobias Lindqvist.", "ok"), ("I am Tobias Lindqvist and i need help", "ok"))
    made = Redact.model_validate({"kinds": ["person"], "pseudonyms": True}).make(rows, CONTEXT)
    texts = [row[0]["text"] for row in made.rows["messages"].to_list()]
    name = pseudonym("tobias lindqvist", CONTEXT.seed)
    assert texts == [f"My name is {name}.", f"I am {name} and i need help"]
    assert pseudonym("tobias lindqvist", 1) != pseudonym("tobias lindqvist", 2)


def test_a_pseudonym_has_the_script_of_the_name_and_avoids_what_is_taken() -> None:
    assert all("\u3400" <= sign <= "\u9fff" for sign in pseudonym("张伟", 0))
    first = pseudonym("张伟", 0)
    assert pseudonym("张伟", 0, {first}) != first
    assert pseudonym(first, 0) != first
