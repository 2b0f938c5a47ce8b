"""Talks about a table, written here in English and Chinese, with states and acts of each turn."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

from verifier_rows import MOST

VALUES = {
    "en": {
        "town": ("Aldmoor", "Brackwater", "Corrie", "Dunfield", "Eskby", "Fennport", "Garrow", "Hollin"),
        "people": ("2", "3", "4", "5", "6", "7", "8", "9"),
        "time": ("6:30", "7 o'clock", "7:45", "half past eight", "9:15", "noon", "5:50", "quarter to ten"),
        "name": ("the Copper Pot", "Juniper", "Old Ferry House", "Two Herons", "Saffron Row", "the Quince"),
        "phone": ("555-0143", "555-0178", "555-0112", "555-0190", "555-0167", "555-0135"),
    },
    "zh": {
        "town": ("柳桥", "青浦镇", "石塘", "白沙湾", "云岭", "河口", "松林", "东坪"),
        "people": ("2", "3", "4", "5", "6", "7", "8", "9"),
        "time": ("六点半", "七点", "七点三刻", "八点半", "中午", "五点五十分", "九点一刻", "晚上十点"),
        "name": ("铜锅居", "杜松小馆", "老渡口饭店", "双鹭楼", "藏红花餐厅", "木瓜园"),
        "phone": ("555-0143", "555-0178", "555-0112", "555-0190", "555-0167", "555-0135"),
    },
}  # fmt: skip
NUMBERS = {
    "en": ("two", "three", "four", "five", "six", "seven", "eight", "nine"),
    "zh": ("两", "三", "四", "五", "六", "七", "八", "九"),
}
SAID = {
    "en": ("I need a table in {town}.", "For how many people?", "For {number}.",
           "{name} has one free. What is the best time?", "At {time}. What is their phone number?",
           "It is {phone}. So {name} for {number} at {time}?", "Yes, please.", "Your table is booked."),
    "zh": ("我想在{town}订一张桌子。", "一共几位？", "{number}位。", "{name}有空位。您几点到？",
           "{time}。他们的电话是多少？", "电话是{phone}。那就订{name}，{number}位，{time}，对吗？",
           "对，谢谢。", "已经为您订好了。"),
}  # fmt: skip
ACTS = (
    (("inform", "town"),),
    (("request", "people"),),
    (("inform", "people"),),
    (("offer", "name"), ("request", "time")),
    (("inform", "time"), ("request", "phone")),
    (("inform", "phone"), ("confirm", "name"), ("confirm", "people"), ("confirm", "time")),
    (("affirm", ""),),
    (("book", ""),),
)
ASKING = {"request", "affirm", "book"}
WANTED = {0: ("town",), 2: ("town", "people"), 4: ("town", "people", "time"),
          6: ("town", "people", "time", "name")}  # fmt: skip


def talks(language: str, draw: random.Random) -> Iterator[dict[str, Any]]:
    """Talks with values drawn, numbers of people in words or in digits."""
    for _ in range(MOST):
        chosen = {slot: draw.choice(values) for slot, values in VALUES[language].items()}
        words = NUMBERS[language][int(chosen["people"]) - 2]
        spoken = {**chosen, "number": draw.choice([words, chosen["people"]])}
        texts = [
            (("user", "assistant")[at % 2], text.format(**spoken)) for at, text in enumerate(SAID[language])
        ]
        turns: list[dict[str, Any]] = []
        for at, acts in enumerate(ACTS):
            done = [
                {
                    "act": act,
                    "domain": "table",
                    "slot": slot,
                    "values": [] if act in ASKING else [chosen[slot]],
                }
                for act, slot in acts
            ]
            state = [{"domain": "table", "slot": slot, "value": chosen[slot]} for slot in WANTED.get(at, ())]
            turns.append({"message": at, "acts": done, **({"state": state} if state else {})})
        yield {"texts": texts, "turns": turns}
