"""The standing index and the step that looks into it: only what is new passes, at a cost of the new alone."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import polars as pl
import pytest

from tests.unit.curation.frames import pairs, reasons, rows, turns
from zhiling.curation.known import Known
from zhiling.curation.released import Released
from zhiling.errors import DamagedFile, UsageError
from zhiling.pipeline.database import FILE_NAME
from zhiling.pipeline.step import Context
from zhiling.rows.conversation import flatten, nest

ENGLISH = " ".join(f"word{number}" for number in range(60))
CHINESE = (
    "退款一般会在仓库验收之后的三到五个工作日内原路退回到您付款时所用的账户，"
    "请您耐心等待，如有疑问随时联系我们的客服人员。"
)
SHORT = "Where is it?"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / FILE_NAME


def release(path: Path, run: str, *batches: pl.DataFrame) -> int:
    with Released(path) as released:
        return released.add(run, "mark", batches)


def judged(path: Path, frame: pl.DataFrame, run: str = "", **settings: float) -> pl.DataFrame:
    return Known(**settings).decide(frame, Context(step_id="x", root=path.parent, run=run))


def first_day() -> pl.DataFrame:
    return pairs(
        (ENGLISH, "fine"), (CHINESE, "好的"), (SHORT, None), (None, None), ids=["e", "z", "s", "empty"]
    )


def test_only_what_is_new_passes_in_both_languages(path: Path) -> None:
    release(path, "day-1", first_day())
    frame = pairs(
        (ENGLISH.upper(), "Fine!"),
        (ENGLISH.replace("word59", "other"), "fine"),
        (CHINESE.replace("随时", ""), "好的"),
        ("where is it", None),
        ("where is she", None),
        ("这是新的一天里才有的一条消息，以前没有人发布过它。", "好的"),
        ("", None),
    )
    answer = judged(path, frame)
    assert reasons(answer) == ["released"] * 4 + [None] * 3
    assert answer["related"].to_list() == ["day-1:e", "day-1:e", "day-1:z", "day-1:s", None, None, None]
    assert answer["score"].gather([0, 3]).to_list() == [1.0, 1.0]
    assert all(0.8 <= score < 1 for score in answer["score"].gather([1, 2]))
    assert answer["score"].tail(3).to_list() == [0.0] * 3


def test_no_index_knows_nothing_and_is_not_made(path: Path) -> None:
    assert reasons(judged(path, first_day())) == [None] * 4
    assert Known().outside(path.parent, "") == ""
    assert not path.exists()


def test_the_bound_moves_the_verdict_and_not_the_score(path: Path) -> None:
    release(path, "day-1", first_day())
    frame = pairs((ENGLISH.replace("word59", "other"), "fine"))
    loose, strict = judged(path, frame), judged(path, frame, jaccard=1.0)
    assert reasons(loose) == ["released"]
    assert reasons(strict) == [None]
    assert loose["score"].equals(strict["score"])
    assert strict["related"].to_list() == [None]


def test_the_most_similar_is_named_and_of_equals_the_oldest(path: Path) -> None:
    near = ENGLISH.replace("word59", "other")
    release(path, "day-1", pairs((near, None), ids=["near"]))
    release(path, "day-2", pairs((ENGLISH, None), ids=["equal"]))
    release(path, "day-3", pairs((ENGLISH, None), ids=["again"]))
    assert judged(path, pairs((ENGLISH, None)))["related"].to_list() == ["day-2:equal"]


def test_a_run_is_not_compared_with_its_own_release(path: Path) -> None:
    release(path, "day-1", first_day())
    assert reasons(judged(path, first_day(), run="day-1")) == [None] * 4
    assert Known().outside(path.parent, "day-1") == ""
    assert Known().outside(path.parent, "day-2") != ""


def test_twice_is_as_good_as_once_and_a_run_can_be_taken_out(path: Path) -> None:
    assert release(path, "day-1", first_day()) == 4
    before = contents(path)
    assert release(path, "day-1", first_day()) == 4
    assert contents(path) == before
    release(path, "day-2", pairs((ENGLISH, "fine"), ("something else that came later", None), ids=["a", "b"]))
    with Released(path) as released:
        assert [(each.run, each.rows) for each in released.releases()] == [("day-1", 4), ("day-2", 2)]
        assert released.remove("day-2") == 2
    assert contents(path) == before
    with Released(path) as released, pytest.raises(UsageError, match="day-1"):
        released.remove("day-2")


def test_another_run_of_the_same_name_is_refused(path: Path) -> None:
    release(path, "day-1", first_day())
    with Released(path) as released, pytest.raises(UsageError, match="another run"):
        released.add("day-1", "other mark", [first_day()])


def contents(path: Path) -> list[list[tuple[object, ...]]]:
    queries = (
        "SELECT run, first, beyond, digest FROM releases",
        "SELECT * FROM released_rows",
        "SELECT * FROM released_keys",
    )
    with closing(sqlite3.connect(path)) as connection:
        return [connection.execute(query).fetchall() for query in queries]


def test_a_release_that_breaks_off_leaves_nothing(path: Path) -> None:
    release(path, "day-1", first_day())
    before = contents(path)

    def broken() -> Iterator[pl.DataFrame]:
        yield pairs(("a first batch that is written before it breaks", None), ids=["n"])
        raise KeyboardInterrupt

    with Released(path) as released, pytest.raises(KeyboardInterrupt):
        released.add("day-2", "mark", broken())
    assert contents(path) == before


def test_a_crowd_of_one_template_hides_no_equal_text(path: Path) -> None:
    crowd = pairs(*[(f"{ENGLISH} number {number}", None) for number in range(400)])
    release(path, "day-1", crowd)
    answer = judged(path, crowd.tail(50))
    assert answer["related"].to_list() == [f"day-1:r{number}" for number in range(350, 400)]


def test_rows_with_other_pictures_are_new(path: Path) -> None:
    lines = flatten(
        turns([("user", "What does this picture show?")], [("user", "What does this picture show?")])[
            "messages"
        ]
    )
    media = [[{"kind": "image", "path": name, "sha256": name, "at": None}] for name in ("one", "two")]
    shown = rows(nest(lines.with_columns(pl.Series("media", media, dtype=lines.schema["media"])), [1, 1]))
    release(path, "day-1", shown.head(1))
    assert reasons(judged(path, shown)) == ["released", None]
    with Released(path) as released:
        released.remove("day-1")
    assert contents(path) == [[], [], []]


def operations(path: Path, frame: pl.DataFrame) -> int:
    """Instructions of SQLite's machine that the look-up of these rows takes."""
    counted = 0

    def count() -> int:
        nonlocal counted
        counted += 1
        return 0

    with Released(path) as released:
        released._connect().set_progress_handler(count, 1)
        released.nearest(frame["messages"])
    return counted


