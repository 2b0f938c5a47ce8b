"""What customers of a small desk say, English and Chinese, in as many variants as are asked for."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

PARTS: dict[str, tuple[tuple[str, ...], ...]] = {
    "card": (
        ("my", "the", "our"), ("bank", "credit", "debit", "gold"),
        ("card is lost", "card was stolen", "card is gone", "card is blocked", "card does not work"),
        ("", "what now", "please help", "since monday"),
    ),
    "parcel": (
        ("where is", "when comes", "I wait for"), ("my", "the", "a"),
        ("parcel", "package", "delivery", "order with books"), ("", "please", "today", "from last week"),
    ),
    "password": (
        ("how do I", "can I", "help me to"), ("reset", "change", "renew"), ("my", "the"),
        ("password", "login code", "pin of the account"), ("", "please", "on the phone"),
    ),
    "refund": (
        ("I want", "give me", "when do I get"), ("my", "the", "a"), ("money", "refund", "payment"),
        ("back", "back for the shoes", "back for the broken lamp", "returned"),
    ),
    "卡": (
        ("我的", "我们的", "这张"), ("银行卡", "信用卡", "储蓄卡"),
        ("丢了", "被偷了", "不能用了", "被冻结了"), ("", "怎么办", "请帮忙", "从昨天开始"),
    ),
    "快递": (
        ("我的", "那个", "上周的"), ("快递", "包裹", "订单"),
        ("在哪里", "还没到", "什么时候到", "怎么还没送"), ("", "请查一下", "谢谢"),
    ),
    "密码": (
        ("怎么", "如何", "我想"), ("重置", "修改", "找回"), ("登录密码", "支付密码", "账户密码"),
        ("", "请告诉我", "在手机上", "急"),
    ),
}  # fmt: skip


def variants(label: str) -> list[str]:
    """All of them, in an order that mixes them."""
    joint = "" if not label.isascii() else " "
    every = [joint.join(part for part in parts if part) for parts in product(*PARTS[label])]
    return [every[(place * 37) % len(every)] for place in range(len(every))]  # 37 divides no count here


def desk(known: int, lines: int) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """So many known texts of each label, and so many others, with their labels."""
    told = {label: variants(label) for label in PARTS}

    def rows(start: int, stop: int) -> Iterator[tuple[str, str]]:
        return ((text, label) for label, texts in told.items() for text in texts[start:stop])

    return list(rows(0, known)), list(rows(known, known + lines))
