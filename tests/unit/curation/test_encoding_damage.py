"""EncodingDamage rejects damaged rows; behind Repair only those that cannot be mended."""

from __future__ import annotations

import json
import sys

import polars as pl
import pytest

from tests.unit.curation.frames import CONTEXT, empty, pairs, reasons, turns
from zhiling.curation import mojibake
from zhiling.curation.encoding_damage import EncodingDamage
from zhiling.curation.repair import Repair
from zhiling.errors import MissingExtra
from zhiling.pipeline.step import Made

CHINESE = "您好，我们的订单已经发货，请注意查收"
GARBLED = CHINESE.encode().decode("latin-1")


def repair(frame: pl.DataFrame) -> Made:
    step = Repair()
    return step.make(frame.select("id", *step.reads()), CONTEXT)


def texts(made: Made) -> list[list[str]]:
    return [[turn["text"] for turn in row] for row in made.rows["messages"].to_list()]


def test_each_kind_of_damage_has_its_reason() -> None:
    garbled_by_gbk = CHINESE.encode().decode("gb18030")
    texts_and_reasons = [
        ("At the caf\ufffd.", "lost_characters"),
        ("锟斤拷锟斤拷", "lost_characters"),
        ("烫烫烫烫烫烫", "lost_characters"),
        (GARBLED, "mojibake"),
        (garbled_by_gbk, "mojibake"),
        ("Don&#39;t", "html_entities"),
        ("价格 #36;5", "html_entities"),
        ("a\x00", "control_characters"),
        ("At the café.", None),
        ("在咖啡馆。", None),
        (None, None),
    ]
    answer = EncodingDamage().decide(pairs(*((text, "ok") for text, _ in texts_and_reasons)), CONTEXT)
    assert reasons(answer) == [reason for _, reason in texts_and_reasons]
    both = EncodingDamage().decide(pairs(("a\ufffd&#39;\x00", None)), CONTEXT)
    assert both["score"].to_list() == [3.0]


def test_every_message_counts_and_an_empty_frame_is_fine() -> None:
    frame = turns([("system", "it&#39;s"), ("user", "hi")], [("document", "it #39;s")], [])
    assert reasons(EncodingDamage().decide(frame, CONTEXT)) == ["html_entities", "html_entities", None]
    assert EncodingDamage().decide(empty(), CONTEXT).height == 0


def test_repair_mends_rows_and_leaves_the_others_alone() -> None:
    frame = pairs(("it&#39;s", "ok"), ("clean", "ok"), (GARBLED, "好\ufffd"), ("清楚", None))
    made = repair(frame)
    assert texts(made) == [["it's", "ok"], [CHINESE, "好\ufffd"]]
    assert made.rows["parents"].to_list() == [["r0"], ["r2"]]
    assert reasons(EncodingDamage().decide(made.rows, CONTEXT)) == [None, "lost_characters"]
    assert repair(empty()).rows.height == 0


def test_spans_extra_and_tool_calls_move_along() -> None:
    text = "Ling #39;s lamp in Caf\u00c3\u00a9 Blau"
    spans = [
        {"start": 0, "end": 4, "label": "PER"},
        {"start": 19, "end": 29, "label": "ORG", "text": "Caf\u00c3\u00a9 Blau"},
    ]
    frame = pairs((text, None)).with_columns(
        target=pl.Series([json.dumps({"spans": spans})]), extra=pl.Series(['{"by":"R&amp;D"}'])
    )
    made = repair(frame)
    new, target = texts(made)[0][0], json.loads(made.rows["target"][0])
    assert new == "Ling's lamp in Café Blau"
    assert [new[span["start"] : span["end"]] for span in target["spans"]] == ["Ling", "Café Blau"]
    assert target["spans"][1]["text"] == "Café Blau"
    assert made.rows["extra"].to_list() == ['{"by":"R&D"}']


def test_a_span_that_ends_inside_a_mended_piece_is_a_failure() -> None:
    frame = pairs(("caf\u00c3\u00a9", None)).with_columns(
        target=pl.Series(['{"spans":[{"start":0,"end":4,"label":"X"}]}'])
    )
    made = repair(frame)
    assert [(failure.row, failure.cls) for failure in made.failures] == [("r0", "span_cut")]
    assert made.rows.height == 0


def test_without_ftfy_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    mojibake._ftfy.cache_clear()
    monkeypatch.setitem(sys.modules, "ftfy", None)
    with pytest.raises(MissingExtra, match="ftfy"):
        repair(pairs((GARBLED, None)))
    mojibake._ftfy.cache_clear()


def test_a_megabyte() -> None:
    frame = pairs(("字" * 300_000 + "&#39;", "é" * 300_000), ("it&#39;s " * 100_000, "x"))
    made = repair(frame)
    assert texts(made)[0][0].endswith("字'")
    assert texts(made)[1][0] == "it's " * 100_000
