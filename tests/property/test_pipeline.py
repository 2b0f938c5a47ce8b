"""Whatever the lines and the steps: no row vanishes, order changes nothing, a killed run ends the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.toys import Above, Echo, Hide, Learnt, Size, World
from zhiling.curation.exact_dedup import ExactDedup
from zhiling.errors import TooManyFailures
from zhiling.pipeline.engines import local
from zhiling.pipeline.plan import RepeatLine, StepLine, Until
from zhiling.pipeline.runner import Runner
from zhiling.pipeline.store import Manifest, RunFolder, Stage
from zhiling.rows.conversation import user_text
from zhiling.workflow.doctor import examine

# Words with a meaning for a toy step, and such that break what splits and counts.
WORDS = st.sampled_from(
    ["secret", "boom", "mute", "!", "a:", "你好", "😀", "\u0301", "word", "", " ", "x" * 40, "{}", "\\n", '"']
)
LINES = st.lists(st.lists(WORDS, min_size=1, max_size=4).map(" ".join), max_size=30)

Line = StepLine | RepeatLine
ROUND = (
    StepLine("again", Echo()),
    StepLine("length", Size()),
    StepLine("long", Above(column="length.characters", least=17)),
    StepLine("new", ExactDedup(on="user")),
)

# Steps in an order that `check` would allow: a bound behind its measure, with no Make between them.
PIECES: dict[str, tuple[Line, ...]] = {
    "hide": (StepLine("hide", Hide()),),
    "bound": (StepLine("size", Size()), StepLine("above", Above())),
    "echo": (StepLine("echo", Echo(times=2)),),
    "learnt": (StepLine("learnt", Learnt()),),
    "exact": (StepLine("exact", ExactDedup()),),
    "rounds": (RepeatLine("rounds", Until(accepted=7), 3, ROUND),),
    "echo_some": (StepLine("echo_some", Echo(), only={"task": ("dialogue",)}, sources=("lines",)),),
}
STEPS = st.lists(st.sampled_from(sorted(PIECES)), unique=True, max_size=4).map(
    lambda names: tuple(line for name in names for line in PIECES[name])
)

quick = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


@contextmanager
def world() -> Iterator[World]:
    with TemporaryDirectory() as folder:
        yield World(Path(folder))


@contextmanager
def batches_of(rows: int) -> Iterator[None]:
    """Steps see this many rows at a time."""
    before, local.BATCH_ROWS = local.BATCH_ROWS, rows
    try:
        yield
    finally:
        local.BATCH_ROWS = before


def readable(lines: list[str]) -> list[str]:
    """The rows that a file of these lines must give."""
    return [line for line in "\n".join(lines).splitlines() if not line.startswith("!")]


def run(there: World, lines: list[str], steps: tuple[Line, ...], **options: Any) -> Runner:
    return there.run(lines, steps, max_failed=1, **options)[0]


def kept(runner: Runner) -> Counter[tuple[str, str]]:
    """Id and question of all kept rows."""
    rows = runner.table.read(["id", "messages"], runner.table.kept())
    return Counter(zip(rows["id"], user_text(rows["messages"]), strict=True))


def files(folder: RunFolder) -> dict[str, bytes]:
    return {
        path.relative_to(folder.path).as_posix(): path.read_bytes()
        for path in sorted(folder.path.rglob("*"))
        if path.suffix == ".parquet"
    }


@quick
@given(lines=LINES, steps=STEPS)
def test_no_row_vanishes(lines: list[str], steps: tuple[Line, ...]) -> None:
    with world() as there:
        runner = run(there, lines, steps)
        counts = runner.totals()
        items = "\n".join(lines).splitlines()
        assert counts["in"] == len(readable(lines))
        assert counts["bad"] == len(items) - len(readable(lines))
        gone = sum(counts["rejected"].values()) + sum(counts["failed"].values()) + counts["replaced"]
        assert counts["in"] + counts["made"] == counts["kept"] + gone == len(runner.table)
        assert [finding for finding in examine(runner.run.path) if not finding.ok] == []
        for stage in runner.run.manifest.stages:
            _every_row_is_answered_for(runner, stage)


def _every_row_is_answered_for(runner: Runner, stage: Stage) -> None:
    """The ledger of a step has exactly one line (attempts apart) for each row that it saw."""
    frames = [runner.run.read_frame(part.ledger) for part in stage.parts if part.ledger]
    lines = pl.concat(frames) if frames else pl.DataFrame({"n": [], "verdict": []})
    numbers = lines.filter(pl.col("verdict") != "attempt")["n"]
    assert numbers.n_unique() == len(numbers)
    assert sum(part.seen for part in stage.parts) == (0 if stage.kind == "source" else len(numbers))


@quick
@given(lines=LINES, steps=STEPS, batch=st.integers(1, 7), order=st.randoms(use_true_random=False))
def test_batches_change_nothing(lines: list[str], steps: tuple[Line, ...], batch: int, order: Any) -> None:
    """A source's batches and an engine's batches of any size give the same rows with the same ids."""
    with world() as one, world() as other:
        whole = run(one, lines, steps)
        with batches_of(batch):
            pieces = run(other, lines, steps, source={"batch": order.randint(1, 9)})
        assert kept(pieces) == kept(whole)
        assert pieces.totals() == whole.totals()


@quick
@given(lines=LINES, steps=STEPS, order=st.randoms(use_true_random=False))
def test_order_of_lines_changes_nothing(lines: list[str], steps: tuple[Line, ...], order: Any) -> None:
    lines = [line for line in "\n".join(lines).splitlines() if line]  # an empty last line would be none
    turned = order.sample(lines, len(lines))
    with world() as one, world() as other:
        first, second = run(one, lines, steps), run(other, turned, steps)
        assert kept(first) == kept(second)
        assert first.totals() == second.totals()


@quick
@given(lines=LINES, names=st.permutations(["size", "learnt"]), least=st.integers(0, 20))
def test_order_of_independent_steps_changes_nothing(lines: list[str], names: list[str], least: int) -> None:
    """Measures do not see each other, so a bound behind them rejects the same rows either way."""
    measures = {"size": StepLine("size", Size()), "learnt": StepLine("learnt", Learnt())}
    above = StepLine("above", Above(least=least))
    safe = [line.replace("boom", "") for line in lines]
    with world() as one, world() as other:
        first = run(one, safe, (*measures.values(), above))
        second = run(other, safe, (*(measures[name] for name in names), above))
        assert kept(first) == kept(second)
        assert first.totals() == second.totals()


class Stopped(BaseException):
    """The process ends here."""


@quick
@given(lines=LINES, steps=STEPS, stops=st.lists(st.integers(1, 6), min_size=1, max_size=3))
def test_a_run_that_was_killed_ends_like_one_that_was_not(
    lines: list[str], steps: tuple[Line, ...], stops: list[int]
) -> None:
    with world() as one, world() as other, batches_of(4):
        whole, options = (
            run(one, lines, steps, source={"batch": 5}),
            {"max_failed": 1, "source": {"batch": 5}},
        )
        path = other.project.next_path("toy")
        RunFolder.create(path, Manifest(run=path.name, recipe="toy"))
        for stop in stops:
            _run_until(other, path, stop, lines, steps)
        finished, _ = other.go_on(RunFolder.open(path), lines, steps, **options)
        assert finished.totals() == whole.totals()
        assert files(finished.run) == files(whole.run)
        assert [finding for finding in examine(path) if not finding.ok] == []


def _run_until(there: World, path: Path, stop: int, lines: list[str], steps: tuple[Line, ...]) -> None:
    """Goes on with a run until its `stop`-th part is stored, as kill -9 would: nothing is put in order."""
    left = stop

    def listen(event: dict[str, Any]) -> None:
        nonlocal left
        left -= event["event"] == "part"
        if not left:
            raise Stopped

    plan = there.plan(lines, steps, max_failed=1, source={"batch": 5})
    try:
        Runner(plan, RunFolder.open(path), there.project, listen).rows()
    except Stopped:
        return


@quick
@given(failing=st.integers(0, 40), others=st.integers(0, 40))
def test_a_run_stops_when_failures_pass_the_limit(failing: int, others: int) -> None:
    lines = [f"boom {n}" for n in range(failing)] + [f"fine {n}" for n in range(others)]
    allowed = max(10, 0.25 * len(lines))
    with world() as there:
        try:
            runner, _ = there.run(lines, PIECES["bound"], max_failed=0.25)
        except TooManyFailures:
            assert failing > allowed
        else:
            assert failing <= allowed
            assert runner.totals()["failed"] == ({"ValueError": failing} if failing else {})
