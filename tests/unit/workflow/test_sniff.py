"""`init --from`: the source that makes most of a file is chosen, and the recipe that is written runs."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import zhiling
from zhiling.errors import MissingInput, UsageError
from zhiling.workflow.sniff import SAMPLE_BYTES, recognise
from zhiling.workflow.start import start_from

TURNS = [{"speaker": "顾客", "text": "到了吗？"}, {"speaker": "客服", "text": "明天到。"}]
SHAPES: dict[str, tuple[str, list[dict[str, Any]]]] = {
    "label": ("labelled", [{"text": f"第{n}个包裹在哪里？", "label": "快递"} for n in range(5)]),
    "turns": ("conversations", [{"id": str(n), "turns": TURNS} for n in range(5)]),
    "shop": (
        "tables",
        [{"frage": "x", "question": f"How long is {n}?", "answer": f"It is {n} long."} for n in range(5)],
    ),
}


def written(path: Path, records: list[dict[str, Any]]) -> Path:
    text = "\n".join(json.dumps(record, ensure_ascii=False) for record in records)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


@pytest.mark.parametrize("shape", sorted(SHAPES))
def test_the_fitting_source_is_chosen_and_its_recipe_runs(shape: str, tmp_path: Path) -> None:
    source, records = SHAPES[shape]
    data = written(tmp_path / "它 的 data.jsonl", records)
    folder = tmp_path / "project"
    files, found = start_from(folder, data)
    assert found.reading.source == source
    assert found.reading.rows.height == 5
    assert [path.name for path in files] == ["recipe.yaml", ".gitignore"]
    run = zhiling.Recipe.load(folder / "recipe.yaml").run(until="export")
    assert run.counts["in"] == 5
    assert run.counts["bad"] == 0
    assert run.rows().height >= 1


def test_the_language_is_told_where_no_field_does(tmp_path: Path) -> None:
    assert recognise(written(tmp_path / "a.jsonl", SHAPES["label"][1])).language == "zh"
    told = [{**record, "language": "en"} for record in SHAPES["label"][1]]
    assert recognise(written(tmp_path / "b.jsonl", told)).language is None


def test_what_leaves_less_over_wins(tmp_path: Path) -> None:
    records = [{"instruction": f"问题{n}", "response": "很长的回答" * 20, "category": "a"} for n in range(5)]
    found = recognise(written(tmp_path / "a.jsonl", records))
    assert found.reading.source != "labelled"
    assert "labelled" in found.others


def test_a_long_file_is_read_at_its_beginning_only(tmp_path: Path) -> None:
    records = [{"text": f"{n} " + "word " * 40, "label": str(n % 3)} for n in range(20_000)]
    for name in ("long.jsonl", "long.jsonl.gz"):
        path = written(tmp_path / name, records)
        found = recognise(path)
        assert found.reading.source == "labelled"
        assert found.reading.bad == []
        assert found.reading.rows["locator"][0] == f"{name}:1"
    assert (tmp_path / "long.jsonl").stat().st_size > 2 * SAMPLE_BYTES


def test_a_folder_is_read_by_its_most_frequent_readable_kind(tmp_path: Path) -> None:
    for n in range(3):
        (tmp_path / f"{n}.bin").write_bytes(bytes(range(256)))
    for n in range(2):
        (tmp_path / f"{n}.md").write_text(f"# Page {n}\n\nSome text.\n", encoding="utf-8")
    found = recognise(tmp_path)
    assert found.reading.source == "documents"
    assert found.path == tmp_path / "**" / "*.md"


def test_what_cannot_be_read_is_told_with_reasons(tmp_path: Path) -> None:
    with pytest.raises(MissingInput, match="no file or folder at"):
        recognise(tmp_path / "nothing.jsonl")
    with pytest.raises(MissingInput, match="holds no file"):
        recognise(tmp_path)
    (tmp_path / "noise.bin").write_bytes(b"\x00\x01" * 50)
    with pytest.raises(UsageError, match=r"no source reads this file\n  .+: "):
        recognise(tmp_path / "noise.bin")


def test_a_missing_extra_is_named(tmp_path: Path) -> None:
    """In a process of its own: here the library may have been imported already."""
    (tmp_path / "a.docx").write_bytes(b"PK\x03\x04 no zip file at all")
    without = "import sys; sys.modules['lxml'] = None; from zhiling.cli import main; main()"
    command = [sys.executable, "-c", without, "init", "p", "--from", "a.docx"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert "module 'lxml' is not installed" in done.stderr
    assert 'pip install "zhiling[documents]"' in done.stderr


def test_a_second_recipe_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text("version: 1\n", encoding="utf-8")
    with pytest.raises(UsageError, match="there is a recipe already"):
        start_from(tmp_path, tmp_path / "nothing.jsonl")
