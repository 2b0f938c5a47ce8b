"""`init`: a small project with data of its own (a library's questions in two languages)."""

from __future__ import annotations

from importlib.resources import as_file, files
from pathlib import Path

from zhiling.errors import UsageError
from zhiling.pipeline.store import write_bytes

_FILES = ("recipe.yaml", "data/faq.jsonl")
_IGNORED = b"runs/\nzhiling.sqlite*\n"


def start_project(folder: Path, *, force: bool = False) -> list[Path]:
    """Writes recipe and data; returns the files.

    Raises:
        UsageError: the folder has a recipe already, and `force` was not given.
    """
    if (folder / "recipe.yaml").exists() and not force:
        raise UsageError(
            "there is a recipe already", place=str(folder), hint="choose another folder, or --force"
        )
    written: list[Path] = []
    with as_file(files("zhiling.workflow") / "starter") as starter:
        for name in _FILES:
            write_bytes(folder / name, (starter / name).read_bytes())
            written.append(folder / name)
    write_bytes(folder / ".gitignore", _IGNORED)
    return [*written, folder / ".gitignore"]
