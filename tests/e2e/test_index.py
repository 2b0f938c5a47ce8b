"""Day after day: what was released before leaves the next day's material, by name."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import polars as pl

from tests.e2e.conftest import Cli
from zhiling.curation.released import Released
from zhiling.rows.conversation import dialogue

RECIPE = """\
version: 1
name: days
seed: 3
sources:
  - {id: news, use: tables, path: "day*.jsonl", licence: Apache-2.0}
steps:
  - {id: known, use: known}
export:
  - {format: messages, path: sft.jsonl}
"""


def write_day(root: Path, day: int, numbers: range) -> None:
    """One line in English and one in Chinese for each number."""
    lines = [
        line
        for number in numbers
        for line in (
            {
                "instruction": f"Where is order {number}?",
                "output": f"Order {number} left us; it comes on day {number % 7}.",
            },
            {"instruction": f"订单{number}号到哪里了？", "output": f"第{number}号包裹已经发出，正在路上。"},
        )
    ]
    text = "\n".join(json.dumps(line, ensure_ascii=False) for line in lines)
    (root / f"day{day}.jsonl").write_text(text, encoding="utf-8")


def ledger(run: Path) -> pl.DataFrame:
    return pl.concat(pl.read_parquet(file) for file in run.glob("*-known/*/ledger-*.parquet"))


def exported(run: Path) -> set[str]:
    files = sorted((run / "export").glob("sft.*.jsonl"))
    lines = [line for file in files for line in file.read_text("utf-8").splitlines()]
    return {json.loads(line)["messages"][0]["content"] for line in lines}


def test_only_new_rows_leave_on_the_second_day(tmp_path: Path, cli: Cli) -> None:
    (tmp_path / "recipe.yaml").write_text(RECIPE, encoding="utf-8")
    write_day(tmp_path, 1, range(1000, 1030))
    assert cli("run").returncode == 0
    assert cli("index").returncode == 0
    assert "unchanged" in cli("run", "--json").stdout, "a run is not compared with its own release"
    (tmp_path / "day1.jsonl").unlink()
    write_day(tmp_path, 2, range(1020, 1050))
    second = cli("run")
    assert second.returncode == 0, second.stderr
    first_run, run = tmp_path / "runs" / "days-0001", tmp_path / "runs" / "days-0002"
    before, after = exported(first_run), exported(run)
    assert len(before) == 60
    assert after == {f"Where is order {n}?" for n in range(1030, 1050)} | {
        f"订单{n}号到哪里了？" for n in range(1030, 1050)
    }
    removed = ledger(run).filter(pl.col("reason") == "released")
    assert removed.height == 20
    assert removed["related"].str.starts_with("days-0001:").all()


def test_another_release_makes_a_run_anew_and_taking_it_out_as_well(tmp_path: Path, cli: Cli) -> None:
    (tmp_path / "recipe.yaml").write_text(RECIPE, encoding="utf-8")
    write_day(tmp_path, 1, range(1000, 1010))
    assert cli("run").returncode == 0
    assert json.loads(cli("index", "--json").stdout)["releases"][0]["rows"] == 20
    assert json.loads(cli("index", "days-0001", "--json").stdout)["releases"][0]["rows"] == 20
    write_day(tmp_path, 2, range(1010, 1015))
    assert cli("run").returncode == 0
    assert len(exported(tmp_path / "runs" / "days-0002")) == 10
    gone = cli("index", "days-0001", "--remove")
    assert "empty" in gone.stdout
    assert cli("run").returncode == 0
    assert len(exported(tmp_path / "runs" / "days-0003")) == 30
    missing = cli("index", "days-0001", "--remove")
    assert missing.returncode != 0
    assert "not in the standing index" in missing.stderr


KILLED = """
import os, signal
from pathlib import Path
import polars as pl
from zhiling.curation.released import Released
from zhiling.rows.conversation import dialogue

def batches():
    for number in range(3):
        texts = pl.Series([f"text {number} {row} that is released" for row in range(5000)])
        yield pl.DataFrame({"id": texts, "messages": dialogue({"user": texts})})
    os.kill(os.getpid(), signal.SIGKILL)

with Released(Path("zhiling.sqlite")) as released:
    released.add("days-0002", "mark", batches())
"""


def test_a_kill_amid_the_release_leaves_the_index_as_it_was(tmp_path: Path, cli: Cli) -> None:
    (tmp_path / "recipe.yaml").write_text(RECIPE, encoding="utf-8")
    write_day(tmp_path, 1, range(1000, 1010))
    assert cli("run").returncode == 0
    before = cli("index", "--json").stdout
    killed = subprocess.run([sys.executable, "-c", KILLED], cwd=tmp_path, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert cli("index", "--list", "--json").stdout == before
    with Released(tmp_path / "zhiling.sqlite") as released:
        lost = pl.Series(["text 0 0 that is released", "订单1000号到哪里了？"])
        replies = pl.Series([None, "第1000号包裹已经发出，正在路上。"], dtype=pl.String)
        found = released.nearest(dialogue({"user": lost, "assistant": replies}))
    assert found.related.is_null().to_list() == [True, False]
