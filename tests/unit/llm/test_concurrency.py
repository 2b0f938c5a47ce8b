"""The number of requests at once: grows while answers come, falls under load, and not for noise."""

from __future__ import annotations

import random
from collections.abc import Callable

from zhiling.llm.concurrency import START, AdaptiveLimit


class Server:
    """Answers one request after the other, and refuses some by how many are in flight."""

    def __init__(self, refuses: Callable[[int], bool], latency_s: float = 0.05) -> None:
        self.now, self.refuses, self.latency_s = 0.0, refuses, latency_s
        self.limit = AdaptiveLimit(256, clock=lambda: self.now)

    def work(self, answers: int, demand: int = 10_000) -> None:
        for _ in range(answers):
            busy = min(demand, int(self.limit.limit))
            self.now += self.latency_s / busy
            if self.refuses(busy):
                self.limit.refused(busy)
            else:
                self.limit.answered(busy)


def test_it_doubles_until_the_most_while_answers_come() -> None:
    server = Server(lambda busy: False)
    assert server.limit.limit == START
    server.work(START)
    assert server.limit.limit == 2 * START
    server.work(300)
    assert server.limit.limit == 256


def test_it_does_not_grow_where_nobody_asks_for_more() -> None:
    server = Server(lambda busy: False)
    server.work(1000, demand=4)
    assert server.limit.limit == START


def test_it_settles_near_what_a_server_can_take() -> None:
    draw = random.Random(0)
    # Beyond 64 at once a server answers no more than 64 of them: the others are refused.
    server = Server(lambda busy: draw.random() > 64 / busy)
    server.work(20_000)
    seen = []
    for _ in range(200):
        server.work(50)
        seen.append(server.limit.limit)
    assert 32 <= sum(seen) / len(seen) <= 110


def test_refusals_that_have_nothing_to_do_with_load_do_not_strangle_it() -> None:
    draw = random.Random(0)
    server = Server(lambda busy: draw.random() < 0.3)
    server.work(20_000)
    seen = []
    for _ in range(100):
        server.work(100)
        seen.append(server.limit.limit)
    assert sum(seen) / len(seen) > 64


def test_it_never_falls_to_nothing() -> None:
    server = Server(lambda busy: True)
    server.work(5000)
    assert server.limit.limit >= 1
