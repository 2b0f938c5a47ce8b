"""Decontaminate: copies are found in both languages, short texts do no harm, bad files are told."""

from __future__ import annotations

import dataclasses
import gzip
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from tests.unit.curation.frames import CONTEXT, empty, pairs, reasons, turns
from zhiling.curation.decontaminate import Decontaminate
from zhiling.encoders.hashing import HashingEncoder
from zhiling.errors import DamagedFile, MissingInput, UsageError
from zhiling.pipeline.step import Context

ENGLISH = (
    "My front door lock blinks red three times and then refuses to open with the code that I set last week."
)
CHINESE = "门锁闪了三下红灯之后就打不开了，我上周设置的开门密码也没有用，请问现在应该怎么办才好？"
SHORT = "Can I pay by card?"


@pytest.fixture
def context(tmp_path: Path) -> Context:
    lines = [{"text": ENGLISH}, {"text": CHINESE}, {"text": SHORT}, {"text": "Hi"}]
    (tmp_path / "eval.jsonl").write_text("\n".join(json.dumps(line) for line in lines), encoding="utf-8")
    return dataclasses.replace(CONTEXT, root=tmp_path)


STEP = Decontaminate(against=("eval.jsonl",))
CONTAMINATED = "contaminated"
EDITED = "contaminated_edited"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (ENGLISH, CONTAMINATED),
        (ENGLISH.upper().replace(" ", "  "), CONTAMINATED),
        ("Hello! " + ENGLISH + " Thanks a lot in advance.", CONTAMINATED),
        (CHINESE, CONTAMINATED),
        ("你好，" + CHINESE.replace("，", "。") + "谢谢", CONTAMINATED),
        (SHORT, CONTAMINATED),
        ("can i pay by card", CONTAMINATED),
        ("Can I pay by card? My bank has blocked it and now I need another way.", None),
        ("My front door lock blinks red and refuses to open.", None),
        ("门锁闪了三下红灯之后就打不开了。", None),
        ("Hi", CONTAMINATED),
        ("", None),
        (None, None),
    ],
)
def test_copies_are_found_and_likeness_is_not_enough(
    text: str | None, expected: str | None, context: Context
) -> None:
    assert reasons(STEP.decide(pairs((text, "ok")), context)) == [expected]


def test_the_place_of_the_evaluation_text_is_named(context: Context) -> None:
    answer = STEP.decide(pairs((CHINESE, ""), (ENGLISH, ""), ("other", "")), context)
    assert answer["related"].to_list() == ["eval.jsonl#2", "eval.jsonl#1", None]
    assert answer["score"].to_list() == [1.0, 1.0, 0.0]


def test_a_turn_counts_by_itself_and_a_greeting_only_alone(context: Context) -> None:
    rows = turns(
        [("user", "Hi"), ("assistant", "Hello!"), ("user", "Where is my parcel?")],
        [("user", "Hello"), ("assistant", "Yes?"), ("user", SHORT)],
        [("system", ENGLISH), ("user", "Where is it?"), ("assistant", ENGLISH)],
    )
    assert reasons(STEP.decide(rows, context)) == [None, CONTAMINATED, None]
    everywhere = Decontaminate(against=("eval.jsonl",), on="all").decide(rows, context)
    assert reasons(everywhere) == [None, CONTAMINATED, CONTAMINATED]


