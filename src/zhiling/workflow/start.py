"""`init`: a small project with data of its own (a library's questions in two languages), or around a file."""

from __future__ import annotations

import json
import os
import re
from importlib.resources import as_file, files
from pathlib import Path

from zhiling.errors import UsageError
from zhiling.pipeline.store import write_bytes
from zhiling.rows.schema import MATERIAL_TASKS
from zhiling.workflow.sniff import Recognised, recognise

_FILES = ("recipe.yaml", "data/faq.jsonl")
_IGNORED = b"runs/\n.remote/\nzhiling.sqlite*\n"


_RECIPE = """\
# A zhiling recipe for {file}. 一份 zhiling 配方。
#   zhiling check    look at everything, do nothing          检查，不执行
#   zhiling run      do it; run again after any change       执行；改动后再次执行即可
#   zhiling why ROW  one row's life in words                 一行数据的来龙去脉
version: 1
name: {name}
seed: 7
sources:
  # say under which licence the data may be used: licence: …    请注明数据的许可
  - {{id: data, use: {source}, path: {path}{language}}}
steps:
{steps}
gates:
  - {{check: rows, at_least: {least}}}
split: {{train: 0.8, dev: 0.1, test: 0.1}}
export:
  - {{format: {format}, path: {name}.jsonl}}
"""
_STEPS = {
    "valid": "{id: valid, use: valid}",
    "language": "{id: language, use: language}",
    "redact": "{id: redact, use: redact}    # personal data become placeholders   个人信息替换为占位符",
    "exact": "{id: exact, use: exact_dedup}",
    "near": "{id: near, use: near_dedup, jaccard: 0.8}",
    "template": "{id: template, use: template}    # labels become instructions   标注变成指令",
}


def start_project(folder: Path, *, force: bool = False) -> list[Path]:
    """Writes recipe and data; returns the files.

    Raises:
        UsageError: the folder has a recipe already, and `force` was not given.
    """
    _refuse_second(folder, force)
    written: list[Path] = []
    with as_file(files("zhiling.workflow") / "starter") as starter:
        for name in _FILES:
            write_bytes(folder / name, (starter / name).read_bytes())
            written.append(folder / name)
    return [*written, _ignore(folder)]


def start_from(folder: Path, file: Path, *, force: bool = False) -> tuple[list[Path], Recognised]:
    """Writes a recipe around a file (or a folder of files) and tells how it is understood.

    Raises:
        UsageError: the folder has a recipe already, or no source reads the file.
        MissingInput: no such file, or reading it needs an extra.
    """
    _refuse_second(folder, force)
    found = recognise(file)
    write_bytes(folder / "recipe.yaml", _recipe(found, folder).encode())
    return [folder / "recipe.yaml", _ignore(folder)], found


def _refuse_second(folder: Path, force: bool) -> None:
    if (folder / "recipe.yaml").exists() and not force:
        raise UsageError(
            "there is a recipe already", place=str(folder), hint="choose another folder, or --force"
        )


def _ignore(folder: Path) -> Path:
    write_bytes(folder / ".gitignore", _IGNORED)
    return folder / ".gitignore"


def _recipe(found: Recognised, folder: Path) -> str:
    rows = found.reading.rows
    material = bool(rows["task"].is_in(list(MATERIAL_TASKS)).all())
    labelled = found.reading.source == "labelled"
    steps = ["valid", *(["language"] if found.language is None else []), "redact", "exact", "near"]
    steps += ["template"] if labelled else []
    preferred = bool((rows["alternatives"].list.len().fill_null(0) > 0).any())
    return _RECIPE.format(
        file=found.path.name,
        name=re.sub(r"[^a-z0-9]+", "-", found.path.name.partition(".")[0].lower()).strip("-") or "data",
        source=found.reading.source,
        path=json.dumps(Path(os.path.relpath(found.path, folder)).as_posix(), ensure_ascii=False),
        language=f", language: {found.language}" if found.language else "",
        steps="\n".join(f"  - {_STEPS[step]}" for step in steps),
        least=0 if material else 1,
        format="preference" if preferred else "messages",
    )
