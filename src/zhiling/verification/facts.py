"""The facts of a text that must survive a translation, a summary, a rewriting: numbers, dates, links, codes.

differing("The train leaves at 9:40 on 5 March.", "火车三月五日9点40分开。")  # []: all facts are there
differing("It costs 1,200 crowns.", "它卖1300克朗。")  # 1200 is missing, 1300 is added
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from zhiling.text.numerals import arabic_value
from zhiling.verification.numbers import NUMBER, Key, Scan, read_numbers, value_of_numeral, words_table

DATE, MONTH, WEEKDAY, LINK, CODE = "date", "month", "weekday", "link", "code"
KINDS = (NUMBER, "percent", DATE, MONTH, WEEKDAY, LINK, CODE)
_ADDRESS = re.compile(
    r"(?:https?|ftp)://[^\s<>\"'，。；）】》\u4e00-\u9fff]+|www\.[^\s<>\"'，。；）】》\u4e00-\u9fff]+"
    r"|[A-Za-z0-9][\w.+-]{0,63}@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+",
    re.ASCII,
)
_ISO = re.compile(r"(?<![\d.])(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(?![\d.]*\d)")
_SLASHED = re.compile(r"(?<![\d/])(\d{1,2})/(\d{1,2})/(\d{4}|\d{2})(?![\d/])")
_CLOCK = re.compile(r"(?<![\d:])(\d{1,2}):(\d{2})(?::\d{2})?(?![\d:])")
_HOUR = re.compile(r"(?<![\d.:])(\d{1,2})\s?(?:a\.?m\b|p\.?m\b|o'clock)", re.IGNORECASE)
_HAN = "零〇一二两三四五六七八九十"
_HAN_DATE = re.compile(rf"(\d{{1,2}}|[{_HAN}]{{1,3}})月(?:份|(\d{{1,2}}|[{_HAN}]{{1,3}})[日号])?")
_HAN_WEEKDAY = re.compile(r"(?:星期|礼拜|周)([二三四五六日天]|一(?![直样起定些共]))")
_WEEKDAYS = {char: str(day) for day, char in enumerate("一二三四五六日", 1)} | {"天": "7"}
_VERSION = re.compile(r"(?<![\w.])v?\d+(?:\.\d+){2,}(?![\w.]*\d)", re.ASCII | re.IGNORECASE)
_CODE = re.compile(
    r"(?<![\w-])(?:[A-Za-z]{1,12}[-_]?\d[\w-]{0,40}|\d{1,12}[A-Za-z]{1,12}\d[\w-]{0,40})(?!\w)", re.ASCII
)


@dataclass(frozen=True)
class Difference:
    """A fact that one text states and the other does not have.

    Attributes:
        kind: one of `KINDS`.
        words: as it stands in its text.
        missing: whether the source has it and the reply does not; else the reply adds it.
    """

    kind: str
    words: str
    missing: bool

    def __str__(self) -> str:
        """`number '1,200' is missing`."""
        return f"{self.kind} {self.words.strip()!r:.60} is {'missing' if self.missing else 'added'}"


def differing(source: str, reply: str, *, supported: bool = False) -> list[Difference]:
    """The facts in which two texts differ, English or Chinese each.

    Args:
        source: the original.
        reply: its translation, summary, …
        supported: the reply may leave facts out, as a summary does, but add none.
    """
    one, other = facts(source), facts(reply)
    added = [Difference(key[0], words, missing=False) for key, words in _unanswered(other, one)]
    if supported:
        return added
    return [Difference(key[0], words, missing=True) for key, words in _unanswered(one, other)] + added


def facts(text: str) -> Scan:
    """What a text claims and mentions."""
    scan = Scan(unicodedata.normalize("NFKC", text))
    scan.take(_ADDRESS, lambda match: scan.claim(LINK, match[0].rstrip(".,;:!?)]").casefold(), match[0]))
    scan.take(_ISO, lambda match: _date(scan, match[0], month=match[2], day=match[3], year=match[1]))
    scan.take(_SLASHED, lambda match: _ambiguous_date(scan, match))
    scan.take(_english_date(), lambda match: _english_dated(scan, match))
    scan.take(_month_alone(), lambda match: _month(scan, match[0]))
    scan.take(_HAN_DATE, lambda match: _han_date(scan, match))
    scan.take(_weekdays(), lambda match: _weekday(scan, match[0]))
    scan.take(_HAN_WEEKDAY, lambda match: scan.claim(WEEKDAY, _WEEKDAYS[match[1]], match[0]))
    scan.take(_CLOCK, lambda match: _clock(scan, match))
    for match in _HOUR.finditer(scan.text):
        scan.mention(NUMBER, str(int(match[1]) + 12))
    scan.take(_VERSION, lambda match: scan.claim(CODE, match[0].lower().removeprefix("v"), match[0]))
    scan.take(_CODE, lambda match: _code(scan, match))
    read_numbers(scan)
    return scan


def _unanswered(one: Scan, other: Scan) -> Iterator[tuple[Key, str]]:
    """Claims of a text that nothing in the other one answers."""
    dated = any(kind == DATE for kind, _ in other.claims)
    for key, words in one.claims.items():
        # A day of a month is held against others of its kind; its parts are claims of their own.
        if key not in other.mentions and (key[0] != DATE or dated):
            yield key, words


def _date(scan: Scan, words: str, *, month: str, day: str | None, year: str | None = None) -> None:
    scan.claim(MONTH, arabic_value(month), words)
    if day:
        scan.claim(NUMBER, arabic_value(day), words)
        scan.claim(DATE, f"{arabic_value(month)}-{arabic_value(day)}", words)
    if year:
        scan.claim(NUMBER, arabic_value(year), words)


def _ambiguous_date(scan: Scan, match: re.Match[str]) -> None:
    """3/5/2024 is in March or in May, so it claims its year alone and answers both."""
    if len(match[3]) == 4:
        scan.claim(NUMBER, arabic_value(match[3]), match[0])
    first, second = arabic_value(match[1]), arabic_value(match[2])
    scan.mention(NUMBER, first, second)
    scan.mention(MONTH, first, second)
    scan.mention(DATE, f"{first}-{second}", f"{second}-{first}")
    scan.mention(NUMBER, f"20{match[3]}", f"19{match[3]}")


def _english_dated(scan: Scan, match: re.Match[str]) -> None:
    month = str(words_table()["months"][(match["month"] or match["month_after"]).lower()])
    day = match["day"] or match["day_before"]
    _date(scan, match[0], month=month, day=day, year=match["year"])


def _month(scan: Scan, words: str) -> None:
    scan.claim(MONTH, str(words_table()["months"][words.rsplit(maxsplit=1)[-1].lower()]), words)


def _weekday(scan: Scan, words: str) -> None:
    scan.claim(WEEKDAY, str(words_table()["weekdays"][words.lower()]), words)


def _han_date(scan: Scan, match: re.Match[str]) -> object:
    month, day = value_of_numeral(match[1]), match[2] and value_of_numeral(match[2])
    if not 1 <= int(month) <= 12:
        return False
    return _date(scan, match[0], month=month, day=day)


def _clock(scan: Scan, match: re.Match[str]) -> object:
    hour, minute = int(match[1]), int(match[2])
    if hour > 24 or minute > 59:
        return False
    scan.claim(NUMBER, str(hour), match[0])
    scan.mention(NUMBER, str(hour + 12), str(hour - 12))
    if minute:
        scan.claim(NUMBER, str(minute), match[0])
    return None


_NOT_CODES = re.compile(r"\d+(?:st|nd|rd|th|s|am|pm|[kmg]?b|[kmc]?m|[km]?g|kw|hz|h|min|d)", re.IGNORECASE)


def _code(scan: Scan, match: re.Match[str]) -> object:
    words = match[0]
    if not re.search(r"[A-Za-z]", words) or _NOT_CODES.fullmatch(words):
        return False
    scan.claim(CODE, re.sub(r"[-_]", "", words).casefold(), words)
    scan.mention(NUMBER, *map(arabic_value, re.findall(r"\d+", words)))
    return None


@cache
def _months() -> str:
    return "|".join(sorted(words_table()["months"], key=len, reverse=True))


@cache
def _english_date() -> re.Pattern[str]:
    """`March 5(th)(, 2024)`, `(the) 5(th) (of) March (2024)`, `March 2024`."""
    day, year = r"\d{1,2}", r"(?:,?\s+(?P<year>\d{4}))?"
    before = (
        rf"(?<![\d.,])(?P<day_before>{day})(?:st|nd|rd|th)?\s+(?:of\s+)?(?P<month_after>{_months()})\b\.?"
    )
    after = rf"\b(?P<month>{_months()})\b\.?\s+(?P<day>{day})(?:st|nd|rd|th)?(?![\d:.]*\d)"
    return re.compile(rf"(?:{before}|{after}){year}", re.IGNORECASE)


@cache
def _month_alone() -> re.Pattern[str]:
    """A month without a day; `may` and `march` are verbs unless a preposition or a year is beside them."""
    names = [name for name in words_table()["months"] if len(name) > 4 and name not in ("march",)]
    sure = "|".join(name.capitalize() for name in [*names, "june", "july"])
    near = r"(?i:in|since|until|till|by|during|of|from|last|next|this|every|early|late|mid)\s+(?:May|March)"
    return re.compile(rf"\b(?:{sure})\b|\b{near}\b|\b(?:May|March)\b(?=\s+\d{{4}}\b)")


@cache
def _weekdays() -> re.Pattern[str]:
    return re.compile("|".join(rf"\b{name}\b" for name in words_table()["weekdays"]), re.IGNORECASE)
