"""Notices for generation.12, written here in English and Chinese, each value in one of many spellings."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace

from verifier_rows import MOST, Pair, Row

MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
          "November", "December")  # fmt: skip
WIDE = str.maketrans("0123456789", "０１２３４５６７８９")
HAN = "零一二三四五六七八九"


@dataclass(frozen=True)
class Notice:
    """The values of a notice."""

    parcels: int
    percent: int
    year: int
    month: int
    day: int
    code: str
    path: str

    @classmethod
    def drawn(cls, draw: random.Random) -> Notice:
        """Any values."""
        code = f"{draw.choice('ABKRT')}{draw.choice('CDEX')}-{draw.randrange(100, 9999)}"
        return cls(
            draw.choice([draw.randrange(2, 99), draw.randrange(100, 9999), draw.randrange(1, 90) * 10_000]),
            draw.randrange(2, 99), draw.randrange(1950, 2030), draw.randrange(1, 13), draw.randrange(1, 29),
            code, f"n{draw.randrange(10_000)}",
        )  # fmt: skip

    def changed(self, draw: random.Random) -> Notice:
        """The same with one value another one, which the notice does not have elsewhere."""
        field = draw.choice(("parcels", "percent", "year", "month", "day", "code", "path"))
        while True:
            other = getattr(Notice.drawn(draw), field)
            if other not in vars(self).values():
                return replace(self, **{field: other})

    def english(self, draw: random.Random) -> str:
        """In English."""
        month = MONTHS[self.month - 1]
        date = draw.choice(
            [f"{month} {self.day}, {self.year}", f"{self.day} {month} {self.year}",
             f"{self.year}-{self.month:02}-{self.day:02}", f"the {_ordinal(self.day)} of {month} {self.year}"]
        )  # fmt: skip
        percent = draw.choice([f"{self.percent}%", f"{self.percent} percent", f"{self.percent} per cent"])
        parcels = draw.choice([f"{self.parcels}", f"{self.parcels:,}"])
        if self.parcels % 10_000 == 0 and draw.random() < 0.5:
            parcels = f"{self.parcels // 1000} thousand"
        return (
            f"On {date} we sent {parcels} parcels, {percent} of them abroad. "
            f"The code is {self.code}; see https://post.example/{self.path} for more."
        )

    def chinese(self, draw: random.Random) -> str:
        """In Chinese."""
        year = draw.choice([str(self.year), "".join(HAN[int(digit)] for digit in str(self.year))])
        month, day = draw.choice([(str(self.month), str(self.day)), (han(self.month), han(self.day))])
        wide = f"{self.percent}％".translate(WIDE)
        percent = draw.choice([f"{self.percent}%", f"百分之{han(self.percent)}", wide])
        parcels = str(self.parcels)
        parcels = draw.choice([parcels, f"{self.parcels:,}", han(self.parcels), parcels.translate(WIDE)])
        if self.parcels % 10_000 == 0 and draw.random() < 0.5:
            parcels = f"{self.parcels // 10_000}万"
        return (
            f"{year}年{month}月{day}{draw.choice('日号')}，我们寄出{parcels}个包裹，其中{percent}寄往国外。"
            f"代码是{self.code}，详见https://post.example/{self.path}。"
        )


def notices(language: str, draw: random.Random) -> Iterator[Pair]:
    """A notice and its translation into `language`, in which one value is another one."""
    target = {"source_language": "zh" if language == "en" else "en", "target_language": language}
    for _ in range(MOST):
        right = Notice.drawn(draw)
        wrong = right.changed(draw)
        source = right.chinese(draw) if language == "en" else right.english(draw)
        replies = [each.english(draw) if language == "en" else each.chinese(draw) for each in (right, wrong)]
        turns = [(("user", source), ("assistant", reply)) for reply in replies]
        yield Pair(*(Row(each, target, "translation") for each in turns))


def han(value: int) -> str:
    """A number below a hundred million in Chinese."""
    if value >= 10_000:
        rest = value % 10_000
        return han(value // 10_000) + "万" + ("" if not rest else ("零" if rest < 1000 else "") + han(rest))
    said, zero = "", False
    for unit, sign in ((1000, "千"), (100, "百"), (10, "十"), (1, "")):
        digit = value // unit % 10
        if digit:
            said += ("零" if zero and said else "") + HAN[digit] + sign
        zero = not digit
    return said.removeprefix("一") if 10 <= value < 20 else said


def _ordinal(day: int) -> str:
    ending = "th" if day in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")
    return f"{day}{ending}"
