"""Records as frames and as dictionaries, gathered to pieces of even size, read ahead."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import polars as pl
import pytest

from zhiling.pipeline.step import Bad
from zhiling.sources.records import records as module
from zhiling.sources.records.ahead import ahead
from zhiling.sources.records.records import FrameItems, Records, gathered


def part(first: int, texts: list[str], bad: tuple[Bad, ...] = ()) -> Records:
    return Records("a", range(first, first + len(texts)), FrameItems(pl.DataFrame({"text": texts})), bad)


def test_rows_of_a_frame_are_dictionaries_when_asked_for() -> None:
    items = FrameItems(pl.DataFrame({"text": ["好", "b"], "n": [1, None]}))
    assert len(items) == 2
    assert items[1] == {"text": "b", "n": None}
    assert list(items) == [{"text": "好", "n": 1}, {"text": "b", "n": None}]
    assert items[0] == {"text": "好", "n": 1}
    assert items[:1] == [{"text": "好", "n": 1}]


def test_frames_that_follow_each_other_are_one_and_order_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ROWS_AT_ONCE", 4)
    told = Bad("a:9", "broken", "why")
    listed = Records("a", [7], [{"text": "seven"}], [told])
    other = Records("a", [8], FrameItems(pl.DataFrame({"n": [1]})))
    read = [part(1, ["1", "2"]), part(3, ["3"], (told,)), part(4, ["4"]), part(6, ["6"]), listed, other]
    found = list(gathered(read))
    assert [(list(each.lines), each.frame is not None) for each in found] == [
        ([1, 2, 3, 4], True), ([6], True), ([7], False), ([8], True),
    ]  # fmt: skip
    assert isinstance(found[0].lines, range)
    assert [item for each in found for item in each.items] == [item for each in read for item in each.items]
    assert [bad for each in found for bad in each.bad] == [told, told]


def test_a_line_that_is_left_out_shows_in_the_lines() -> None:
    (both,) = gathered([part(1, ["1"]), part(3, ["3"])])
    assert both.lines == [1, 3]


def test_items_are_made_ahead_in_order_and_errors_come_through() -> None:
    made: list[str] = []

    def source() -> Iterator[int]:
        for number in range(3):
            made.append(threading.current_thread().name)
            yield number
        raise ValueError("the end")

    found: list[int] = []
    with pytest.raises(ValueError, match="the end"):
        found.extend(ahead(source()))
    items = ahead(source())
    assert [next(items), next(items)] == [0, 1]
    items.close()  # pyright: ignore[reportAttributeAccessIssue]
    assert all(name.startswith("ahead") for name in made)
    assert list(ahead(range(5))) == [0, 1, 2, 3, 4]
    assert not [each for each in threading.enumerate() if each.name.startswith("ahead")]
