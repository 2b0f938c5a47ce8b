"""The verbs as a user types them: what they print, what they return, how they fail."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Cli, write_project


def events(stdout: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stdout.splitlines()]


def test_init_check_run_and_look(tmp_path: Path, cli: Cli) -> None:
    assert cli("init", ".").returncode == 0
    again = cli("init", ".")
    assert again.returncode == 2
    assert "there is a recipe already" in again.stderr
    check = cli("check")
    assert check.returncode == 0, check.stderr
    assert "source faq: 1 file, about 26 rows" in check.stdout
    run = cli("run", "--json")
    assert run.returncode == 0, run.stderr
    summary = events(run.stdout)[-1]
    counts = summary["counts"]
    assert counts["in"] + counts["made"] == (
        counts["kept"]
        + sum(counts["rejected"].values())
        + sum(counts["failed"].values())
        + counts["replaced"]
    )
    assert counts["replaced"] == 1, "the address in the starter is redacted"
    assert counts["rejected"]["exact_duplicate"] == 1
    assert counts["rejected"]["near_duplicate"] == 1
    assert set(summary) == {"event", "run", "folder", "counts", "gates", "seconds", "usd", "exit"}
    assert cli("doctor").returncode == 0
    assert "rows" in cli("gates").stdout
    status = events(cli("status", "--json").stdout)
    assert status[0]["state"] == "finished"


def test_unchanged_recipe_does_nothing_and_says_so(tmp_path: Path, cli: Cli) -> None:
    write_project(tmp_path, 60)
    assert cli("run").returncode == 0
    again = cli("run", "--json")
    assert [event["event"] for event in events(again.stdout)] == ["unchanged", "summary"]
    assert len(list((tmp_path / "runs").glob("words-*"))) == 1


def test_one_changed_field_makes_a_new_run_that_carries_over(tmp_path: Path, cli: Cli) -> None:
    write_project(tmp_path, 200)
    cli("run")
    changed = cli("run", "--json", "--set", "near.jaccard=0.7")
    assert changed.returncode == 0, changed.stderr
    done = {event["step"]: event["reused"] for event in events(changed.stdout) if event["event"] == "done"}
    assert done["words"] == 200
    assert done["redact"] == 200
    assert done["near"] == 0
    diff = cli("diff", "words-0001", "words-0002")
    assert diff.returncode == 0, diff.stderr
    assert "jaccard" in diff.stdout


def test_a_line_on_top_keeps_ids_and_split(tmp_path: Path, cli: Cli) -> None:
    write_project(tmp_path, 300)
    cli("run")
    before = split_of(tmp_path)
    file = tmp_path / "data.jsonl"
    new = json.dumps(
        {"instruction": "Do you sell gift wrapping too?", "output": "Yes, we wrap every parcel on request."}
    )
    file.write_text(new + "\n" + file.read_text(encoding="utf-8"), encoding="utf-8")
    assert cli("run").returncode == 0
    after = split_of(tmp_path)
    assert before.items() <= after.items()
    assert len(after) == len(before) + 1


def split_of(root: Path) -> dict[str, str]:
    import polars as pl

    newest = sorted((root / "runs").glob("words-*"))[-1]
    frame = pl.read_parquet(newest / "split.parquet")
    return dict(zip(frame["id"], frame["split"], strict=True))


def test_three_typos_are_three_errors_with_places(tmp_path: Path, cli: Cli) -> None:
    (tmp_path / "recipe.yaml").write_text(
        "version: 1\nsedd: 7\nsources:\n  - {id: a, use: tabels, path: x}\n"
        "steps:\n  - {use: near_dedup, jacard: 1}\n",
        encoding="utf-8",
    )
    result = cli("run")
    assert result.returncode == 2
    for place, hint in (("2:1", "seed"), ("4:13", "tables"), ("6:23", "jaccard")):
        assert f"recipe.yaml:{place}" in result.stderr
        assert f"did you mean {hint!r}" in result.stderr
    assert "Traceback" not in result.stderr


def test_nothing_matching_a_path_is_exit_3(tmp_path: Path, cli: Cli) -> None:
    write_project(tmp_path, 20)
    (tmp_path / "data.jsonl").unlink()
    result = cli("run")
    assert result.returncode == 3
    assert "nothing matches 'data.jsonl'" in result.stderr
    assert "recipe.yaml:5:" in result.stderr


def test_unreadable_items_are_bad_rows_and_the_rest_is_kept(tmp_path: Path, cli: Cli) -> None:
    write_project(tmp_path, 100)
    good = (tmp_path / "data.jsonl").read_bytes()
    (tmp_path / "data.jsonl").write_bytes(
        b'{"instruction": "broken\n\xff\xfe\xfa\n{"instruction": "a\x00b", "output": "c"}\n' + good
    )
    result = cli("run", "--json")
    assert result.returncode == 0, result.stderr
    counts = events(result.stdout)[-1]["counts"]
    assert counts["in"] == 100
    assert counts["bad"] == 3
    import polars as pl

    bad = pl.read_parquet(next((tmp_path / "runs").glob("*/bad.parquet")))
    assert bad["place"].str.starts_with("data.jsonl:").all()
    assert cli("doctor").returncode == 0


def test_a_truncated_archive_keeps_what_can_be_read(tmp_path: Path, cli: Cli) -> None:
    write_project(tmp_path, 400)
    packed = gzip.compress((tmp_path / "data.jsonl").read_bytes())
    (tmp_path / "data.jsonl.gz").write_bytes(packed[: len(packed) // 2])
    text = (tmp_path / "recipe.yaml").read_text(encoding="utf-8").replace("data.jsonl", "data.jsonl.gz")
    (tmp_path / "recipe.yaml").write_text(text, encoding="utf-8")
    result = cli("run", "--json")
    assert result.returncode == 0, result.stderr
    counts = events(result.stdout)[-1]["counts"]
    assert 50 < counts["in"] < 400
    assert counts["bad"] >= 1


def test_a_failed_gate_is_exit_1_and_exports_nothing(tmp_path: Path, cli: Cli) -> None:
    write_project(tmp_path, 50)
    result = cli("run", "--set", "gates=[{check: rows, at_least: 1000}]", "--json")
    assert result.returncode == 1
    assert events(result.stdout)[-1]["exit"] == 1
    assert "gates failed: rows is" in result.stderr
    assert not list((tmp_path / "runs").glob("*/export/*"))
    assert cli("gates").returncode == 1


def test_rows_and_why_tell_where_a_row_went(tmp_path: Path, cli: Cli) -> None:
    write_project(tmp_path, 100)
    cli("run")
    rejected = events(cli("rows", "--rejected", "--format", "jsonl").stdout)
    assert rejected
    row = rejected[0]
    assert {"id", "content", "messages", "target", "origin", "verdict", "reason", "score", "related"} <= set(
        row
    )
    assert row["reason"] == "exact_duplicate"
    origin = row["origin"]
    assert str(origin["locator"]).startswith("data.jsonl:")
    why = cli("why", str(row["id"])[:12])
    assert why.returncode == 0, why.stderr
    assert str(origin["locator"]) in why.stdout
    assert "exact_duplicate" in why.stdout
    chinese = cli("why", str(row["id"]), "--language", "zh")
    assert any("\u4e00" <= letter <= "\u9fff" for letter in chinese.stdout)
    unknown = cli("why", "0123456789abcdef")
    assert unknown.returncode == 2
    assert "Traceback" not in unknown.stderr


@pytest.mark.parametrize(
    "arguments",
    [("rows", "--step", "nearr"), ("preview", "nearr"), ("run", "--profile", "dew"), ("steps", "lenght")],
)
def test_unknown_names_get_a_suggestion(arguments: tuple[str, ...], tmp_path: Path, cli: Cli) -> None:
    write_project(tmp_path, 20)
    cli("run")
    result = cli(*arguments)
    assert result.returncode == 2
    assert "unknown" in result.stderr
    assert "Traceback" not in result.stderr


def test_preview_shows_rows_before_and_after(tmp_path: Path, cli: Cli) -> None:
    write_project(tmp_path, 100)
    result = cli("preview", "redact", "-n", "3")
    assert result.returncode == 0, result.stderr
    assert "@example.org" in result.stdout
    assert "[EMAIL_1]" in result.stdout
    assert not (tmp_path / "runs").exists()


def test_exports_hold_every_kept_row_once(tmp_path: Path, cli: Cli) -> None:
    write_project(tmp_path, 200)
    summary = events(cli("run", "--json").stdout)[-1]
    counts = summary["counts"]
    folder = Path(str(summary["folder"])) / "export"
    lines = [
        line
        for part in ("train", "dev", "test")
        for line in (folder / f"sft.{part}.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    assert len(lines) == counts["kept"] - counts["material"]
    assert all(
        {message["role"] for message in json.loads(line)["messages"]} == {"user", "assistant"}
        for line in lines
    )
    other = cli("export", "--format", "alpaca", "-o", "out/alpaca.jsonl")
    assert other.returncode == 0, other.stderr
    assert (tmp_path / "out" / "alpaca.train.jsonl").exists()


def test_schema_and_cards_name_every_step(cli: Cli) -> None:
    schema = json.loads(cli("schema").stdout)
    assert schema["$schema"].endswith("2020-12/schema")
    text = json.dumps(schema)
    cards = json.loads(cli("steps", "--json").stdout)
    assert all(f'"const": "{card["name"]}"' in text for card in cards)
    assert "Settings" in cli("steps", "near_dedup").stdout


def test_gc_keeps_the_newest_run(tmp_path: Path, cli: Cli) -> None:
    write_project(tmp_path, 50)
    cli("run")
    cli("run", "--set", "near.jaccard=0.7")
    assert cli("gc", "--keep", "1").returncode == 0
    assert [path.name for path in sorted((tmp_path / "runs").glob("words-*"))] == ["words-0002"]
    assert cli("doctor").returncode == 0


def test_a_read_only_folder_is_a_clear_error(tmp_path: Path, cli: Cli) -> None:
    write_project(tmp_path, 20)
    (tmp_path / "runs").write_text("a file stands where the folder should be", encoding="utf-8")
    result = cli("run")
    assert result.returncode in (1, 3)
    assert "Traceback" not in result.stderr
    assert "bug" not in result.stderr


def test_help_of_every_verb(cli: Cli) -> None:
    from zhiling.cli.main import VERBS

    text = cli("--help").stdout
    assert all(verb in text for verb in VERBS)


def test_set_brings_a_missing_section_into_being(tmp_path: Path, cli: Cli) -> None:
    write_project(tmp_path, 30)
    result = cli(
        "run", "--json", "--set", "budget.minutes=5", "--set", "split.train=0.6", "--set", "split.test=0.3"
    )
    assert result.returncode == 0, result.stderr
    unknown = cli("check", "--set", "budgt.minutes=5")
    assert unknown.returncode == 2
    assert "unknown section" in unknown.stderr
