"""Two runs compared: every row that differs is told once, with its cause."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
import polars as pl

from tests.toys import Above, Hide, Size, World
from zhiling.pipeline.plan import StepLine
from zhiling.pipeline.store import RunFolder
from zhiling.workflow.inspect.difference import Difference, difference

LINES = ("the first line", "my secret word", "tiny", "short line", "the last line")


def run(
    world: World, lines: Sequence[str], *, least: float = 6, word: str = "secret", **options: Any
) -> Path:
    """A finished run with a recipe that says what its steps were given."""
    runner, _ = world.run(
        lines,
        [StepLine("hide", Hide(word=word)), StepLine("size", Size()), StepLine("big", Above(least=least))],
        **options,
    )
    (runner.run.path / "recipe.yaml").write_text(
        "sources: [{id: lines, use: lines, path: lines.txt}]\n"
        f"steps:\n- {{id: hide, use: hide, word: {word}}}\n- {{id: size, use: size}}\n"
        f"- {{id: big, use: above, least: {least}}}\n",
        encoding="utf-8",
    )
    return runner.run.path


def causes(found: Difference) -> list[tuple[str, str, str, str, str]]:
    return [(each.kind, each.id, each.name, each.before, each.after) for each in found.causes]


def test_equal_runs_differ_in_nothing(tmp_path: Path) -> None:
    world = World(tmp_path)
    found = difference(run(world, LINES), run(world, LINES))
    assert (found.causes, found.added, found.removed, found.changed) == ((), (), (), ())
    assert "No row differs." in found.render()
    assert "没有任何一行不同。" in found.render("zh")


def test_a_moved_bound_changes_verdicts_and_says_so(tmp_path: Path) -> None:
    world = World(tmp_path)
    found = difference(run(world, LINES), run(world, LINES, least=12))
    assert causes(found) == [("step_setting", "big", "least", "6", "12")]
    assert (found.added, found.removed) == ((), ())
    assert [row.place for row in found.changed] == ["lines.txt:4"]
    change = found.changed[0].changes[0]
    assert (change.what, change.before, change.after) == ("verdict", "keep", "reject big small")
    assert found.steps["big"]["rejected"] == (1, 2)
    assert "step big: least 6 → 12" in found.render()
    assert "步骤 big：least 6 → 12" in found.render("zh")


def test_a_new_line_is_added_and_all_else_stays(tmp_path: Path) -> None:
    world = World(tmp_path)
    found = difference(run(world, LINES), run(world, ("a line on top", *LINES)))
    assert causes(found) == [("source_file", "lines", "", "", "")]
    assert [row.place for row in found.added] == ["lines.txt:1"]
    assert (found.removed, found.changed) == ((), ())
    back = difference(world.project.run_paths()[1], world.project.run_paths()[0])
    assert len(back.removed) == 1


def test_a_rewrite_that_differs_is_matched_by_its_root(tmp_path: Path) -> None:
    world = World(tmp_path)
    lines = ("my secret secret word",)
    before = run(world, lines)
    after = run(world, lines, word="secret secret")
    found = difference(before, after)
    assert (found.added, found.removed) == ((), ())
    rewritten = [row for row in found.changed if row.changes[0].what == "text"]
    assert len(rewritten) == 1
    assert rewritten[0].cause.kind == "step_setting"
    assert "rewritten differently by hide" in found.render()


def test_a_rewrite_of_a_new_line_is_laid_to_the_source(tmp_path: Path) -> None:
    world = World(tmp_path)
    found = difference(run(world, LINES), run(world, (*LINES, "a secret more")))
    assert {(row.place, row.cause.kind) for row in found.added} == {("lines.txt:6", "source_file")}
    assert len(found.added) == 2


def test_steps_that_come_and_go(tmp_path: Path) -> None:
    world = World(tmp_path)
    first, _ = world.run(LINES, [StepLine("size", Size())])
    second, _ = world.run(LINES, [StepLine("size", Size()), StepLine("big", Above(least=6))])
    forth = difference(first.run.path, second.run.path)
    assert causes(forth) == [("step_added", "big", "", "", "")]
    assert forth.changed[0].cause.kind == "step_added"
    back = difference(second.run.path, first.run.path)
    assert causes(back) == [("step_removed", "big", "", "", "")]
    assert [change.after for change in back.changed[0].changes] == ["keep"]


def test_moved_steps_are_named_once(tmp_path: Path) -> None:
    world = World(tmp_path)
    first, _ = world.run(LINES, [StepLine("hide", Hide()), StepLine("size", Size())])
    second, _ = world.run(LINES, [StepLine("size", Size()), StepLine("hide", Hide())])
    found = difference(first.run.path, second.run.path)
    assert [cause[0] for cause in causes(found)] == ["step_moved"]


def test_split_parts_are_compared(tmp_path: Path) -> None:
    world = World(tmp_path)
    paths = [run(world, LINES), run(world, LINES)]
    for path, part in zip(paths, ("train", "test"), strict=True):
        numbers = pl.Series("n", [0, 4], dtype=pl.UInt32)
        RunFolder.open(path).write_frame(
            "split.parquet", pl.DataFrame({"n": numbers, "id": ["a", "b"], "split": [part, "train"]})
        )
        recipe = path / "recipe.yaml"
        share = 0.8 if part == "train" else 0.6
        recipe.write_text(
            recipe.read_text(encoding="utf-8") + f"split: {{train: {share}}}\n", encoding="utf-8"
        )
    found = difference(*paths)
    assert causes(found) == [("split_setting", "split", "train", "0.8", "0.6")]
    assert [(row.changes[0].before, row.changes[0].after) for row in found.changed] == [("train", "test")]
    assert "split train → test" in found.render()


def test_a_difference_is_plain_json_with_counts(tmp_path: Path) -> None:
    world = World(tmp_path)
    told = orjson.loads(orjson.dumps(difference(run(world, LINES), run(world, LINES, least=12)).as_dict()))
    assert told["by_cause"]["changed"] == [
        {
            "cause": {"kind": "step_setting", "id": "big", "name": "least", "before": "6", "after": "12"},
            "rows": 1,
        }
    ]
