"""The Ray engine: what comes of a run is what the local engine makes of it, file by file.

Ray itself is stood in for here (`tests.inline_ray`), so that much is tried quickly;
`tests/e2e/test_ray.py` runs the real one.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from tests.inline_ray import InlineRay
from tests.toys import Above, Echo, Hide, Learnt, Size, World
from zhiling.curation.exact_dedup import ExactDedup
from zhiling.curation.length import Length
from zhiling.curation.near_dedup import NearDedup
from zhiling.curation.redact import Redact
from zhiling.errors import DamagedFile, MissingExtra, StepFailed, TooManyFailures, UnknownName, UsageError
from zhiling.pipeline.engines import engine as engines
from zhiling.pipeline.engines import local
from zhiling.pipeline.engines.ray import RayEngine
from zhiling.pipeline.plan import RepeatLine, StepLine, Until
from zhiling.pipeline.runner import Runner
from zhiling.pipeline.step import Context
from zhiling.pipeline.store import Manifest, RunFolder

TOYS = (
    StepLine("hide", Hide()),
    StepLine("size", Size()),
    StepLine("above", Above(least=12)),
    StepLine("learnt", Learnt()),
    StepLine("again", Size()),
    StepLine("high", Above(column="again.characters", least=14)),
)
REAL = (
    StepLine("length", Length(min_reply=2)),
    StepLine("size", Size()),
    StepLine("above", Above(least=10)),
    StepLine("pii", Redact()),
    StepLine("exact", ExactDedup()),
    StepLine("near", NearDedup()),
    StepLine("last", Above(column="size.characters", least=12)),
)


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "BATCH_ROWS", 40)


def texts(rows: int) -> list[str]:
    """Lines of both languages with copies, near copies, a raising row, personal data and groups."""
    draw = np.random.default_rng(4)
    words = [f"word{number}" for number in range(50)]
    chinese = list("退款一般会在仓库验收之后的三到五个工作日内原路退回到您付款时所用的账户请您耐心等待")
    lines: list[str] = []
    for number in range(rows):
        if lines and number % 7 == 0:
            lines.append(lines[int(draw.integers(len(lines)))])
        elif lines and number % 5 == 0:
            lines.append(lines[-1] + "末" if lines[-1].isascii() is False else lines[-1] + " more")
        elif number % 2:
            lines.append("".join(draw.choice(chinese, 40)) + (" 13812345678" if number % 9 == 0 else ""))
        else:
            lines.append(" ".join(draw.choice(words, 30)) + (" bob@example.org" if number % 9 == 0 else ""))
    lines[33], lines[61], lines[70] = "boom and nothing else", "hi", "g: a secret of the group"
    lines[75] = "g: another line of the same group"
    return lines


def contents(run: RunFolder) -> dict[str, Any]:
    """Everything that a run says, apart from how long it took."""
    found: dict[str, Any] = {
        path.relative_to(run.path).as_posix(): pl.read_parquet(path)
        for path in sorted(run.path.rglob("*.parquet"))
    }
    stages = json.loads((run.path / "manifest.json").read_text("utf-8"))["stages"]
    found["stages"] = [
        {name: value for name, value in stage.items() if name != "seconds"} for stage in stages
    ]
    return found


def same(left: RunFolder, right: RunFolder) -> None:
    first, second = contents(left), contents(right)
    assert first.keys() == second.keys()
    for name, value in first.items():
        equal = value.equals(second[name]) if isinstance(value, pl.DataFrame) else value == second[name]
        assert equal, name


@pytest.mark.parametrize("steps", [TOYS, REAL], ids=["toys", "real"])
def test_files_and_counts_are_those_of_the_local_engine(tmp_path: Path, steps: tuple[StepLine, ...]) -> None:
    lines = texts(240)
    here, _ = World(tmp_path / "a").run(lines, steps)
    ray = InlineRay()
    there, _ = World(tmp_path / "b").run(lines, steps, engine=RayEngine(ray, 2, piece_rows=50))
    assert here.totals()["failed"] == {"ValueError": 1}
    assert here.totals()["replaced"] > 0
    assert ray.tasks > 10
    same(here.run, there.run)


def test_duplicates_of_both_languages_were_found_in_the_shuffle(tmp_path: Path) -> None:
    engine = RayEngine(InlineRay(), 2, piece_rows=50)
    runner, table = World(tmp_path).run(texts(240), REAL, engine=engine)
    rejected = runner.totals()["rejected"]
    assert rejected["exact_duplicate"] > 10
    assert rejected["near_duplicate"] > 10
    kept = "".join(World.texts(table))
    assert "退" in kept
    assert "word" in kept
    assert not (runner.run.path / "shuffle").exists()


def test_steps_that_share_a_pass_read_the_rows_once(tmp_path: Path) -> None:
    steps = (StepLine("size", Size()), StepLine("above", Above()), StepLine("again", Size()))
    ray = InlineRay()
    World(tmp_path).run([f"line number {i}" for i in range(80)], steps, engine=RayEngine(ray, 2))
    assert ray.tasks == 2  # two batches, whose tasks take all three steps


def test_what_was_computed_ahead_is_used_for_the_rows_asked_for_alone(tmp_path: Path) -> None:
    """A step that reads only rows of one source leaves the others to the next step's own pass."""
    steps = (StepLine("size", Size(), sources=("none",)), StepLine("again", Size()))
    lines = [f"line number {i}" for i in range(90)]
    here, _ = World(tmp_path / "a").run(lines, steps)
    there, _ = World(tmp_path / "b").run(lines, steps, engine=RayEngine(InlineRay(), 2))
    same(here.run, there.run)


