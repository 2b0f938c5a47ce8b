"""A small bilingual help desk for tests of steps that learn: four topics, made of words of their own."""

from __future__ import annotations

import json

import numpy as np
import polars as pl

from tests.unit.curation.frames import pairs

WORDS = {
    ("parcel", "en"): [
        "parcel",
        "courier",
        "tracking",
        "delivery",
        "shipment",
        "van",
        "doorstep",
        "postman",
        "route",
        "depot",
    ],
    ("lock", "en"): [
        "lock",
        "battery",
        "keypad",
        "hinge",
        "deadbolt",
        "fingerprint",
        "handle",
        "code",
        "jammed",
        "motor",
    ],
    ("invoice", "en"): [
        "invoice",
        "tax",
        "receipt",
        "company",
        "billing",
        "payment",
        "amount",
        "card",
        "ledger",
        "bank",
    ],
    ("parcel", "zh"): ["包裹", "快递", "物流", "派送", "签收", "驿站", "单号", "发货", "运输", "中转"],
    ("lock", "zh"): ["门锁", "电池", "键盘", "指纹", "把手", "密码", "卡住", "电机", "锁舌", "开门"],
    ("invoice", "zh"): ["发票", "税号", "抬头", "公司", "开票", "付款", "金额", "报销", "凭证", "银行"],
}


def help_desk(count: int) -> pl.DataFrame:
    """`count` conversations for each topic and language, one row each: question, reply, label, group."""
    generator = np.random.default_rng(5)
    texts: list[tuple[str, str]] = []
    labels: list[str] = []
    languages: list[str] = []
    for (label, language), words in WORDS.items():
        space = " " if language == "en" else ""
        for _ in range(count):
            question, reply = (space.join(generator.choice(words, 5, replace=False)) for _ in range(2))
            texts.append((question, reply))
            labels.append(label)
            languages.append(language)
    rows = pairs(*texts, ids=[f"r{place:04}" for place in generator.permutation(len(texts))])
    return rows.with_columns(
        target=pl.Series([json.dumps({"labels": [label]}) for label in labels]),
        language=pl.Series(languages),
        group=pl.Series([f"g{place}" for place in range(len(texts))]),
    )
