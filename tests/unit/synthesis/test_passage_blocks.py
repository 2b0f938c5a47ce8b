"""Blocks of a passage: lists, tables, code and paragraphs with their places; each line in one of them."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zhiling.synthesis.passage_blocks import (
    Code,
    ItemList,
    Paragraph,
    Place,
    Table,
    bare,
    blocks,
    plain,
    sentences,
)

TEXT = """\
Lock

Read this
first.

1. Open the door.
   Keep it open.

   It may be heavy.
2. Take out the cells:
   - the old ones
   - 旧的
3) Close it.
- Lid: red

| a | b\\|c |
|---|:--:|
| 1 | |
| | **x** |
| ragged |
After.

```python
x = 1

1. no list
```
"""


def shown(text: str, place: Place) -> str:
    return text[place.start : place.end]


def test_a_passage_falls_into_its_blocks() -> None:
    found = blocks(TEXT, "Lock")
    assert [type(each) for each in found] == [Paragraph, ItemList, ItemList, Table, Paragraph, Code]
    assert shown(TEXT, found[0].place) == "Read this\nfirst."
    steps, lids = found[1], found[2]
    assert isinstance(steps, ItemList)
    assert isinstance(lids, ItemList)
    assert (steps.ordered, lids.ordered) == (True, False)
    assert [shown(TEXT, item.place) for item in steps.items] == [
        "Open the door.\n   Keep it open.", "Take out the cells:", "Close it.",
    ]  # fmt: skip
    assert [[shown(TEXT, item.place) for item in inner] for inner in steps.inner] == [
        [], ["the old ones", "旧的"], [],
    ]  # fmt: skip
    table = found[3]
    assert isinstance(table, Table)
    assert [shown(TEXT, cell) for cell in table.header] == ["a", "b\\|c"]
    assert [[shown(TEXT, cell) for cell in row] for row in table.rows] == [["1", ""], ["", "**x**"]]
    assert shown(TEXT, found[4].place) == "After."
    assert "1. no list" in shown(TEXT, found[5].place)


@pytest.mark.parametrize("mark", ["1. ", "1) ", "1、", "（1）", "第一步：", "Step 1: ", "1.打"])
def test_marks_of_numbered_items(mark: str) -> None:
    (found,) = blocks(f"{mark}开门")
    assert isinstance(found, ItemList)
    assert found.ordered


@pytest.mark.parametrize("line", ["1.5 litres", "2.4 GHz 网络", "-5 degrees", "2026、", "*bold*"])
def test_lines_that_begin_no_item(line: str) -> None:
    assert all(isinstance(each, Paragraph) for each in blocks(f"{line} of it"))


def test_words_without_marks() -> None:
    assert plain("Press **Start**, `x_y` and [the link](a.md) or *go* __on__") == (
        "Press Start, x_y and the link or go on"
    )
    assert plain("a_b * c\n 2 ** 3") == "a_b * c 2 3"
    text = "| **Red** |"
    assert shown(text, bare(text, Place(1, 10))) == "Red"


def test_sentences_end_where_they_should() -> None:
    text = "Use 2.4 GHz, e.g. at home. “Stop!” he said. 打开门。“好了。”再关上！Done?"
    found = [shown(text, place) for place in sentences(text, Place(0, len(text)))]
    assert found == [
        "Use 2.4 GHz, e.g. at home.", "“Stop!” he said.", "打开门。", "“好了。”", "再关上！", "Done?",
    ]  # fmt: skip


LINES = st.sampled_from(
    [
        "",
        "text",
        "1. one",
        "   more",
        "- two",
        "  - in",
        "| a | b |",
        "|---|---|",
        "```",
        "1、三",
        "# x",
        "  ",
    ]
)


@given(st.lists(LINES, max_size=16).map("\n".join))
def test_every_line_stands_in_one_block(text: str) -> None:
    found = blocks(text)
    ends = [(each.place.start, each.place.end) for each in found]
    assert ends == sorted(ends)
    assert all(one[1] <= other[0] for one, other in pairwise(ends))
    at = 0
    for line in text.split("\n"):
        words = line.strip()
        start = at + line.find(words)
        if words:
            assert sum(low <= start and start + len(words) <= high for low, high in ends) == 1
        at += len(line) + 1