class Stopped(Exception):
    """Raised by a listener, as Ctrl-C is."""


@pytest.mark.parametrize(("first", "second"), [("local", "ray"), ("ray", "local")])
@pytest.mark.parametrize("stop_at", [13, 27])
def test_a_run_left_under_one_engine_goes_on_under_the_other(
    tmp_path: Path, first: str, second: str, stop_at: int
) -> None:
    lines = texts(240)
    make: dict[str, Callable[[], Any]] = {
        "local": local.LocalEngine,
        "ray": lambda: RayEngine(InlineRay(), 2, 50),
    }
    whole, _ = World(tmp_path / "whole").run(lines, REAL)
    world = World(tmp_path / "left")
    seen = 0

    class Stops(list[Any]):
        def append(self, event: Any) -> None:
            nonlocal seen
            seen += event["event"] == "part"
            if seen == stop_at:
                raise Stopped

    path = world.project.next_path("toy")
    folder = RunFolder.create(path, Manifest(run=path.name, recipe="toy"))
    runner = Runner(world.plan(lines, REAL), folder, world.project, Stops().append, make[first]())
    with pytest.raises(Stopped):
        runner.rows()
    again, _ = world.go_on(RunFolder.open(path), lines, REAL, engine=make[second]())
    same(whole.run, again.run)


def test_results_carry_over_between_engines(tmp_path: Path) -> None:
    world, lines = World(tmp_path), texts(200)
    world.run(lines, REAL)
    world.run(lines, REAL)
    known = world.reused()
    ray = InlineRay()
    world.run(lines, REAL, engine=RayEngine(ray, 2, piece_rows=50))
    assert world.reused() == known
    assert known["near"] > 100
    assert ray.tasks <= 2  # the failed row, and rows without the measure that the last step reads
    # one more row: the rows steps compute one row, the table steps all of them
    more = [*lines, "one more line of words that nobody said"]
    world.run(more, REAL, engine=RayEngine(ray, 2, piece_rows=50))
    assert world.reused()["length"] == 200
    assert world.reused()["near"] == 0


def test_rounds_are_the_same(tmp_path: Path) -> None:
    block = RepeatLine(
        "more", Until(accepted=12), 4, (StepLine("echo", Echo()), StepLine("fresh", NearDedup(jaccard=0.9)))
    )
    lines = [f"a line of its own, number {i} of all" for i in range(8)]
    here, _ = World(tmp_path / "a").run(lines, (block,))
    there, _ = World(tmp_path / "b").run(lines, (block,), engine=RayEngine(InlineRay(), 2, piece_rows=4))
    same(here.run, there.run)


def test_tasks_in_flight_are_cancelled_when_the_run_stops(tmp_path: Path) -> None:
    ray = InlineRay()
    lines = ["boom"] * 40 + [f"line {i}" for i in range(400)]
    with pytest.raises(TooManyFailures, match="40 of 440"):
        World(tmp_path).run(lines, (StepLine("size", Size()),), engine=RayEngine(ray, 2))
    assert ray.cancelled == 3


def test_an_error_of_a_worker_is_the_runs_error(tmp_path: Path) -> None:
    steps = (StepLine("redact", Redact()), StepLine("size", Size()))
    world = World(tmp_path)
    runner, _ = world.run([f"line {i}" for i in range(80)], steps[:1], engine=RayEngine(InlineRay(), 2))
    part = runner.table.parts[1]
    (runner.run.path / part.path).write_bytes(b"PAR1 nonsense PAR1")
    batch = pl.DataFrame(
        {"n": [60], "id": ["x"], "key": [0]}, schema_overrides={"n": pl.UInt32, "key": pl.UInt64}
    )
    link = engines.Link(Size(), Context("size"))
    work = engines.Work(link, runner.table.files())
    with pytest.raises(DamagedFile, match="cannot be read"):
        list(RayEngine(InlineRay(), 2).outcomes(work, [batch]))


def test_a_step_that_raises_in_a_shuffle_fails_as_a_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: NearDedup, rows: pl.DataFrame) -> pl.DataFrame:
        raise ValueError("no shingles today")

    monkeypatch.setattr(NearDedup, "prepared", broken)
    engine = RayEngine(InlineRay(), 2, piece_rows=5)
    with pytest.raises(StepFailed, match="a task failed: ValueError: no shingles today"):
        World(tmp_path).run([f"line {i}" for i in range(9)], (StepLine("near", NearDedup()),), engine=engine)
    assert not list(tmp_path.rglob("shuffle"))


def test_rows_that_never_meet_need_no_shard(tmp_path: Path) -> None:
    lines = [f"{i} " * 9 for i in range(30)]
    steps = (StepLine("exact", ExactDedup()), StepLine("near", NearDedup()))
    here, _ = World(tmp_path / "a").run(lines, steps)
    there, _ = World(tmp_path / "b").run(lines, steps, engine=RayEngine(InlineRay(), 2, piece_rows=7))
    assert there.totals()["kept"] == 30
    same(here.run, there.run)


def test_what_is_wrong_with_an_engine_is_told_before_any_work(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UnknownName, match=r"unknown engine 'rai'"):
        engines.check_engine("rai")
    with pytest.raises(UsageError, match="--engine ray --address"):
        engines.check_engine("local", "10.0.0.1:6379")
    monkeypatch.setattr(engines.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r'pip install "zhiling\[ray\]"'):
        engines.check_engine("ray")
