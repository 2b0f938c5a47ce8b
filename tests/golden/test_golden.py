"""Small sources and what must come out of them, byte for byte; ids and hashes of scheme version 1."""

from __future__ import annotations

import shutil
from pathlib import Path

import polars as pl
import pytest

import zhiling
from zhiling.rows.conversation import dialogue
from zhiling.rows.schema import SCHEME_VERSION, conform, content_hashes, row_ids
from zhiling.workflow.doctor import examine

CASES = sorted(path.parent for path in Path(__file__).parent.glob("*/recipe.yaml"))

# What else must be true of each case: unreadable items by class, rejected rows by reason.
BOOKS: dict[str, tuple[dict[str, int], dict[str, int]]] = {
    "conversations_zh": ({"no_customer_turn": 1}, {}),
    "faq_en": ({"broken_json": 1}, {"empty_reply": 1, "exact_duplicate": 1, "near_duplicate": 1}),
    "gb18030_csv": ({"column_count": 1}, {"truncated": 1}),
    "labelled_mixed": ({}, {"exact_duplicate": 1, "unknown_label": 1}),
}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_export_is_what_it_was(case: Path, tmp_path: Path) -> None:
    """Where a change is meant, look at each difference, then copy the new files over `expected/`."""
    root = tmp_path / "project"
    shutil.copytree(case, root, ignore=shutil.ignore_patterns("expected"))
    run = zhiling.Recipe.load(root / "recipe.yaml").run(until="export")
    assert [finding for finding in examine(run.path) if not finding.ok] == []
    written = {path.name: path.read_bytes() for path in (run.path / "export").iterdir()}
    # a card holds keys, which every version of a step changes; it has tests of its own
    found = {name: content for name, content in written.items() if not name.endswith(".card.md")}
    expected = {path.name: path.read_bytes() for path in (case / "expected").iterdir()}
    assert sorted(found) == sorted(expected)
    for name, content in expected.items():
        assert found[name].decode() == content.decode(), f"{name} differs; the new one is in {run.path}"
    bad, rejected = BOOKS[case.name]
    assert run.counts["rejected"] == rejected
    assert run.counts["bad"] == sum(bad.values())
    if bad:
        told = run.folder.read_frame("bad.parquet")["class"].value_counts()
        assert dict(told.iter_rows()) == bad


ROWS = conform(
    pl.DataFrame(
        {
            "messages": dialogue(
                {
                    "user": pl.Series(["How do I reset the lock?", "门锁怎么重置？😀", ""]),
                    "assistant": pl.Series(
                        ["Hold the button.", "按住“重置”键。\n十五秒。", None], dtype=pl.String
                    ),
                }
            ),
            "target": pl.Series([None, '{"labels":["reset"]}', None], dtype=pl.String),
        }
    )
)

CONTENTS = [
    "d1443e31f9692028b8f625e00c97cbe1",
    "f9c74efb76b2a317c86a1c420e640796",
    "d74830048d77522290b5c3bc38b6c2bc",
]
IDS = [
    "abc504b47158748bbaadf1d717791b1d",
    "e7c900258bab6b7f5df7038063f3400d",
    "bcc63cc1a99a77ca5ab72acc33eea21f",
]


def test_hashes_and_ids_of_scheme_version_1() -> None:
    """A change here makes every stored id, split and decision worthless: raise SCHEME_VERSION with it."""
    assert SCHEME_VERSION == 1
    contents = content_hashes(ROWS)
    assert contents.to_list() == CONTENTS
    assert row_ids("faq", pl.Series(["#0", "f2", "c7#3"]), contents).to_list() == IDS


def test_places_and_languages_are_not_hashed() -> None:
    told = ROWS.with_columns(
        pl.lit("zh").alias("language"), pl.lit("qa").alias("task"), extra=pl.lit('{"a":1}')
    )
    assert content_hashes(told).to_list() == CONTENTS
