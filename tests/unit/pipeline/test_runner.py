"""The runner: counting, quarantine, reuse, resume, rounds."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pytest

from tests.toys import Above, Echo, Hide, Learnt, Size, World
from zhiling.errors import StepFailed, TooManyFailures
from zhiling.pipeline.apply import ContractBroken
from zhiling.pipeline.plan import RepeatLine, StepLine, Until
from zhiling.pipeline.step import Context, Failure, Made, Make, Measure
from zhiling.pipeline.store import RunFolder
from zhiling.rows.conversation import dialogue
from zhiling.workflow.doctor import examine

LINES = ["hello there", "hi", "a secret thing", "你好，世界，你好", *(f"line number {i}" for i in range(60))]
STEPS = (StepLine("hide", Hide()), StepLine("size", Size()), StepLine("above", Above()))


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def healthy(run: RunFolder) -> None:
    wrong = [finding for finding in examine(run.path) if not finding.ok]
    assert not wrong


def test_books_balance_and_doctor_agrees(world: World) -> None:
    runner, table = world.run([*LINES, "!unreadable"], STEPS)
    counts = runner.totals()
    assert counts["in"] == len(LINES)
    assert (counts["made"], counts["replaced"], counts["bad"]) == (1, 1, 1)
    assert counts["rejected"] == {"small": 1}
    assert counts["kept"] == len(LINES) - 1
    assert "a [HIDDEN] thing" in world.texts(table)
    assert "a secret thing" not in world.texts(table)
    healthy(runner.run)


def test_one_raising_row_of_many_is_one_failed_row(world: World) -> None:
    lines = [f"line number {i}" for i in range(1000)]
    lines[377] = "boom"
    runner, table = world.run(lines, STEPS, source={"batch": 1000})
    assert runner.totals()["failed"] == {"ValueError": 1}
    assert len(table.kept()) == 999
    stage = next(stage for stage in runner.run.manifest.stages if stage.id == "size")
    ledger = pl.concat([runner.run.read_frame(part.ledger) for part in stage.parts if part.ledger])
    detail = ledger.filter(pl.col("verdict") == "failed")["detail"][0]
    assert "cannot measure a boom" in detail
    assert "Traceback" in detail
    healthy(runner.run)


def test_too_many_failures_stop_the_run_and_say_so(world: World) -> None:
    with pytest.raises(TooManyFailures, match=r"11 of 40 rows failed \(ValueError 11\); allowed are 10"):
        world.run(["boom"] * 11 + ["fine enough"] * 29, STEPS)


def test_a_try_that_fails_in_every_round_is_counted_among_the_tries(world: World) -> None:
    lines = ["a line to mute", "another to mute"]
    rounds = repeat(Until(accepted=1), rounds=6)
    runner, _ = world.run(lines, [rounds], max_failed=1)
    assert sum(stage.counts.get("attempt", {}).get("muted", 0) for stage in runner.run.manifest.stages) == 12
    with pytest.raises(TooManyFailures, match=r"12 of 14 rows failed.*allowed are 10"):
        world.run(lines, [rounds], max_failed=0.5)


def test_a_step_that_raises_while_it_learns_is_a_failed_step(world: World) -> None:
    class Stumbling(Learnt):
        def fit(self, rows: pl.DataFrame, context: Context, folder: Path) -> None:
            raise RuntimeError("too much")

    with pytest.raises(StepFailed, match="step 'learnt' failed on its 3 rows: RuntimeError: too much"):
        world.run(["one line", "another", "a third"], [StepLine("learnt", Stumbling())])


def test_a_changed_setting_runs_only_what_depends_on_it(world: World) -> None:
    world.run(LINES, STEPS)
    changed = (*STEPS[:2], StepLine("above", Above(least=13)))
    world.run(LINES, changed)
    assert world.reused() == {"lines": 64, "hide": 64, "size": 64, "above": 0}


def test_a_line_on_top_changes_no_other_row(world: World) -> None:
    first, table = world.run(LINES, STEPS)
    before = table.read(["id", "origin"], table.kept())
    second, table = world.run(["a new first line", *LINES], STEPS)
    after = table.read(["id", "origin"], table.kept())
    assert set(before["id"]) < set(after["id"])
    assert after.height == before.height + 1
    assert world.reused() == {"lines": 0, "hide": 64, "size": 64, "above": 64}
    moved = after.filter(pl.col("id").is_in(before["id"].implode()))["origin"].struct.field("locator")
    assert moved.to_list() != before["origin"].struct.field("locator").to_list()
    healthy(second.run)
    assert first.run.path != second.run.path


def test_a_moved_threshold_measures_only_rows_that_it_newly_lets_through(world: World) -> None:
    strict = (
        StepLine("a", Size()),
        StepLine("t", Above(column="a.characters", least=13)),
        StepLine("size", Size()),
    )
    world.run(LINES, strict)
    loose = (strict[0], StepLine("t", Above(column="a.characters", least=3)), strict[2])
    _, table = world.run(LINES, loose)
    newly = len(table.kept()) - world.reused()["size"]
    assert 0 < newly < len(LINES)


def test_group_steps_are_reused_by_whole_groups(world: World) -> None:
    lines = ["a: one", "a: two", "b: one", "b: secret"]
    world.run(lines, STEPS[:1])
    world.run([*lines, "a: three"], STEPS[:1])
    assert world.reused()["hide"] == 2


def test_a_table_step_with_a_failed_attempt_sees_all_rows_again_in_the_next_run(world: World) -> None:
    """Of a row that failed alone it would make something else."""

    class Counting(Make):
        """Makes a row that says how many it saw, and fails on one."""

        name = "counting"
        scope = "table"

        def make(self, rows: pl.DataFrame, context: Context) -> Made:
            said = dialogue({"user": pl.Series([f"saw {rows.height}"])})
            first, last = rows["id"][0], rows["id"][-1]
            made = pl.DataFrame({"messages": said, "parents": [[first]]})
            return Made(made, [Failure(last, "no_reply", "it said nothing")])

    for _ in range(2):
        _, table = world.run(["one line", "another", "a third"], [StepLine("counting", Counting())])
        assert [text for text in world.texts(table) if text.startswith("saw")] == ["saw 3"]


def test_failed_rows_are_tried_again_in_the_next_run(world: World) -> None:
    lines = ["boom", *LINES]
    world.run(lines, STEPS)
    world.run(lines, STEPS)
    assert world.reused()["size"] == len(LINES)


def test_resume_goes_on_behind_the_last_finished_part(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from zhiling.pipeline.engines import local

    monkeypatch.setattr(local, "BATCH_ROWS", 10)
    whole, table = world.run(LINES, STEPS)
    expected = table.read(["id", "messages", "size.characters"], table.kept())

    calls: list[int] = []

    class Dying(Size):
        def measure(self, rows: pl.DataFrame, context: Context) -> pl.DataFrame:
            calls.append(rows.height)
            if len(calls) == 4:
                raise KeyboardInterrupt
            return super().measure(rows, context)

    other = World(world.root / "other")
    other.root.mkdir()
    dying = (STEPS[0], StepLine("size", Dying()), STEPS[2])
    with pytest.raises(KeyboardInterrupt):
        other.run(LINES, dying)
    folder = RunFolder.open(other.project.newest())
    assert [stage.done for stage in folder.manifest.stages] == [True, True, False]
    resumed, table = other.go_on(folder, LINES, dying)
    assert calls == [10] * 7 + [4]  # three finished, one interrupted, the rest
    assert table.read(["id", "messages", "size.characters"], table.kept()).equals(expected)
    healthy(resumed.run)
    assert whole.totals() == resumed.totals()


def test_a_fitted_step_gets_its_state_back(world: World) -> None:
    runner, table = world.run(LINES, [StepLine("learnt", Learnt())])
    rows = table.read(["learnt.longer"], table.kept())
    assert 0 < rows["learnt.longer"].sum() < rows.height
    assert list(runner.run.path.glob("*-learnt/*/state/mean.txt"))


def test_only_and_from_let_other_rows_pass_by(world: World) -> None:
    narrow = StepLine("above", Above(column="size.characters", least=100), only={"task": ("code",)})
    runner, table = world.run(LINES, [StepLine("size", Size()), narrow])
    assert len(table.kept()) == len(LINES)
    stage = runner.run.manifest.stages[-1]
    assert sum(part.seen for part in stage.parts) == 0


def test_rows_that_the_measuring_step_passed_by_pass_the_decision_too(world: World) -> None:
    size = StepLine("size", Size(), only={"task": ("code",)})
    _, table = world.run(LINES, [size, StepLine("above", Above(least=100))])
    assert len(table.kept()) == len(LINES)


class Null(Measure):
    """Measures nothing."""

    name = "null"

    def writes(self) -> dict[str, pl.DataType]:
        return {"value": pl.Float64()}

    def measure(self, rows: pl.DataFrame, context: Context) -> pl.DataFrame:
        return pl.DataFrame({"value": pl.Series([float("nan"), *[1.0] * (rows.height - 1)])})


def test_null_and_nan_measures_are_failures_not_verdicts(world: World) -> None:
    runner, _ = world.run(
        LINES, [StepLine("null", Null()), StepLine("above", Above(column="null.value", least=0))]
    )
    assert runner.totals()["failed"] == {"unmeasured": 1}


class Short(Null):
    """Answers fewer rows than it was given."""

    def measure(self, rows: pl.DataFrame, context: Context) -> pl.DataFrame:
        return pl.DataFrame({"value": [1.0]})


def test_a_step_that_loses_rows_is_a_bug_not_a_result(world: World) -> None:
    with pytest.raises(ContractBroken, match="answered 1 of"):
        world.run(LINES, [StepLine("short", Short())])


def repeat(until: Until, rounds: int = 5, times: int = 1) -> RepeatLine:
    inner = (
        StepLine("echo", Echo(times=times)),
        StepLine("size", Size()),
        StepLine("above", Above(least=10)),
    )
    return RepeatLine("more", until, rounds, inner)


def test_repeat_accepts_exactly_n_rows(world: World) -> None:
    lines = [f"seed number {i}" for i in range(7)]
    runner, table = world.run(lines, [repeat(Until(accepted=10))])
    assert len(table.kept()) == 7 + 10
    assert runner.totals()["rejected"] == {"surplus": 4}
    assert runner.run.manifest.stages[-1].counts["repeat"] == {"rounds": 2, "accepted": 10, "shortfall": 0}
    healthy(runner.run)


def test_repeat_tells_its_true_shortfall(world: World) -> None:
    runner, _ = world.run(["seed number one"], [repeat(Until(accepted=10), rounds=3)])
    assert runner.run.manifest.stages[-1].counts["repeat"] == {"rounds": 3, "accepted": 3, "shortfall": 7}


def test_repeat_keeps_quotas(world: World) -> None:
    runner, _ = world.run(["seed one", "seed two"], [repeat(Until(quotas={"dialogue": 3}))])
    assert runner.totals()["rejected"] == {"surplus": 1}


def test_failed_attempts_stand_beside_the_row_sum(world: World) -> None:
    runner, _ = world.run(["mute", "loud one"], [StepLine("echo", Echo())])
    totals = runner.totals()
    assert totals["attempts"] == {"tried": 2, "failed": {"muted": 1}}
    assert totals["failed"] == {}
    healthy(runner.run)


def test_repeat_resumes_like_any_stage(world: World) -> None:
    steps = [repeat(Until(accepted=10))]
    first, table = world.run([f"seed number {i}" for i in range(7)], steps)
    again, second = world.go_on(RunFolder.open(first.run.path), [f"seed number {i}" for i in range(7)], steps)
    assert second.read(["id"], second.kept()).equals(table.read(["id"], table.kept()))
    assert not [event for event in world.events if event["event"] == "part"]
    healthy(again.run)


def test_a_limit_reads_only_so_many_rows(world: World) -> None:
    runner, _ = world.run(LINES, STEPS, limit=5)
    assert runner.totals()["in"] == 5


def test_equal_lines_keep_distinct_ids(world: World) -> None:
    _, table = world.run(["same line"] * 3, [])
    assert table.read(["id"], table.kept())["id"].n_unique() == 3


def test_doctor_finds_what_was_changed_behind_its_back(world: World) -> None:
    runner, _ = world.run(LINES, STEPS)
    part = next(part for stage in runner.run.manifest.stages for part in stage.parts if part.rows)
    rows = pl.read_parquet(runner.run.path / str(part.rows))
    rows.with_columns(pl.lit("changed").alias("target")).write_parquet(runner.run.path / str(part.rows))
    assert "contents" in {finding.check for finding in examine(runner.run.path) if not finding.ok}
    (runner.run.path / str(part.rows)).unlink()
    assert "files" in {finding.check for finding in examine(runner.run.path) if not finding.ok}


def test_a_manifest_of_another_format_is_refused(world: World) -> None:
    runner, _ = world.run(LINES, [])
    file = runner.run.path / "manifest.json"
    file.write_text(file.read_text(encoding="utf-8").replace('"format": 1', '"format": 99'), encoding="utf-8")
    with pytest.raises(Exception, match="run format 99"):
        RunFolder.open(runner.run.path)


def test_random_numbers_depend_on_the_row_not_on_its_place() -> None:
    context = Context(step_id="s", seed=1)
    ids = pl.Series([f"{i:032x}" for i in range(100)])
    forward = dict(zip(ids, context.uniform(ids), strict=True))
    backward = dict(zip(ids.reverse(), context.uniform(ids.reverse()), strict=True))
    assert forward == backward
    other = dataclasses.replace(context, round=1).uniform(ids)
    assert not set(other) & set(forward.values())
    assert 0.3 < float(other.mean()) < 0.7


def test_step_failure_of_a_table_step_is_told(world: World) -> None:
    class Whole(Size):
        scope = "table"

    told = "step 'whole' failed on its 65 rows: ValueError: cannot measure a boom"
    with pytest.raises(StepFailed, match=told):
        world.run(["boom", *LINES], [StepLine("whole", Whole())])
    assert issubclass(TooManyFailures, StepFailed)


def test_counts_and_failures_of_adopted_parts_survive_a_resume(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    from zhiling.pipeline.engines import local

    monkeypatch.setattr(local, "BATCH_ROWS", 10)
    lines = [*["boom"] * 6, *LINES, *["boom"] * 6]
    calls: list[int] = []

    class Dying(Size):
        def measure(self, rows: pl.DataFrame, context: Context) -> pl.DataFrame:
            calls.append(rows.height)
            if rows.height == 10 and len(calls) > 12:
                calls.clear()
                raise KeyboardInterrupt
            return super().measure(rows, context)

    steps = (StepLine("size", Dying()), STEPS[2])
    with pytest.raises(KeyboardInterrupt):
        world.run(lines, steps)
    with pytest.raises(TooManyFailures, match="12 of 76 rows failed"):
        world.go_on(RunFolder.open(world.project.newest()), lines, steps)


def test_two_repeats_count_their_own_rows(world: World) -> None:
    first, second = repeat(Until(accepted=5)), repeat(Until(accepted=5))
    second = dataclasses.replace(
        second, id="again", steps=tuple(dataclasses.replace(s, id=f"{s.id}2") for s in second.steps[:1])
    )
    runner, table = world.run([f"seed number {i}" for i in range(10)], [first, second])
    assert len(table.kept()) == 20
    blocks = [stage for stage in runner.run.manifest.stages if stage.kind == "repeat"]
    assert [block.counts["repeat"]["accepted"] for block in blocks] == [5, 5]


class Enough(Size):
    """Stops the rounds after the second and returns the first."""

    name = "enough"

    def best_round(self, rows: pl.DataFrame, states: Sequence[Path], *, ended: bool) -> int | None:
        return 1 if rows["round"].max() == 2 else None


class EchoOnce(Echo):
    """Writes nothing after the first round."""

    name = "echo_once"

    def make(self, rows: pl.DataFrame, context: Context) -> Made:
        made = super().make(rows, context)
        return made if context.round == 1 else Made(made.rows.clear())


class Told(Size):
    """Writes down in each round how many rows it sees and what it is told; stops where there is none."""

    name = "told"

    def fit(self, rows: pl.DataFrame, context: Context, folder: Path) -> None:
        told = [(state.use, state.round) for state in context.states]
        (folder / "told").write_text(repr((rows.height, told, context.budget_left)), encoding="utf-8")

    def best_round(self, rows: pl.DataFrame, states: Sequence[Path], *, ended: bool) -> int | None:
        return len(states) if (states[-1] / "told").read_text("utf-8").startswith("(0") else None


def test_a_round_without_rows_is_told_and_can_end_the_rounds(world: World) -> None:
    inner = (StepLine("echo", EchoOnce()), StepLine("told", Told()))
    line = RepeatLine("more", Until(stop="told"), 9, inner)
    runner, table = world.run(["seed one", "seed two"], [line])
    assert len(table.kept()) == 4
    states = sorted(runner.run.path.glob("*told-r*/*/state/told"))
    assert [each.read_text("utf-8") for each in states] == ["(2, [], None)", "(0, [('told', 1)], None)"]
    healthy(runner.run)


def test_a_step_can_stop_the_rounds_and_choose_one(world: World) -> None:
    inner = (StepLine("echo", Echo()), StepLine("enough", Enough()))
    line = RepeatLine("more", Until(stop="enough"), 9, inner)
    runner, table = world.run(["seed one", "seed two"], [line])
    assert runner.totals()["rejected"] == {"later_round": 2}
    assert len(table.kept()) == 4
    healthy(runner.run)


class AtTheEnd(Size):
    """Goes on as long as there are rounds, then returns the first."""

    name = "at_the_end"

    def best_round(self, rows: pl.DataFrame, states: Sequence[Path], *, ended: bool) -> int | None:
        return 1 if ended else None


def test_where_the_rounds_run_out_the_best_one_is_returned_not_the_last(world: World) -> None:
    inner = (StepLine("echo", Echo()), StepLine("end", AtTheEnd()))
    runner, table = world.run(["seed one", "seed two"], [RepeatLine("more", Until(stop="end"), 3, inner)])
    assert runner.totals()["rejected"] == {"later_round": 4}
    assert len(table.kept()) == 4
    healthy(runner.run)
