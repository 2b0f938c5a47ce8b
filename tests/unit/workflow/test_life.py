"""One row's life, told from the run's folder alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.toys import Above, Echo, Hide, Size, World
from zhiling.errors import UsageError
from zhiling.pipeline.plan import StepLine
from zhiling.workflow.inspect.life import Life, life

RECIPE = """
sources:
  - {id: lines, use: lines, path: lines.txt}
steps:
  - {id: hide, use: hide}
  - {id: size, use: size}
  - {id: big, use: above, column: size.characters, at_least: 6}
"""
LINES = ("the first line", "my secret word", "tiny", "boom goes the line", "!unreadable", "the last line")


@pytest.fixture
def run(tmp_path: Path) -> Path:
    runner, _ = World(tmp_path).run(
        LINES, [StepLine("hide", Hide()), StepLine("size", Size()), StepLine("big", Above(least=6))]
    )
    (runner.run.path / "recipe.yaml").write_text(RECIPE, encoding="utf-8")
    return runner.run.path


def events(found: Life) -> list[tuple[str, str, str | None]]:
    return [(event.step, event.verdict, event.reason) for event in found.row.steps]


def test_a_rejected_row_tells_verdict_score_and_bound(run: Path) -> None:
    found = life(run, "lines.txt:3")
    assert events(found) == [("hide", "passed", None), ("size", "measured", None), ("big", "reject", "small")]
    assert found.row.outcome == "rejected"
    assert found.row.steps[1].values == {"characters": 4}
    last = found.row.steps[2]
    assert (last.score, dict(last.bounds)) == (4.0, {"at_least": 6.0})
    text = found.render()
    assert "lines.txt:3" in text
    assert "rejected: too small [small]  ·  score 4  ·  set: at_least 6" in text
    assert "rejected by big: too small" in text


def test_chinese_says_the_same(run: Path) -> None:
    text = life(run, "lines.txt:3").render("zh")
    assert "被 big 剔除：过小" in text
    assert "得分 4" in text
    with pytest.raises(UsageError, match="unknown language 'fr'"):
        life(run, "lines.txt:3").render("fr")


def test_a_rewritten_row_is_followed_both_ways(run: Path) -> None:
    origin = life(run, "lines.txt:2")
    assert origin.row.outcome == "replaced"
    assert [chapter.messages[0][1] for chapter in origin.after] == ["my [HIDDEN] word"]
    assert origin.after[0].outcome == "kept"
    rewrite = life(run, origin.after[0].id)
    assert [chapter.id for chapter in rewrite.before] == [origin.row.id]
    assert rewrite.row.maker == "hide"
    assert rewrite.row.place == "lines.txt:2"
    assert "After that" in origin.render()
    assert "Before that" in rewrite.render()


def test_a_failed_row_tells_its_traceback(run: Path) -> None:
    found = life(run, "lines.txt:4")
    assert found.row.outcome == "failed"
    assert found.row.steps[-1].reason == "ValueError"
    assert "cannot measure a boom" in found.render()


def test_rows_are_found_by_every_name(run: Path) -> None:
    whole = life(run, "n:0").row.id
    for name in (whole, whole[:8], "lines.txt:1"):
        assert life(run, name).row.id == whole


def test_offspring_of_an_adding_step_live_on_their_own(tmp_path: Path) -> None:
    runner, _ = World(tmp_path).run(["a line"], [StepLine("echo", Echo(times=3))])
    found = life(runner.run.path, "lines.txt:1")
    assert (found.offspring, len(found.offspring_ids), found.after) == (3, 3, ())
    assert found.row.outcome == "kept"
    assert "3 new rows" in found.render()
    child = life(runner.run.path, found.offspring_ids[0])
    assert child.before[0].id == found.row.id


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("lines.txt:99", "nearest: lines.txt:6"),
        ("line.txt:1", "nearest: lines.txt:1"),
        ("n:99", "it has n:0 to n:5"),
        ("abc", "six characters or more"),
    ],
)
def test_an_unknown_row_names_the_nearest(run: Path, name: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        life(run, name)
    assert name in caught.value.message
    assert said in str(caught.value)


def test_a_mistyped_id_names_the_nearest(run: Path) -> None:
    whole = life(run, "n:0").row.id
    wrong = whole[:10] + ("0" * 22 if whole[10] != "0" else "1" * 22)
    with pytest.raises(UsageError, match=f"nearest: {whole}"):
        life(run, wrong)


def test_a_beginning_of_several_ids_names_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zhiling.workflow.inspect.find.MIN_PREFIX", 1)
    runner, _ = World(tmp_path).run([f"line {number}" for number in range(17)], [])
    digits = [life(runner.run.path, f"n:{number}").row.id[0] for number in range(17)]
    shared = next(digit for digit in digits if digits.count(digit) > 1)
    with pytest.raises(
        UsageError, match=rf"{digits.count(shared)} rows have an id that begins with '{shared}'"
    ):
        life(runner.run.path, shared)


def test_a_life_is_plain_json(run: Path) -> None:
    import orjson

    told = orjson.loads(orjson.dumps(life(run, "lines.txt:2").as_dict()))
    assert told["row"]["outcome"] == "replaced"
    assert told["after"][0]["steps"][-1]["verdict"] == "keep"
