"""Near deduplication: edited copies go, each named beside a row that stays; chains remove nothing unlike."""

from __future__ import annotations

import pytest

from tests.unit.curation.frames import CONTEXT, empty, pairs, reasons
from zhiling.curation.near_dedup import NearDedup
from zhiling.pipeline.step import Context

WORDS = [f"word{number}" for number in range(60)]
ENGLISH = " ".join(WORDS)
CHINESE = (
    "退款一般会在仓库验收之后的三到五个工作日内原路退回到您付款时所用的账户，"
    "请您耐心等待，如有疑问随时联系我们的客服人员。"
)


def test_an_edited_copy_goes_in_both_languages() -> None:
    frame = pairs(
        (ENGLISH, "fine"),
        (ENGLISH.replace("word59", "other"), "fine"),
        (CHINESE, "好的"),
        (CHINESE.replace("随时", ""), "好的"),
        ("something else entirely, in a handful of words", "yes"),
    )
    answer = NearDedup().decide(frame, CONTEXT)
    assert reasons(answer) == [None, "near_duplicate", None, "near_duplicate", None]
    assert answer["related"].to_list() == [None, "r0", None, "r2", None]
    assert answer["cluster"].to_list() == ["r0", "r0", "r2", "r2", "r4"]
    assert all(score >= 0.8 for score in answer["score"].gather([1, 3]))
    assert answer["score"].gather([0, 2, 4]).to_list() == [0.0, 0.0, 0.0]


def test_the_row_that_says_more_stays() -> None:
    frame = pairs((" ".join(WORDS[:-2]), None), (ENGLISH, None))
    assert NearDedup().decide(frame, CONTEXT)["related"].to_list() == ["r1", None]


def test_a_chain_of_small_steps_removes_only_what_is_near_to_a_row_that_stays() -> None:
    windows = [" ".join(f"word{number}" for number in range(start, start + 60)) for start in range(0, 60, 3)]
    answer = NearDedup(method="exact").decide(pairs(*[(text, None) for text in windows]), CONTEXT)
    kept = answer.filter(answer["verdict"] == "keep")["cluster"].to_list()
    removed = answer.filter(answer["verdict"] == "reject")
    assert len(kept) > 3
    assert removed["related"].is_in(kept).all()
    assert removed["score"].min() >= 0.8


def test_rows_accepted_before_win_and_are_not_judged() -> None:
    before = pairs((" ".join(WORDS[:-1]), None), (" ".join(WORDS[:-2]), None), ids=["p", "q"])
    answer = NearDedup().decide(pairs((ENGLISH, None), ids=["a"]), Context(step_id="x", reference=before))
    assert answer["related"].to_list() == ["p"]
    assert answer.height == 1


def test_part_and_threshold_are_settings() -> None:
    frame = pairs((ENGLISH, "yes"), (ENGLISH, CHINESE))
    assert reasons(NearDedup(on="user").decide(frame, CONTEXT)) == [None, "near_duplicate"]
    assert reasons(NearDedup(on="reply").decide(frame, CONTEXT)) == [None, None]
    assert reasons(NearDedup(jaccard=0.4).decide(frame, CONTEXT)) == ["near_duplicate", None]


def test_rows_without_text_are_near_to_none() -> None:
    answer = NearDedup().decide(pairs(("?!", None), ("。。", None), (None, "…")), CONTEXT)
    assert reasons(answer) == [None, None, None]
    assert answer["cluster"].to_list() == ["r0", "r1", "r2"]
    assert NearDedup().decide(empty(), CONTEXT).height == 0


def test_many_copies_and_a_megabyte() -> None:
    answer = NearDedup().decide(pairs(*[("same text here", "ok")] * 500, ("字词" * 175_000, None)), CONTEXT)
    assert (answer["verdict"] == "keep").sum() == 2


@pytest.mark.parametrize(
    "text",
    [
        "".join(chr(0x1F300 + number) for number in range(40)),
        "مرحبا بكم في متجرنا سوف نعيد لكم المال خلال خمسة أيام عمل بعد وصول الطرد إلى المخزن",
        "ברוכים הבאים לחנות שלנו אנחנו נחזיר לכם את הכסף תוך חמישה ימי עסקים אחרי שהחבילה תגיע אל המחסן שלנו",
        "ร้านของเราจะคืนเงินให้ภายในห้าวันทำการหลังจากพัสดุมาถึงคลังสินค้าแล้ว",
        "저희 가게는 상품이 창고에 도착한 뒤 영업일 기준 닷새 안에 환불해 드립니다",
        "退款 refund 订单 order 7 天 days 到账 arrive 👍 ok 仓库 warehouse 验收 check 客服 support",
    ],
)
def test_edited_copies_in_other_scripts_and_emoji(text: str) -> None:
    tail = "🦊" if text[0] == "\U0001f300" else " 9"
    frame = pairs((text, None), (text + tail, None), (text[: len(text) // 2], None))
    assert reasons(NearDedup().decide(frame, CONTEXT)) == ["near_duplicate", None, None]


def test_ten_thousand_identical_rows_leave_the_one_of_the_smallest_id() -> None:
    ids = [f"r{number:05}" for number in reversed(range(10_000))]
    answer = NearDedup().decide(pairs(*[(CHINESE, "好的")] * 10_000, ids=ids), CONTEXT)
    assert answer["cluster"].unique().to_list() == ["r00000"]
    assert (answer["verdict"] == "keep").sum() == 1


def test_megabytes_that_differ_in_one_word() -> None:
    words = [f"w{number}" for number in range(150_000)]
    texts = [" ".join(words), " ".join([*words[:-1], "other"]), "".join(map(chr, range(0x4E00, 0x9F00))) * 16]
    answer = NearDedup().decide(pairs(*((text, None) for text in texts)), CONTEXT)
    assert reasons(answer) == [None, "near_duplicate", None]
