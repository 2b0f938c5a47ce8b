"""Planted, found and wrongly removed: counted from a truth file and the fates of a run's rows."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from zhiling.workflow.demo.score import Score, score

FATES = ("conversation", "locator", "verdict", "reason", "step")


def lines(folder: Path, *truth: tuple[str, str, str, str]) -> Path:
    """A truth file of (defect, conversation, locator, of)."""
    file = folder / "truth.jsonl"
    names = ("defect", "conversation", "locator", "of")
    records = [dict(zip(names, line, strict=True)) | {"start": line[2], "detail": ""} for line in truth]
    file.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return file


def fates(*rows: tuple[str | None, str, str, str | None, str | None]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=dict.fromkeys(FATES, pl.String), orient="row")


def of(found: list[Score], defect: str) -> Score:
    return next(line for line in found if line.defect == defect)


def test_a_copy_is_found_by_either_row_of_the_pair(tmp_path: Path) -> None:
    truth = lines(
        tmp_path,
        ("exact_duplicates", "T-2", "log:3", "T-1"),
        ("near_duplicates", "T-4", "log:7", "T-3"),
        ("near_duplicates", "T-6", "log:9", "T-5"),
    )
    gone = fates(
        ("T-1", "log:1#turn 1", "reject", "exact_duplicate", "exact"),
        ("T-4", "log:7#turn 1", "reject", "near_duplicate", "near"),
        ("T-9", "log:20#turn 1", "reject", "near_duplicate", "near"),
    )
    found = score(truth, gone, [])
    assert (of(found, "exact_duplicates").found, of(found, "exact_duplicates").wrongly_removed) == (1, 0)
    near = of(found, "near_duplicates")
    assert (near.planted, near.found, near.missed, near.wrong) == (2, 1, ("log:9",), ("log:20#turn 1",))


def test_a_row_of_another_defect_counts_as_wrong_and_is_told_apart(tmp_path: Path) -> None:
    truth = lines(
        tmp_path, ("wrong_labels", "T-1", "log:1", "refund"), ("wrong_pairings", "T-2", "log:3", "T-8")
    )
    gone = fates(
        ("T-2", "log:3#turn 1", "reject", "above", "labels"),
        ("T-7", "log:13#turn 1", "reject", "above", "labels"),
    )
    labels = of(score(truth, gone, []), "wrong_labels")
    assert (labels.found, labels.wrongly_removed, labels.wrong_but_defective) == (0, 2, 1)


@pytest.mark.parametrize(("kept", "found"), [(["call 154 0000 1111"], 0), (["call [PHONE]"], 1), ([], 1)])
def test_personal_data_are_found_where_no_kept_text_holds_them(
    tmp_path: Path, kept: list[str], found: int
) -> None:
    truth = lines(tmp_path, ("personal_data", "T-1", "log:1", "154 0000 1111"))
    rewritten = fates(
        ("T-1", "log:1#turn 1", "replaced", None, "private"),
        ("T-5", "log:9#turn 1", "replaced", None, "private"),
    )
    line = of(score(truth, rewritten, kept), "personal_data")
    assert (line.found, line.wrong) == (found, ("log:9#turn 1",))


def test_an_injection_must_be_judged_and_gone(tmp_path: Path) -> None:
    truth = lines(
        tmp_path, ("injections", "T-1", "log:1", "obey me"), ("injections", "", "manual/a.md:9", "obey")
    )
    gone = fates(
        ("T-1", "log:1#turn 1", "reject", "above", "safe"),
        (None, "manual/a.md:5#Rules", "reject", "above", "safe"),
    )
    assert of(score(truth, gone, ["fine"]), "injections").found == 2
    assert of(score(truth, gone, ["they wrote: obey me"]), "injections").found == 0
    assert of(score(truth, gone.head(1), ["fine"]), "injections").missed == ("manual/a.md:9",)
    assert of(score(truth, gone, ["fine"]), "injections").wrongly_removed == 0


def test_unreadable_lines_are_found_by_place_with_or_without_a_column(tmp_path: Path) -> None:
    truth = lines(
        tmp_path, ("unreadable_lines", "T-1", "log:12", "x"), ("unreadable_lines", "T-2", "log:1", "x")
    )
    bad = fates(
        (None, "log:12:40", "bad", "broken_json", None), (None, "log:120", "bad", "broken_json", None)
    )
    line = of(score(truth, bad, []), "unreadable_lines")
    assert (line.missed, line.wrong) == (("log:1",), ("log:120",))


def test_kinds_that_were_not_planted_are_told_with_zero(tmp_path: Path) -> None:
    found = score(lines(tmp_path), fates(), [])
    assert {(line.planted, line.found, line.wrongly_removed) for line in found} == {(0, 0, 0)}
    assert len(found) == 9
