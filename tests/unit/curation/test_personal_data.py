"""What counts as personal data, and the many things that only look like it."""

from __future__ import annotations

import polars as pl
import pytest

from zhiling.curation.personal_data import KINDS, SUSPICIOUS, find

FOUND = [
    ("我的邮箱是lin_xia8@example.com,谢谢", "email", "lin_xia8@example.com"),
    ("a.b+c@mail.example.co.uk. Next", "email", "a.b+c@mail.example.co.uk"),
    ("全角ａｂ１＠example.com也一样", "email", "ａｂ１＠example.com"),
    ("手机13812345678微信同号", "phone", "13812345678"),
    ("电话：138-1234-5678", "phone", "138-1234-5678"),
    ("+86 138 1234 5678", "phone", "+86 138 1234 5678"),
    ("号码１３８１２３４５６７８。", "phone", "１３８１２３４５６７８"),
    ("座机(010) 6552-1234", "phone", "(010) 6552-1234"),
    ("010-65521234转801", "phone", "010-65521234转801"),
    ("拨打 021 5555 1234", "phone", "021 5555 1234"),
    ("He is on 020 7946 0958 now", "phone", "020 7946 0958"),
    ("+44 (0)20 7946 0958", "phone", "+44 (0)20 7946 0958"),
    ("+1 202-555-0134.", "phone", "+1 202-555-0134"),
    ("(212) 555-0187", "phone", "(212) 555-0187"),
    ("212.555.0187 ext. 12", "phone", "212.555.0187 ext. 12"),
    ("call me at 2125550187 please", "phone", "2125550187"),
    ("my phone number is 555-0134", "phone", "555-0134"),
    ("电话（13812345678）", "phone", "13812345678"),
    ("the number is 01632960123, thanks", "phone", "01632960123"),
    ("座机01055551234没人接", "phone", "01055551234"),
    ("+1 202-555-0134x77", "phone", "+1 202-555-0134x77"),
    ("my phone has changed, it is 555 0134 now", "phone", "555 0134"),
    ("我的手机换号了，新的是 555 0134", "phone", "555 0134"),
    ("555 0134 office", "phone", "555 0134"),
    ("555 0134（办公）", "phone", "555 0134"),
    ("地址\n60-11-22-33\n", "phone", "60-11-22-33"),
    ("卡号是4111 1111 1111 1111。", "card", "4111 1111 1111 1111"),
    ("order, card 378282246310005 used", "card", "378282246310005"),
    ("身份证11010519491231002X", "resident_id", "11010519491231002X"),
    ("身份证号：110105 19491231 002X", "resident_id", "110105 19491231 002X"),
    ("SSN 123-45-6789", "ssn", "123-45-6789"),
    ("GB29 NWBK 6016 1331 9268 19 THANKS", "iban", "GB29 NWBK 6016 1331 9268 19"),
    ("登录IP为203.0.113.7，", "ip", "203.0.113.7"),
    ("It has 2001:db8:1f::3a2.", "ip", "2001:db8:1f::3a2"),
    ("https://user:pa55word@host.example/x", "secret", "user:pa55word"),
    ("https://a.example/cb?x=1&access_token=abcDEF123&y=2", "secret", "abcDEF123"),
    ("打开https://a.example/?token=9f8e7d6c5b请看", "secret", "9f8e7d6c5b"),
]
NOT_FOUND = [
    "比分是1:3，胜率3:1",
    "2023-01-01 10:30:00, 10-20-2023, 2023年01月02日",
    "Call 2023-01-01 if it fails",
    "price 13,812,345,678 dollars, ¥13812345678元",
    "version 10.0.19041.1, 固件 12.10.3.44, v1.22.33.44, 1.2.3.4",
    "std::cout << add::dead; a::b",
    "order 1234567890, tracking 2125550187",
    "订单号 4111111111111111 查一下, 订单13812345678901",
    "https://item.example/13812345678/4111111111111111?id=13812345678",
    "x = 1234567890; y=3.14159265358979",
    "127.0.0.1 255.255.255.0 10.0.0.0/8",
    '@app.route("/") lodash@4.17.21 icon@2x.png git@github.com:a/b',
    "100 200 300 400 500, 1990 1991 1992 1993 1994, 8-16-32-64-128",
    "call 400-123-4567 or 1-800-555-0199, 95588",
    "ISBN 978-3-16-148410-0, aa:bb:cc:dd:ee:ff",
    "https://a.example/?token={token}&key=<key>&password=[SECRET_1]",
    "the phone costs 1 299, the office is open 10-12, 电话费 300 元",
    "12 30 40\n50 60 70",
    "👩‍💻 3:1 😀 人口13亿",
]


@pytest.mark.parametrize(("text", "kind", "value"), FOUND)
def test_found(text: str, kind: str, value: str) -> None:
    assert [(found.kind, text[found.start : found.end]) for found in find(text, frozenset(KINDS))] == [
        (kind, value)
    ]
    assert pl.Series([text]).str.contains(SUSPICIOUS)[0], "the prefilter must not hide it"


@pytest.mark.parametrize("text", NOT_FOUND)
def test_not_found(text: str) -> None:
    assert find(text, frozenset(KINDS)) == []


def test_spellings_of_one_number_share_their_value() -> None:
    values = {
        find(text, frozenset(KINDS))[0].value
        for text in ("+86 138 1234 5678", "138-1234-5678", "13812345678")
    }
    assert values == {"13812345678"}


def test_kinds_that_are_not_asked_for_are_left() -> None:
    assert find("a@example.com 13812345678", frozenset({"phone"}))[0].kind == "phone"
    assert len(find("a@example.com 13812345678", frozenset({"phone"}))) == 1


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("看https://shop.example/a?b=1。", "https://shop.example/a?b=1"),
        ("(see www.Shop.example/a).", "www.Shop.example/a"),
        ("访问HTTP://shop.example/页面", "HTTP://shop.example/"),
    ],
)
def test_web_addresses_are_found_on_request_only(text: str, address: str) -> None:
    assert find(text, frozenset(KINDS)) == []
    (found,) = find(text, frozenset({*KINDS, "url"}))
    assert (found.kind, text[found.start : found.end][: len(address)]) == ("url", address)
    assert pl.Series([text]).str.contains(SUSPICIOUS)[0]


def test_a_secret_in_a_web_address_is_no_part_of_it() -> None:
    text = "https://a.example/cb?access_token=abcDEF123&y=2"
    found = find(text, frozenset({"url", "secret"}))
    assert [(each.kind, text[each.start : each.end]) for each in found] == [
        ("url", "https://a.example/cb?access_token="),
        ("secret", "abcDEF123"),
    ]
