"""Damage: what encodings did to a text is found and mended, and what only looks like it stays."""

from __future__ import annotations

import pytest

from zhiling.curation.damage import mended, problems
from zhiling.curation.entities import resolved

CHINESE = "您好，我们的订单已经发货，请注意查收"

MENDED = [
    ("don&#39;t &quot;go&quot;", 'don\'t "go"'),
    ("&amp;quot;hi&amp;quot; &amp;amp; bye", '"hi" & bye'),
    ("a&nbsp;b&#x27;s", "a b's"),
    ("他说&ldquo;你好&rdquo;，5&nbsp;&gt;&nbsp;3", "他说“你好”，5 > 3"),
    ("Oil #39;s price", "Oil's price"),
    ("the  quot;blue lamp quot; of Ling  amp; Co", 'the "blue lamp" of Ling & Co'),
    ("价格是 #36;5，很便宜", "价格是$5，很便宜"),
    ("在网站中写着&lt;无&gt;", "在网站中写着<无>"),
    ("caf\u00c3\u00a9 and na\u00c3\u00afve", "café and naïve"),
    ("\u00e2\u20ac\u0153hi\u00e2\u20ac\u009d \u00c2\u00a35", "“hi” £5"),
    ("caf\u00c3\u0192\u00c2\u00a9", "café"),
    (CHINESE.encode().decode("latin-1"), CHINESE),
    (CHINESE.encode("gb2312").decode("latin-1"), CHINESE),
    (CHINESE.encode().decode("gb18030"), CHINESE),
    ("答：" + CHINESE.encode("gb2312").decode("latin-1"), "答：" + CHINESE),
    ("a\x00b\x1bc\td\n", "abc\td\n"),
]
HARMLESS = [
    "https://example.com/a?x=1&copy=2&lt;y=3;",
    "`if (a &lt; b)` and ```\n&nbsp;\n```",
    "<p>&copy; Heronlight</p>",
    "In HTML one writes &lt; for <.",
    "在HTML里，&lt;表示小于号",
    "转义字符是&amp;",
    "fixed in issues #38; #39; and PR #34;",
    "见问题 #39;",
    "background: #151; color: #163;",
    "AT&T; R&D &unknown; &;",
    "CAFÉ® Ü» «ÄÖÜ» ÀÁÂÃÄÅÆÇÈ °°°°°° ÿ",
    "Ça va à Paris ? L’été, « oui » – naïve Ångström №5",
    "涓涓细流，联通公司，锌锭，杩子，冰淇淋",
    "鋼鐵工廠的鏡子和時鐘，還有鑰匙",
    "荷物はどこ？ Где посылка? أين",
    "👩‍💻🇨🇳❤️ 1:3 50% v1.2 x[0] = {a: b}",
    "烫手的山芋，好烫烫烫！",
    "line\r\nline\ttab\x0cpage",
    "Tiếng Việt: Đường đi khó, không khó vì ngăn sông cách núi",
    "Żółć, Čeština, Türkçe ğ ş İ, Îles",
]


@pytest.mark.parametrize(("text", "expected"), MENDED)
def test_damage_is_mended_and_gone(text: str, expected: str) -> None:
    new = mended(text)
    assert new.text == expected
    assert list(problems(text))
    assert not list(problems(new.text))


@pytest.mark.parametrize("text", HARMLESS)
def test_what_is_meant_stays(text: str) -> None:
    assert mended(text).edits == ()
    assert not list(problems(text))


def test_edits_are_small_so_that_places_can_move_along() -> None:
    text = "Oil #39;s price, caf\u00c3\u00a9, said Ling"
    new = mended(text)
    assert new.edits == [(3, 8, 1), (20, 22, 1)]
    start, end = new.span(text.index("Ling"), len(text))
    assert new.text[start:end] == "Ling"


def test_damage_beneath_damage_is_one_edit() -> None:
    new = mended("x &Atilde;&copy; y")
    assert (new.text, new.edits) == ("x é y", [(2, 16, 1)])


def test_an_entity_that_is_no_character_stays() -> None:
    assert [resolved(entity) for entity in ("&#0;", "&#xD800;", "&nonsense;", "&#27;")] == [None] * 4
    assert resolved("&#128;") == "€"


def test_what_is_not_mended() -> None:
    short = "好的".encode().decode("gb18030", "ignore")
    lost = CHINESE.encode("gbk").decode("utf-8", "replace")
    assert [mended(text).edits for text in (short, lost, "????", "锟斤拷")] == [()] * 4
    assert list(problems("鎮ㄥソ锛屾垜浠�鐨勮�㈠崟宸茬粡鍙戣揣")) == ["mojibake"]  # some bytes are gone
