"""Files behind URLs: sources read copies that follow the original, exports are sent, errors say why."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from zhiling.errors import MissingExtra, MissingInput, RecipeError
from zhiling.workflow import remote
from zhiling.workflow.recipe import Recipe
from zhiling.workflow.run import run_recipe

fsspec = pytest.importorskip("fsspec", reason='needs pip install "zhiling[remote]"')

RECIPE = """\
version: 1
name: far
sources:
  - {id: en, use: tables, path: "memory://in/*.jsonl", licence: CC0-1.0}
  - {id: zh, use: tables, path: "memory://in/中文.parquet", licence: CC0-1.0}
steps:
  - {id: length, use: length, min_reply: 1}
export:
  - {format: parquet, path: sft.parquet, to: "memory://out/first"}
"""


@pytest.fixture
def memory() -> Any:
    """fsspec's file system in memory, emptied."""
    system = fsspec.filesystem("memory")
    system.store.clear()
    system.pseudo_dirs[:] = [""]
    return system


def filled(memory: Any, replies: int) -> None:
    lines = [
        json.dumps({"instruction": f"Say {i}", "output": f"This is number {i}."}) for i in range(replies)
    ]
    memory.pipe("/in/a.jsonl", "\n".join(lines).encode())
    frame = pl.DataFrame(
        {"instruction": [f"说{i}" for i in range(9)], "output": [f"这是第{i}个。" for i in range(9)]}
    )
    with memory.open("/in/中文.parquet", "wb") as target:
        frame.write_parquet(target)


def test_sources_are_read_and_exports_are_sent(memory: Any, tmp_path: Path) -> None:
    filled(memory, 30)
    (tmp_path / "recipe.yaml").write_text(RECIPE, encoding="utf-8")
    run = run_recipe(Recipe.load(tmp_path / "recipe.yaml"), until="export")
    assert run.counts["in"] == 39
    sent = run.folder.manifest.results["exports"][0]["sent"]
    assert sent[-1] == "memory://out/first/sft.card.md"
    parts = [memory.cat(f"/out/first/sft.{part}.parquet") for part in ("train", "dev", "test")]
    assert sum(pl.read_parquet(part).height for part in parts) == run.counts["kept"]
    local = (run.path / "export" / "sft.train.parquet").read_bytes()
    assert parts[0] == local


def test_a_copy_follows_the_original_and_is_fetched_once(
    memory: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(memory, 3)
    (name,) = remote.fetched(["memory://in/a.jsonl"], tmp_path)
    assert len((tmp_path / name).read_text("utf-8").splitlines()) == 3
    calls: list[str] = []
    get_file = type(memory).get_file
    monkeypatch.setattr(
        type(memory),
        "get_file",
        lambda self, path, *more, **other: calls.append(path) or get_file(self, path, *more),
    )
    assert remote.fetched(["memory://in/a.jsonl"], tmp_path) == (name,)
    assert calls == []
    filled(memory, 5)
    remote.fetched(["memory://in/a.jsonl"], tmp_path)
    assert len(calls) == 1
    assert len((tmp_path / name).read_text("utf-8").splitlines()) == 5


def test_local_paths_stay_as_they_are(tmp_path: Path) -> None:
    assert remote.fetched(["data/*.jsonl", "C:/data/x.csv"], tmp_path) == ("data/*.jsonl", "C:/data/x.csv")


class Hostile:
    """A file system whose names lead upwards."""

    def glob(self, path: str) -> list[str]:
        return ["bucket/../../../../escaped.jsonl"]

    def isfile(self, name: str) -> bool:
        return True

    def ukey(self, name: str) -> str:
        return "1"

    def get_file(self, name: str, target: str) -> None:
        Path(target).write_text("{}", encoding="utf-8")


def test_a_name_cannot_leave_the_folder_of_copies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fsspec.core, "url_to_fs", lambda url: (Hostile(), url.partition("://")[2]))
    (name,) = remote.fetched(["memory://bucket/*"], tmp_path)
    assert name == f"{remote.FOLDER}/memory/bucket/escaped.jsonl"
    assert (tmp_path / name).is_file()


def test_what_cannot_be_reached_is_told(memory: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MissingInput, match=r"nothing matches 'memory://none/\*'"):
        remote.fetched(["memory://none/*"], tmp_path)
    with pytest.raises(MissingInput, match="nosuch"):
        remote.fetched(["nosuch://bucket/x"], tmp_path)
    (tmp_path / "recipe.yaml").write_text(RECIPE.replace("memory://out/first", "out/first"), encoding="utf-8")
    with pytest.raises(RecipeError, match=r"to 'out/first' is not a URL of a folder"):
        Recipe.load(tmp_path / "recipe.yaml")

    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(remote.importlib, "import_module", missing)
    with pytest.raises(MissingExtra, match=r'pip install "zhiling\[remote\]"'):
        remote.fetched(["s3://bucket/x"], tmp_path)