LONG_EN = "Which of our two summer warehouses should I send the broken coffee grinder back to this week?"
LONG_ZH = "我上个星期买的咖啡研磨机坏了，应该寄回你们两个夏季仓库当中的哪一个才对呢？"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (LONG_EN.replace("coffee", "old coffee").replace("week", "month"), EDITED),
        (
            "Hi! " + LONG_EN.replace("two", "three").replace("back to", "to") + " Cheers.",
            EDITED,
        ),
        (LONG_ZH.replace("咖啡", "豆子").replace("当中的", "里的"), EDITED),
        (LONG_EN, CONTAMINATED),
        ("Which of our two summer warehouses is open today?", None),
        ("我上个星期买的水壶坏了，怎么退货？", None),
    ],
)
def test_edited_copies_are_found_and_named(text: str, expected: str | None, tmp_path: Path) -> None:
    lines = (json.dumps({"text": each}) for each in (SHORT, LONG_EN, LONG_ZH))
    (tmp_path / "eval.jsonl").write_text("\n".join(lines), encoding="utf-8")
    context = dataclasses.replace(CONTEXT, root=tmp_path)
    answer = STEP.decide(pairs((text, "ok")), context)
    assert reasons(answer) == [expected]
    if expected:
        assert answer["related"].item() == ("eval.jsonl#3" if "研磨机" in text else "eval.jsonl#2")
    without = Decontaminate(against=("eval.jsonl",), edited=None).decide(pairs((text, "ok")), context)
    assert reasons(without) == [CONTAMINATED if expected == CONTAMINATED else None]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hello there! Do you ship parcels to Norway too?", CONTAMINATED),
        ("请问一下，门锁可以用手机打开吗？谢谢", CONTAMINATED),
        ("Do you ship parcels to Norway too? " + "I would like to know what it costs. " * 2, None),
        ("门锁可以用手机打开吗？" + "我还想知道它需要几节电池，多久更换一次。", None),
        ("Well then, hello, how are you?", None),
    ],
)
def test_a_short_question_behind_a_greeting(text: str, expected: str | None, tmp_path: Path) -> None:
    short = ("Do you ship parcels to Norway too?", "门锁可以用手机打开吗？", "Hello, how are you?")
    (tmp_path / "eval.jsonl").write_text("\n".join(json.dumps({"text": each}) for each in short))
    context = dataclasses.replace(CONTEXT, root=tmp_path)
    assert reasons(STEP.decide(pairs((text, "ok")), context)) == [expected]
    whole_only = Decontaminate(against=("eval.jsonl",), embedded=1.0)
    assert reasons(whole_only.decide(pairs((text, "ok")), context)) == [None]


class HalfHeard:
    """An encoder that hears only the words before the first comma."""

    identity = "half"

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        return HashingEncoder().encode([text.replace("，", ",").split(",")[0] for text in texts])


def test_a_paraphrase_is_found_by_the_encoder_and_checked(tmp_path: Path) -> None:
    lines = ("the card payment fails, what now", "退款还没到, 要等 3 天吗")
    (tmp_path / "eval.jsonl").write_text("\n".join(json.dumps({"text": each}) for each in lines))
    context = dataclasses.replace(CONTEXT, root=tmp_path, load_encoder=HalfHeard)
    rows = pairs(
        ("the card payment fails, please help me", ""),
        ("the card payment fails, do not help me", ""),
        ("退款还没到，怎么要 3 天以后", ""),
        ("退款还没到，怎么要 5 天以后", ""),
        ("something else", ""),
    )
    step = Decontaminate(against=("eval.jsonl",), edited=None, paraphrase=0.9)
    answer = step.decide(rows, context)
    assert reasons(answer) == ["contaminated_paraphrase", None, "contaminated_paraphrase", None, None]
    assert answer["related"].to_list() == ["eval.jsonl#1", None, "eval.jsonl#2", None, None]
    assert step.uses_encoder()
    assert not STEP.uses_encoder()


def test_phrases_of_a_template_wipe_out_nothing(tmp_path: Path) -> None:
    """Hundreds of evaluation rows begin alike: a row with that beginning is no copy of any of them."""
    head = "Please read the following sentence and say whether it is about"
    lines = [
        json.dumps({"text": f"{head} {word}ing the {word}er."}) for word in map("w{}".format, range(300))
    ]
    (tmp_path / "eval.jsonl").write_text("\n".join(lines))
    context = dataclasses.replace(CONTEXT, root=tmp_path)
    assert reasons(STEP.decide(pairs((f"{head} cats or dogs.", "cats")), context)) == [None]


def test_a_share_of_the_runs_can_be_asked_for(context: Context) -> None:
    rows = pairs((ENGLISH + " " + " ".join(f"word{number}" for number in range(200)), ""))
    assert reasons(STEP.decide(rows, context)) == [CONTAMINATED]
    assert reasons(Decontaminate(against=("eval.jsonl",), share=0.5).decide(rows, context)) == [None]


