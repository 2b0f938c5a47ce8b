"""What a number of Excel shows: a date, a time, a share or the number, by its number format.

Source: ECMA-376-1, 18.8.30 (built-in formats, with those of Chinese, Japanese and Korean Excel) and 18.17.4
(dates as serial numbers).
Deviation: a date is written as ISO 8601 and a number with all its digits, whatever the format's looks.
"""

from __future__ import annotations

import math
import re
from datetime import datetime, timedelta
from typing import Literal

Kind = Literal["number", "percent", "date", "time", "duration"]

_BUILT_IN_DATES = frozenset({*range(14, 18), 22, *range(27, 32), 36, *range(50, 55), 57, 58})
_BUILT_IN_TIMES = frozenset({*range(18, 22), *range(32, 36), 45, 47, 55, 56})
_BUILT_IN_PERCENTS = frozenset({9, 10})
_QUOTED = re.compile(r'"[^"]*"?|\\.|_.|\*.|\[(?!h+\]|m+\]|s+\])[^\]]*\]?', re.IGNORECASE)
_ELAPSED = re.compile(r"\[(h+|m+|s+)\]", re.IGNORECASE)
_LAST_SERIAL = 2_958_466  # 10000-01-01


def built_in(id: int) -> Kind:
    """What the built-in format of this id shows."""
    if id in _BUILT_IN_DATES:
        return "date"
    if id in _BUILT_IN_TIMES:
        return "time"
    if id == 46:
        return "duration"
    return "percent" if id in _BUILT_IN_PERCENTS else "number"


def custom(code: str) -> Kind:
    """What a format of the workbook's own shows: `yyyy"年"m"月"` a date, `0.0%` a share."""
    section = code[:300].partition(";")[0]
    bare = _QUOTED.sub("", section).lower()
    if _ELAPSED.search(bare):
        return "duration"
    if "general" in bare:
        return "number"
    if any(mark in bare for mark in "yd") or ("m" in bare and not any(mark in bare for mark in "hs")):
        return "date"
    if any(mark in bare for mark in "hs"):
        return "time"
    return "percent" if "%" in bare else "number"


def shown(text: str, kind: Kind, *, from_1904: bool) -> str:
    """The number as a reader expects it; as it stands where it is no finite number or no possible date."""
    try:
        value = float(text)
    except ValueError:
        return text
    if not math.isfinite(value) or (kind == "number" and text.lstrip("-").isdigit()):
        return text
    if kind == "percent":
        return f"{_plain(value * 100)}%"
    if kind == "duration":
        return _duration(value)
    if kind in ("date", "time") and 0 <= value < _LAST_SERIAL:
        return _moment(value, kind, from_1904=from_1904)
    return _plain(value)


def _plain(value: float) -> str:
    """15 digits, which is what Excel keeps; whole numbers of up to 21 digits without an exponent."""
    text = f"{value:.15g}"
    return str(int(value)) if "e" in text and value.is_integer() and abs(value) < 1e21 else text


def _moment(value: float, kind: Kind, *, from_1904: bool) -> str:
    seconds = round(value * 86_400)
    if kind == "time" and value < 1:
        return _clock(seconds)
    start = datetime(1904, 1, 1) if from_1904 else datetime(1899, 12, 30)  # noqa: DTZ001
    if not from_1904 and value < 60:
        start += timedelta(days=1)  # Excel counts a 29 February 1900 that never was
    moment = start + timedelta(seconds=seconds)
    return moment.date().isoformat() if seconds % 86_400 == 0 else moment.isoformat(sep=" ")


def _clock(seconds: int) -> str:
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def _duration(value: float) -> str:
    seconds = round(abs(value) * 86_400)
    return ("-" if value < 0 else "") + _clock(seconds)
