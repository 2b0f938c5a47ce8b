"""Public sets read whole by small recipes: nothing is lost, and every row says what its file says.

What the files hold is read here a second time, by the standard library alone; none of it is copied.
"""

from __future__ import annotations

import csv
import gzip
import json
import re
import tarfile
from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import zhiling
from tests.unit.sources.reading import said
from zhiling.rows.conversation import user_text
from zhiling.workflow.doctor import examine

DATA = Path(__file__).resolve().parents[2] / ".." / "shared" / "data"
RECIPES = Path(__file__).parent
BANKING = "banking77/train.jsonl.gz"
CROSSWOZ = "crosswoz/val.jsonl.gz"
BITEXT = "bitext_support/v1_short_responses.jsonl.gz"

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


def lines(path: str) -> list[dict[str, Any]]:
    """The records of a JSON Lines file of the sets."""
    with gzip.open(DATA / path, "rt", encoding="utf-8") as stream:
        return [json.loads(line) for line in stream]


def test_banking77(tmp_path: Path) -> None:
    done = run("banking77", tmp_path)
    check(done, 10_003, {"exact_duplicate", "near_duplicate"})
    rows, truth = every(done, "messages", "target", "task", "language", "locator", "licence"), lines(BANKING)
    texts = user_text(rows["messages"]).to_list()
    assert texts == [record["text"] for record in truth]
    assert labels(rows).to_list() == [record["label"] for record in truth]
    assert labels(rows).n_unique() == 77
    first = rows.row(0, named=True)
    assert (first["task"], first["language"], first["licence"]) == ("classification", "en", "CC-BY-4.0")
    assert first["locator"].endswith("banking77/train.jsonl.gz:1")


def test_no_copy_stays(tmp_path: Path) -> None:
    """28 questions stand twice under one label but for case and punctuation (a currency sign is none)."""
    done = run("banking77", tmp_path)
    kept = done.rows()
    seen = Counter(_plain(record["text"], record["label"]) for record in lines(BANKING))
    left = Counter(map(_plain, user_text(kept["messages"]), labels(kept)))
    assert sum(number > 1 for number in seen.values()) == 28
    assert max(left.values()) == 1


def _plain(text: str, label: str) -> tuple[str, str]:
    return re.sub(r"[^\w$€£]+", " ", text.lower()).strip(), label


def test_banking77_as_csv_is_the_same(tmp_path: Path) -> None:
    done = run("banking77_csv", tmp_path)
    check(done, 10_003, {"exact_duplicate"})
    with gzip.open(DATA / "banking77" / "train.csv.gz", "rt", encoding="utf-8", newline="") as stream:
        truth = list(csv.DictReader(stream))
    rows = every(done, "messages", "target", "locator")
    texts = user_text(rows["messages"])
    assert texts.to_list() == [record["text"] for record in truth]
    assert labels(rows).to_list() == [record["category"] for record in truth]
    assert texts.str.contains("\n").sum() == 10
    assert rows["locator"][-1].endswith("train.csv.gz:10017"), "a place is the line's, not the record's"


def test_clinc150(tmp_path: Path) -> None:
    done = run("clinc150", tmp_path)
    check(done, 10_700, {"exact_duplicate", "near_duplicate"})
    rows, truth = every(done, "messages", "target", "extra"), lines("clinc150/data_small.jsonl.gz")
    assert user_text(rows["messages"]).to_list() == [record["text"] for record in truth]
    assert labels(rows).to_list() == [record["label"] for record in truth]
    assert labels(rows).n_unique() == 151, "150 intents and out-of-scope"
    splits = rows["extra"].str.json_path_match("$.split").to_list()
    assert splits == [record["split"] for record in truth], "what has no place in the record stays in extra"


@pytest.mark.parametrize(
    ("name", "archive", "pages"),
    [("docs_fastapi", "en_md.tar.gz", 154), ("docs_github_policies", "policies_md.tar.gz", 27)],
)
def test_documents(name: str, archive: str, pages: int, tmp_path: Path) -> None:
    done = run(name, tmp_path)
    rows = every(done, "messages", "task", "group", "locator", "extra")
    check(done, rows.height, set(), material=True)
    with tarfile.open(DATA / name / archive) as packed:
        members = [member for member in packed if member.isfile()]
        read = {m.name: packed.extractfile(m).read().decode() for m in members}  # type: ignore[union-attr]
    assert len(read) == pages
    assert {group.partition(f"{archive}/")[2] for group in rows["group"]} == set(read)
    assert rows["task"].unique().to_list() == ["passage"]
    assert max(len(turns[0][1]) for turns in said(rows)) <= 4000
    for locator, turns, extra in zip(rows["locator"], said(rows), rows["extra"], strict=True):
        page, _, place = locator.partition(f"{archive}/")[2].partition(":")
        number = int(place.partition("#")[0])
        shown = read[page].splitlines()[number - 1]
        (role, text), *others = turns
        assert (role, others) == ("document", [])
        words = re.findall(r"\w+", text.splitlines()[0])
        assert "part" in json.loads(extra) or set(words) <= set(re.findall(r"\w+", shown)), locator


def test_crosswoz(tmp_path: Path) -> None:
    done = run("crosswoz", tmp_path)
    check(done, 4_229, set())
    rows, truth = every(done, "messages", "group", "task", "language", "locator"), lines(CROSSWOZ)
    assert rows["group"].n_unique() == len(truth) == 500
    assert (rows["task"].unique().to_list(), rows["language"].unique().to_list()) == (["dialogue"], ["zh"])
    turns = truth[0]["turns"]
    roles = {"usr": "user", "sys": "assistant"}
    spoken = [(roles[turn["speaker"]], turn["text"]) for turn in turns]
    first, second = said(rows)[:2]
    assert (first, second) == (spoken[:2], spoken[:4]), "a later reply has all earlier turns before it"
    assert rows["locator"][1].endswith("val.jsonl.gz:1#turn 3")
    assert sum(turn["speaker"] == "sys" for record in truth for turn in record["turns"]) == rows.height


def test_bitext_support(tmp_path: Path) -> None:
    done = run("bitext_support", tmp_path)
    check(done, 6_480, {"exact_duplicate", "near_duplicate"})
    rows, truth = every(done, "messages", "target", "extra"), lines(BITEXT)
    spoken = [[("user", r["instruction"]), ("assistant", r["response"])] for r in truth]
    assert said(rows) == spoken
    assert labels(rows).to_list() == [record["intent"] for record in truth]
    assert len({turns[-1][1] for turns in said(rows)}) == labels(rows).n_unique() == 27
    assert rows["extra"].str.json_path_match("$.category")[0] == truth[0]["category"]
