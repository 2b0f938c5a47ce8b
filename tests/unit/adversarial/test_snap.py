"""Snap: what a generator wrote gives way to the nearest real line, in English and Chinese."""

from __future__ import annotations

import json

import polars as pl

from zhiling.adversarial.snap import snapped
from zhiling.encoders.hashing import HashingEncoder
from zhiling.rows.conversation import dialogue, user_text

LINES = ("where is my parcel", "请问我的快递到哪里了", "how do I change my password")
WRITTEN = ("where my parcel is", "我的快递到哪了", "zebra quartz", "where is my parcel")


def rows(texts: tuple[str, ...], first: int, **columns: object) -> pl.DataFrame:
    told = pl.Series(texts, dtype=pl.String)
    ids = [f"{first + place:032x}" for place in range(len(texts))]
    return pl.DataFrame({"id": ids, "messages": dialogue({"user": told}), "text": told, **columns})


def written() -> pl.DataFrame:
    extra = pl.Series(['{"confidence": 0.5}', None, None, None], dtype=pl.String)
    return rows(WRITTEN, 10, extra=extra, parents=[["p"]] * 4)


def test_a_text_gives_way_to_the_line_most_like_it_and_tells_what_it_was() -> None:
    lines = rows(LINES, 0)
    found = snapped(written(), lines, 0.3, HashingEncoder())
    assert found["text"].to_list() == [LINES[0], LINES[1], "zebra quartz", LINES[0]]
    assert user_text(found["messages"]).to_list() == found["text"].to_list()
    told = [json.loads(each) if each else {} for each in found["extra"]]
    assert told[0] == {"confidence": 0.5, "snapped_from": WRITTEN[0]}
    assert told[1] == {"snapped_from": WRITTEN[1]}
    assert found["parents"].to_list() == [["p", lines["id"][0]], ["p", lines["id"][1]], ["p"], ["p"]]
    assert found["id"].to_list() == written()["id"].to_list()


def test_what_no_line_is_like_stays_as_it_is() -> None:
    assert snapped(written(), rows(LINES, 0), 1.0, HashingEncoder()).equals(written())
    assert snapped(written(), rows((), 0), 0.0, HashingEncoder()).equals(written())
    assert not snapped(written().clear(), rows(LINES, 0), 0.0, HashingEncoder()).height
