"""Pace and waits: no minute holds more than allowed, and what a server asks for is understood."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zhiling.llm.pace import Backoff, Pace, retry_after_s

gaps = st.lists(st.tuples(st.floats(0, 30), st.integers(0, 500)), min_size=1, max_size=60)


@given(gaps, st.integers(1, 200), st.integers(100, 5000))
def test_no_minute_holds_more_requests_or_tokens_than_allowed(
    asked: list[tuple[float, int]], rpm: int, tpm: int
) -> None:
    now = [0.0]
    pace = Pace(rpm, tpm, clock=lambda: now[0])
    sent: list[tuple[float, int]] = []
    for gap, tokens in asked:
        now[0] += gap
        now[0] += pace.wait_s()
        pace.take(tokens)
        sent.append((now[0], tokens))
    for first, (start, _) in enumerate(sent):
        window = [tokens for moment, tokens in sent[first:] if moment < start + 60 - 1e-6]
        assert len(window) <= rpm
        assert sum(window[:-1]) <= tpm


def test_tokens_that_were_not_taken_come_back() -> None:
    pace = Pace(tpm=60, clock=lambda: 0.0)
    pace.take(60)
    assert pace.wait_s() == 60
    pace.correct(60, 10)
    assert pace.wait_s() == 10


def test_turns_are_kept_in_order_and_without_limits_nobody_waits() -> None:
    async def story(pace: Pace) -> list[tuple[int, float]]:
        sent: list[tuple[int, float]] = []

        async def request(number: int) -> None:
            await pace.keep(1, pause)
            sent.append((number, now[0]))

        await asyncio.gather(*(request(number) for number in range(4)))
        return sent

    async def pause(seconds: float) -> None:
        now[0] += seconds
        await asyncio.sleep(0)

    now = [0.0]
    assert asyncio.run(story(Pace(clock=lambda: now[0]))) == [(number, 0.0) for number in range(4)]
    assert asyncio.run(story(Pace(60, clock=lambda: now[0]))) == [
        (number, float(number)) for number in range(4)
    ]


def test_waits_double_with_jitter_and_are_drawn_from_the_seed() -> None:
    first, second = Backoff(7), Backoff(7)
    waits = [first.wait_s(tried) for tried in range(1, 12)]
    assert waits == [second.wait_s(tried) for tried in range(1, 12)]
    assert all(0 <= wait <= min(60, 0.5 * 2**tried) for tried, wait in enumerate(waits, start=1))
    assert len(set(waits)) == len(waits)


def test_a_server_that_asks_for_a_wait_gets_it_and_a_little_more() -> None:
    waits = [Backoff(seed).wait_s(1, 10.0) for seed in range(50)]
    assert all(10 <= wait <= 10.5 for wait in waits)
    assert all(a != b for a, b in pairwise(waits))


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "3"}, 3), ({"Retry-After": "0.5"}, 0.5), ({"Retry-After-Ms": "250"}, 0.25),
        ({"Retry-After": "Wed, 21 Oct 2026 07:28:10 GMT"}, 10),
        ({"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0),
        ({}, None), ({"Retry-After": "soon"}, None), ({"Retry-After": "-1"}, None),
        ({"Retry-After": "inf"}, None), ({"Retry-After": "nan"}, None),
    ],
)  # fmt: skip
def test_retry_after_is_a_number_a_date_or_nothing(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after_s(headers, datetime(2026, 10, 21, 7, 28, tzinfo=UTC)) == seconds
