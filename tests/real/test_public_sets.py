"""Public sets read whole by small recipes: nothing is lost, and every figure is the one that was counted."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import polars as pl
import pytest

import zhiling
from tests.unit.sources.reading import said
from zhiling.rows.conversation import user_text
from zhiling.workflow.doctor import examine

DATA = Path(__file__).resolve().parents[2] / ".." / "shared" / "data"
RECIPES = Path(__file__).parent

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not DATA.is_dir(), reason="../shared/data is not here"),
]


def run(name: str, root: Path) -> zhiling.Run:
    """The recipe `name` of this folder, run up to its exports, all books checked again from disk."""
    recipe = (RECIPES / f"{name}.yaml").read_text(encoding="utf-8")
    (root / "recipe.yaml").write_text(recipe.replace("DATA", DATA.resolve().as_posix()), encoding="utf-8")
    done = zhiling.Recipe.load(root / "recipe.yaml").run(until="export")
    assert [finding for finding in examine(done.path) if not finding.ok] == []
    return done


def check(done: zhiling.Run, rows: int, rejected: set[str], *, material: bool = False) -> None:
    """So many rows came in, no item was bad, none failed; what left did so for these reasons."""
    counts = done.counts
    assert (counts["in"], counts["made"], counts["bad"]) == (rows, 0, 0)
    assert (counts["failed"], counts["replaced"]) == ({}, 0)
    assert set(counts["rejected"]) == rejected
    assert counts["kept"] + sum(counts["rejected"].values()) == rows
    assert counts["material"] == (rows if material else 0)
    files = done.folder.manifest.results["exports"][0]["files"]
    assert sum(file["rows"] for file in files) == counts["kept"] - counts["material"]


def every(done: zhiling.Run, *columns: str) -> pl.DataFrame:
    """All rows as the source gave them, kept or not, in the order of the file."""
    table = done.table()
    return table.read(columns, table.sources())


def labels(rows: pl.DataFrame) -> pl.Series:
    return rows["target"].str.json_path_match("$.labels[0]")


def test_banking77(tmp_path: Path) -> None:
    done = run("banking77", tmp_path)
    check(done, 10_003, {"exact_duplicate", "near_duplicate"})
    rows = every(done, "messages", "target", "task", "language", "locator", "licence")
    assert labels(rows).n_unique() == 77
    first = rows.row(0, named=True)
    assert user_text(rows["messages"])[0] == "I am still waiting on my card?"
    assert first["target"] == '{"labels":["card_arrival"]}'
    assert (first["task"], first["language"], first["licence"]) == ("classification", "en", "CC-BY-4.0")
    assert first["locator"].endswith("banking77/train.jsonl.gz:1")
    assert user_text(rows["messages"]).str.contains("\n").sum() == 10
    # 31 texts stand twice but for case and punctuation; one of them under two labels, so both rows stay
    plain = [re.sub(r"\W+", " ", text.lower()).strip() for text in user_text(rows["messages"])]
    assert sum(number > 1 for number in Counter(plain).values()) == 31


def test_banking77_as_csv_is_the_same(tmp_path: Path) -> None:
    for name in ("banking77", "banking77_csv"):
        (tmp_path / name).mkdir()
    lines, cells = (run(name, tmp_path / name) for name in ("banking77", "banking77_csv"))
    check(cells, 10_003, {"exact_duplicate"})
    assert every(cells, "content", "messages").equals(every(lines, "content", "messages"))
    assert every(cells, "locator")["locator"][-1].endswith("train.csv.gz:10017"), "a place is the line's"


def test_clinc150(tmp_path: Path) -> None:
    done = run("clinc150", tmp_path)
    check(done, 10_700, {"exact_duplicate", "near_duplicate"})
    rows = every(done, "messages", "target", "extra")
    assert labels(rows).n_unique() == 151, "150 intents and out-of-scope"
    assert user_text(rows["messages"])[1] == "a show on broadway"
    assert labels(rows)[1] == "oos"
    assert rows["extra"].str.json_path_match("$.split")[1] == "oos_val", "what has no place stays in extra"


@pytest.mark.parametrize(
    ("name", "pages", "text", "title"),
    [
        (
            "docs_fastapi",
            154,
            "Virtual Environments guide",
            '"headings":["Virtual Environments","Learn More"]',
        ),
        ("docs_github_policies", 27, "While every precaution", '"title":"GitHub SIRT description RFC 2350"'),
    ],
)
def test_documents(name: str, pages: int, text: str, title: str, tmp_path: Path) -> None:
    done = run(name, tmp_path)
    rows = every(done, "messages", "task", "group", "locator", "extra")
    check(done, rows.height, set(), material=True)
    assert rows["group"].n_unique() == pages, "every page gave at least one passage"
    assert rows["task"].unique().to_list() == ["passage"]
    (said_by, passage), *others = said(rows)[-1]
    assert (said_by, others) == ("document", [])
    assert text in passage
    assert title in rows["extra"][-1]
    assert re.search(r"\.tar\.gz/[\w/.-]+\.md:\d+(#|$)", rows["locator"][-1])
    assert max(len(turns[0][1]) for turns in said(rows)) <= 4000


def test_crosswoz(tmp_path: Path) -> None:
    done = run("crosswoz", tmp_path)
    check(done, 4_229, set())
    rows = every(done, "messages", "group", "task", "language", "locator")
    assert rows["group"].n_unique() == 500
    assert rows["task"].unique().to_list() == ["dialogue"]
    first, second = said(rows)[:2]
    assert first == [
        ("user", "你好，我想找家人均消费在100-150元的餐馆吃驴杂汤这道菜，请给我推荐一家餐馆用餐吧。"),
        ("assistant", "抱歉，消费价格没有符合您要求的，推荐您去人均消费68元的讲礼驴肉馆用餐。"),
    ]
    assert second[:2] == first, "a later reply has all earlier turns before it"
    assert rows["locator"][1].endswith("val.jsonl.gz:1#turn 3")


def test_bitext_support(tmp_path: Path) -> None:
    done = run("bitext_support", tmp_path)
    check(done, 6_480, {"exact_duplicate", "near_duplicate"})
    rows = every(done, "messages", "target", "extra")
    assert labels(rows).n_unique() == 27
    assert said(rows)[0][0] == ("user", "how can I cancel purchase 113542617735902?")
    assert labels(rows)[0] == "cancel_order"
    assert len({turns[-1][1] for turns in said(rows)}) == 27
    assert rows["extra"].str.json_path_match("$.category")[0] == "ORDER"