def test_other_formats_and_fields(tmp_path: Path) -> None:
    context = dataclasses.replace(CONTEXT, root=tmp_path)
    with gzip.open(tmp_path / "a.csv.gz", "wt", encoding="utf-8") as file:
        file.write(f'number,query\n1,"{ENGLISH}"\n')
    record = {"messages": [{"role": "user", "content": CHINESE}, {"role": "assistant", "content": "ok"}]}
    (tmp_path / "b.jsonl").write_text(json.dumps(record), encoding="utf-8")
    rows = pairs((ENGLISH, ""), (CHINESE, ""))
    assert reasons(Decontaminate(against=("*.csv.gz",), fields=("query",)).decide(rows, context)) == [
        CONTAMINATED,
        None,
    ]
    assert reasons(Decontaminate(against=("b.jsonl",)).decide(rows, context)) == [None, CONTAMINATED]


def test_a_changed_file_is_read_again(context: Context) -> None:
    rows = pairs(("a brand new question", ""))
    assert reasons(STEP.decide(rows, context)) == [None]
    (context.root / "eval.jsonl").write_text('{"text": "A brand new question!"}\n', encoding="utf-8")
    assert reasons(STEP.decide(rows, context)) == [CONTAMINATED]


def test_files_that_are_missing_or_damaged_are_errors(context: Context) -> None:
    with pytest.raises(MissingInput, match=r"none\.jsonl"):
        Decontaminate(against=("none.jsonl",)).decide(pairs(("a", "b")), context)
    (context.root / "bad.jsonl").write_text('{"text": "fine"}\n{"text": \n', encoding="utf-8")
    with pytest.raises(DamagedFile, match=r"bad\.jsonl:2"):
        Decontaminate(against=("bad.jsonl",)).decide(pairs(("a", "b")), context)
    with pytest.raises(UsageError, match="fields"):
        Decontaminate(against=("eval.jsonl",), fields=("body",)).decide(pairs(("a", "b")), context)


def test_a_file_without_text_is_an_error(context: Context) -> None:
    for content in ("", '{"text": ""}\n{"text": " "}\n'):
        (context.root / "none.jsonl").write_text(content)
        with pytest.raises(DamagedFile, match=r"none\.jsonl.*no text"):
            Decontaminate(against=("eval.jsonl", "none.jsonl")).decide(pairs(("a", "b")), context)


def test_no_rows_and_the_fingerprint(context: Context) -> None:
    assert STEP.decide(empty(), context).height == 0
    assert STEP.files() == ("eval.jsonl",)


@pytest.mark.parametrize(
    "text",
    [
        "مرحبا بكم في متجرنا سوف نعيد لكم المال خلال خمسة أيام عمل بعد وصول الطرد إلى المخزن",
        "ברוכים הבאים לחנות שלנו אנחנו נחזיר לכם את הכסף תוך חמישה ימי עסקים אחרי שהחבילה תגיע אל המחסן",
        "ร้านของเราจะคืนเงินให้ภายในห้าวันทำการหลังจากพัสดุมาถึงคลังสินค้าแล้ว",
        "저희 가게는 상품이 창고에 도착한 뒤 영업일 기준 닷새 안에 환불해 드립니다 감사합니다",
        "退款 refund 订单 order 7 天 days 到账 arrive 👍 ok 仓库 warehouse 验收 check 客服 support",
        "".join(chr(0x1F300 + number) for number in range(40)),
    ],
)
def test_other_scripts_mixed_text_and_emoji(text: str, tmp_path: Path) -> None:
    (tmp_path / "eval.jsonl").write_text(json.dumps({"text": text}), encoding="utf-8")
    context = dataclasses.replace(CONTEXT, root=tmp_path)
    turned = f"\u202b{text}\u202c !"
    frame = pairs((turned, None), ("x " + text, "ok"), (text[: len(text) // 4], None), ("👍", ""))
    assert reasons(STEP.decide(frame, context)) == [CONTAMINATED, CONTAMINATED, None, None]


def test_a_copy_inside_a_megabyte_and_ten_thousand_equal_rows(context: Context) -> None:
    filler = " ".join(f"w{number}" for number in range(75_000))
    frame = pairs((f"{filler} {ENGLISH} {filler}", None), (filler * 2, None), *[(CHINESE, "好")] * 10_000)
    found = reasons(STEP.decide(frame, context))
    assert found[:2] == [CONTAMINATED, None]
    assert set(found[2:]) == {CONTAMINATED}
