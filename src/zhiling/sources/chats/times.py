"""Times of messages as seconds, from epoch numbers, ISO 8601 and clock times."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import polars as pl

_NUMBER = re.compile(r"\d+(\.\d+)?")
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}(?:\.\d+)?))?")
_DATE = re.compile(r"(\d{4})[/.](\d{1,2})[/.](\d{1,2})(?=\D|$)")


def seconds(times: pl.Series) -> pl.Series:
    """Seconds that order the times of one file; null where there is none, NaN where it cannot be read.

    Understood are numbers (seconds or milliseconds since 1970, all of one kind), ISO 8601 with `-`, `/` or
    `.` between year, month and day, and clock times such as `9:05` (a chat within one day). A time
    without zone counts as UTC.
    """
    distinct = times.drop_nulls().unique().to_list()
    parsed = {time: _seconds(time) for time in distinct}
    return pl.Series("time", [None if time is None else parsed[time] for time in times], dtype=pl.Float64)


def _seconds(time: str) -> float | None:
    text = time.strip()
    if not text:
        return None
    if _NUMBER.fullmatch(text):
        return float(text)
    clock = _CLOCK.fullmatch(text)
    if clock:
        hours, minutes, rest = clock.groups()
        return int(hours) * 3600 + int(minutes) * 60 + float(rest or 0)
    try:
        moment = datetime.fromisoformat(_DATE.sub(_dashed, text, count=1))
    except ValueError:
        return float("nan")
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _dashed(match: re.Match[str]) -> str:
    year, month, day = match.groups()
    return f"{year}-{month:0>2}-{day:0>2}"
