"""Two processes train what one trains: the same curve, the same weights in both, each row answered once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("torch")
pytest.importorskip("accelerate")

from tests.several import run_in_processes
from tests.tiny_bert import write_tiny_bert
from tests.train_shared import WAYS, trained
from zhiling.training.running.led import announce, leading
from zhiling.training.running.processes import Processes, together

TESTS = Path(__file__).resolve().parents[2]
SCRIPT = str(TESTS / "train_shared.py")
LEFT_THREADS = str(TESTS / "left_threads.py")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_tiny_bert(tmp_path_factory.mktemp("models") / "tiny"))


@pytest.fixture(scope="module")
def told(tiny: str, tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    """What two processes say that train together."""
    folder = tmp_path_factory.mktemp("shared")
    done = run_in_processes([SCRIPT, tiny, str(folder)], count=2)
    assert [code for code, _, _ in done] == [0, 0], [errors for _, _, errors in done]
    first, second = (json.loads(output.splitlines()[-1]) for _, output, _ in done)
    assert first == second
    return first


@pytest.mark.parametrize("method", WAYS)
def test_two_processes_have_the_curve_of_one(tiny: str, told: list[Any], method: str) -> None:
    expected, found = trained(tiny, method), told[0][method]
    assert len(expected["curve"]) == 4
    for one, other in zip(expected["curve"], found["curve"], strict=True):
        assert other == pytest.approx(one, abs=1e-4)
    assert found["weights"] == pytest.approx(expected["weights"], rel=1e-4)


def test_two_processes_that_were_stopped_go_on_to_the_same_weights(told: list[Any]) -> None:
    assert told[2] == told[1]


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="threads are named under /proc only")
def test_no_thread_of_the_group_outlives_it() -> None:
    """One that does can abort the process while Python ends, at times (once in 6 to 400 runs, by load)."""
    for code, output, errors in run_in_processes([LEFT_THREADS], count=2):
        assert code == 0, errors
        assert "python" in output
        assert "gloo" not in output


@given(st.integers(1, 5), st.lists(st.integers(), max_size=40))
def test_shares_make_the_whole(count: int, rows: list[int]) -> None:
    shares = [Processes(number, count).share(rows) for number in range(count)]

    class Gathered(Processes):
        def of_all(self, value: object) -> list[Any]:
            return shares

    assert sum(map(len, shares)) == len(rows)
    assert Gathered(0, count).whole(shares[0]) == rows


def test_what_is_trained_outside_is_trained_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setattr("zhiling.training.running.processes._connect", lambda: None)
    assert Processes.here() == Processes(0, 1)
    with together():
        assert Processes.here() == Processes.started() == Processes(1, 2)
    assert Processes.here() == Processes(0, 1)


def test_one_process_shares_with_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    processes = Processes.here()
    assert (processes, processes.first) == (Processes(0, 1), True)
    assert processes.share([1, 2]) == [1, 2]
    assert processes.whole([3, 4]) == [3, 4]
    assert processes.from_first("a") == "a"
    assert processes.total(2.5) == 2.5
    with leading() as first:
        assert first
        announce(None)  # pyright: ignore[reportArgumentType] - nobody listens
