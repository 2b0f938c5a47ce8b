"""Batch files: written once, counted at their most, read back into the same store, never asked for twice."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest

from zhiling.errors import AwaitingBatch, BudgetReached, MissingInput, UsageError
from zhiling.llm.batch_file import Answered, read_answers
from zhiling.llm.engine import Engine
from zhiling.llm.fake_replies import sampled
from zhiling.llm.fake_server import running
from zhiling.llm.limits import Limits
from zhiling.llm.reply import Reply
from zhiling.llm.role import Role
from zhiling.llm.store import ResponseStore
from zhiling.llm.verdict import Ask
from zhiling.llm.wire import ChatRequest, user

SETTINGS = {"endpoint": "http://127.0.0.1:9/v1", "model": "m", "price": {"in": 1, "out": 1}, "batch": True}


@pytest.fixture
def opened(tmp_path: Path) -> Callable[..., Any]:
    @contextmanager
    def engine(limits: Limits | None = None, **settings: Any) -> Generator[Engine]:
        role = Role.model_validate(SETTINGS | settings)
        with Engine({"t": role}, tmp_path / "z.sqlite", run="r", limits=limits) as found:
            yield found

    return engine


def asks(count: int, samples: int = 1, start: int = 0) -> list[Ask]:
    requests = [ChatRequest(user(f"问题 {number}")) for number in range(start, start + count)]
    return [Ask(request, sample) for request in requests for sample in range(samples)]


def lines(file: Path) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in file.read_bytes().splitlines()]


def answer(file: Path, failing: int = 0) -> Path:
    """What a server makes of a batch file: some lines fail, the order is another one."""
    told: list[dict[str, Any]] = []
    for number, line in enumerate(reversed(lines(file))):
        body = sampled(line["url"], line["body"], f"reply to {line['body']['messages'][-1]['content']}", None)
        response = (
            {"status_code": 200, "body": body} if number >= failing else {"status_code": 500, "body": {}}
        )
        told.append({"id": f"b{number}", "custom_id": line["custom_id"], "response": response, "error": None})
    answers = file.with_suffix(".answers.jsonl")
    answers.write_bytes(b"\n".join(map(orjson.dumps, told)))
    return answers


def read(file: Path, root: Path) -> Answered:
    with ResponseStore(root / "z.sqlite") as store:
        return read_answers(file, store, {"t": Role.model_validate(SETTINGS)})


def test_requests_are_written_once_and_their_answers_are_the_replies(tmp_path: Path, opened: Any) -> None:
    with opened() as engine:
        for _ in range(2):
            with pytest.raises(AwaitingBatch, match=r"5 requests .* batches/t-0001.jsonl") as it:
                engine.ask("t", asks(5))
        assert it.value.exit_code == 4
        with pytest.raises(AwaitingBatch, match=r"7 requests .* batches/t-0001.jsonl, batches/t-0002.jsonl"):
            engine.ask("t", asks(7))
        most = engine.spending()
        assert (most.calls, most.unsettled) == (7, 7)
    files = sorted((tmp_path / "batches").iterdir())
    assert [len(lines(file)) for file in files] == [5, 2]
    first = lines(files[0])[0]
    assert (first["method"], first["url"], first["body"]["model"]) == ("POST", "/v1/chat/completions", "m")
    assert len(first["custom_id"]) <= 64
    assert [read(answer(file), tmp_path) for file in files] == [Answered(5, 0, 0), Answered(2, 0, 0)]
    assert read(answer(files[0]), tmp_path) == Answered(0, 0, 5)  # read before: nothing changes
    with opened() as engine:
        found = engine.ask("t", asks(7))
        assert [each.text for each in found] == [f"reply to 问题 {number}" for number in range(7)]
        spent = engine.spending()
        assert (spent.calls, spent.unsettled) == (7, 0)
        assert 0 < spent.pico < most.pico
        assert spent.pico == 10**6 * spent.tokens


def test_a_reply_is_one_whether_it_came_by_a_batch_or_not(tmp_path: Path, opened: Any) -> None:
    with opened() as engine, pytest.raises(AwaitingBatch):
        engine.ask("t", asks(3))
    read(answer(tmp_path / "batches" / "t-0001.jsonl"), tmp_path)
    with running() as server:
        with opened(endpoint=server.url, batch=False) as engine:
            assert all(isinstance(each, Reply) for each in engine.ask("t", asks(4)))
        assert sum(server.seen.values()) == 1
        with opened(endpoint=server.url) as engine:
            assert all(isinstance(each, Reply) for each in engine.ask("t", asks(4)))
        assert sum(server.seen.values()) == 1


def test_what_failed_costs_nothing_and_stands_in_the_next_file(tmp_path: Path, opened: Any) -> None:
    with opened() as engine, pytest.raises(AwaitingBatch):
        engine.ask("t", asks(6))
    assert read(answer(tmp_path / "batches" / "t-0001.jsonl", failing=2), tmp_path) == Answered(4, 2, 0)
    with opened() as engine:
        assert engine.spending().calls == 4
        with pytest.raises(AwaitingBatch, match=r"2 requests .* batches/t-0002.jsonl"):
            engine.ask("t", asks(6))
    assert read(answer(tmp_path / "batches" / "t-0002.jsonl"), tmp_path) == Answered(2, 0, 0)
    with opened() as engine:
        assert len(engine.ask("t", asks(6))) == 6


def test_samples_share_a_line_and_only_missing_ones_are_written(tmp_path: Path, opened: Any) -> None:
    with opened() as engine:
        with pytest.raises(AwaitingBatch):
            engine.ask("t", asks(2, samples=3))
        with pytest.raises(AwaitingBatch):
            engine.ask("t", asks(2, samples=5))
    first, second = (lines(file) for file in sorted((tmp_path / "batches").iterdir()))
    assert [line["body"]["n"] for line in (*first, *second)] == [3, 3, 2, 2]
    for file in sorted((tmp_path / "batches").iterdir()):
        read(answer(file), tmp_path)
    with opened() as engine:
        assert len(engine.ask("t", asks(2, samples=5))) == 10


def test_no_more_is_written_than_the_cap_allows(tmp_path: Path, opened: Any) -> None:
    with opened(Limits(usd=0.005)) as engine:  # of a tenth of a cent each, and a little more
        with pytest.raises(AwaitingBatch, match=r"batches/t-0001.jsonl"):
            engine.ask("t", asks(10))
        assert engine.spending().usd <= 0.005
        noted = engine.spending().calls
        assert 0 < noted < 10
    assert len(lines(tmp_path / "batches" / "t-0001.jsonl")) == noted
    with opened(Limits(usd=0)) as engine, pytest.raises(BudgetReached):
        engine.ask("t", asks(1, start=20))


def test_vectors_are_asked_for_directly(opened: Any) -> None:
    with running() as server, opened(endpoint=server.url) as engine:
        found = engine.vectors("t", ["a lock", "一把锁", "a key"])
    assert [isinstance(each, np.ndarray) for each in found] == [True] * 3


@pytest.mark.parametrize(
    ("text", "error", "said"),
    [
        ("{broken", UsageError, r"a.jsonl:1: not JSON"),
        ('{"id": 1}', UsageError, r"a.jsonl:1: a line without `custom_id`"),
        (None, MissingInput, "no such file of answers"),
    ],
)
def test_a_file_that_is_no_answer_is_told(text: str | None, error: Any, said: str, tmp_path: Path) -> None:
    if text is not None:
        (tmp_path / "a.jsonl").write_text(text, encoding="utf-8")
    with pytest.raises(error, match=said):
        read(tmp_path / "a.jsonl", tmp_path)


def test_names_that_nobody_awaits_are_counted(tmp_path: Path) -> None:
    names = ["x", "0" * 32 + "-0-0", "../../etc", "", "0" * 32 + "-0-" + "9" * 30]
    (tmp_path / "a.jsonl").write_bytes(b"\n\n".join(orjson.dumps({"custom_id": name}) for name in names))
    assert read(tmp_path / "a.jsonl", tmp_path) == Answered(0, 0, 5)