def test_a_batch_costs_what_it_holds_and_not_what_the_index_holds(path: Path) -> None:
    def day(first: int, number: int) -> pl.DataFrame:
        texts = [" ".join(f"{row}w{word}" for word in range(20)) for row in range(first, first + number)]
        return pairs(*[(text, None) for text in texts])

    release(path, "day-0", day(0, 50))
    batch = day(0, 40)
    before = operations(path, batch)
    for number in range(1, 5):
        release(path, f"day-{number}", day(1000 * number, 400))
    after = operations(path, batch)
    assert before <= after < 1.1 * before
    assert operations(path, day(0, 20)) < 0.6 * after


def test_an_index_of_a_newer_zhiling_is_a_clear_error(path: Path) -> None:
    release(path, "day-1", first_day())
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE schema_versions SET version = 99 WHERE name = 'released'")
        connection.commit()
    with pytest.raises(DamagedFile, match="version 99"):
        judged(path, first_day())


def test_an_edited_copy_of_a_short_text_is_found_below_the_usual_bound(path: Path) -> None:
    english = (
        "Rinse the rice until the water runs almost clear and then simmer it for ten minutes with the lid "
        "shut please"
    )
    chinese = "鱼身擦干后抹一点盐和料酒，垫上姜片腌十分钟再上锅蒸"
    release(path, "day-1", pairs((english, None), (chinese, None), ids=["e", "z"]))
    frame = pairs(
        (english.replace("simmer", "cook"), None),
        (chinese.replace("十分钟", "一刻钟"), None),
        (
            "Rinse the beans until the pot runs dry and then fry them for an hour with the lid open please",
            None,
        ),
        ("鱼肉切片后抹一点糖和白酒，拌上葱花腌两小时再下锅煎", None),
    )
    assert reasons(judged(path, frame)) == [None] * 4
    answer = judged(path, frame, jaccard=0.5)
    assert answer["related"].to_list() == ["day-1:e", "day-1:z", None, None]
    assert all(0.5 <= score < 0.8 for score in answer["score"].head(2))


def test_looking_further_changes_nothing_above_the_usual_bound(path: Path) -> None:
    release(path, "day-1", first_day())
    frame = pairs(
        (ENGLISH.replace("word59", "other"), "fine"), (CHINESE.replace("随时", ""), "好的"), (SHORT, None)
    )
    usual, further = judged(path, frame), judged(path, frame, jaccard=0.5)
    assert usual.equals(further)


def test_short_rows_leave_the_index_whole(path: Path) -> None:
    release(path, "day-1", first_day())
    before = contents(path)
    release(
        path, "day-2", pairs((CHINESE, "后来的回复"), ("a short one that came later", None), ids=["a", "b"])
    )
    with Released(path) as released:
        assert released.remove("day-2") == 2
    assert contents(path) == before
