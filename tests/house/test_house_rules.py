"""The rules of the house that no other tool checks: sizes, names, broad handlers, headers, places.

Every rule lists all its offenders at once. Docstrings, complexity and layers are ruff's and import-linter's.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.house.tree import ROOT, project_files, python_files, relative

MAX_FILE_LINES = 500
MAX_FUNCTION_LINES = 60
MAX_PARAMETERS = 6
VAGUE_NAMES = {"utils", "util", "helpers", "helper", "common", "misc", "stuff", "base2", "v2"}

# Quarantine, the command line's last line of defence, and (when it comes) the adapter to model providers.
BROAD_HANDLERS = {"src/zhiling/pipeline/apply.py", "src/zhiling/cli/main.py", "src/zhiling/llm/client.py"}

# Written in pieces, so that this file does not hold what it forbids.
UNFINISHED = re.compile("|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X", "NotImplemented" + "Error")))
MACHINE_PATH = re.compile(r"(?<![\w./-])/(?:" + "|".join(("wo" + "rk", "ro" + "ot", "ho" + "me")) + r")/")
REGISTRY = re.compile(
    "|".join(
        ("pypi" + r"\.org", "files.python" + "hosted", "npm" + r"js\.", "index" + "-url", "registry" + "=")
    )
)
ORIGIN_HEADER = re.compile(r"(?is)origin.{0,200}?licen[cs]e|licen[cs]e.{0,200}?origin")
DATA_SUFFIXES = {".yaml", ".yml", ".toml", ".txt", ".csv", ".tsv", ".j2", ".jinja", ".html", ".css", ".js"}
TEXT_SUFFIXES = {
    ".py",
    ".md",
    ".toml",
    ".yaml",
    ".yml",
    ".txt",
    ".json",
    ".cfg",
    ".j2",
    ".html",
    ".css",
    ".js",
    "",
}


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """All functions and methods of a module."""
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Parameters that a caller can pass, without `self` and `cls`."""
    arguments = function.args
    names = [each.arg for each in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
    return len([name for name in names if name not in ("self", "cls")])


def parsed(*folders: str) -> list[tuple[str, ast.Module]]:
    """Path and syntax tree of each Python file."""
    return [(relative(path), ast.parse(path.read_text("utf-8"))) for path in python_files(*folders)]


def test_files_are_short() -> None:
    sizes = {relative(path): len(path.read_text("utf-8").splitlines()) for path in python_files()}
    assert {path: size for path, size in sizes.items() if size > MAX_FILE_LINES} == {}


def test_functions_are_short() -> None:
    long = {
        f"{path}:{function.lineno} {function.name}": length
        for path, tree in parsed()
        for function in functions(tree)
        if (length := (function.end_lineno or 0) - function.lineno + 1) > MAX_FUNCTION_LINES
    }
    assert long == {}


def test_functions_take_few_parameters() -> None:
    """Commands in cli/ are exempt: their parameters are the options that a user may type."""
    greedy = {
        f"{path}:{function.lineno} {function.name}": count
        for path, tree in parsed("src", "tools", "benchmarks")
        if not path.startswith("src/zhiling/cli/")
        for function in functions(tree)
        if (count := parameters(function)) > MAX_PARAMETERS
    }
    assert greedy == {}


def test_names_say_what_is_inside() -> None:
    vague = [
        relative(path) for path in python_files() if {*path.relative_to(ROOT).parts, path.stem} & VAGUE_NAMES
    ]
    assert vague == []


def test_nothing_is_left_unfinished() -> None:
    assert (
        matches(UNFINISHED, [path for path in project_files() if path.suffix in {".py", ".toml", ".yaml"}])
        == []
    )


def test_broad_handlers_stand_in_three_places_only() -> None:
    broad = [
        f"{path}:{node.lineno}"
        for path, tree in parsed("src", "tools", "benchmarks")
        if path not in BROAD_HANDLERS
        for node in ast.walk(tree)
        if isinstance(node, ast.ExceptHandler) and is_broad(node.type)
    ]
    assert broad == []


def is_broad(caught: ast.expr | None) -> bool:
    """Whether a handler catches everything."""
    if isinstance(caught, ast.Tuple):
        return any(is_broad(each) for each in caught.elts)
    return caught is None or (isinstance(caught, ast.Name) and caught.id in ("Exception", "BaseException"))


@pytest.mark.parametrize(
    ("handler", "broad"),
    [("except:", True), ("except (OSError, Exception):", True), ("except OSError:", False)],
)
def test_a_broad_handler_is_recognised(handler: str, broad: bool) -> None:
    tree = ast.parse(f"try:\n    pass\n{handler}\n    pass\n")
    found = [node for node in ast.walk(tree) if isinstance(node, ast.ExceptHandler)]
    assert is_broad(found[0].type) is broad


def test_no_machine_path_and_no_registry_is_named() -> None:
    files = [path for path in project_files() if path.suffix in TEXT_SUFFIXES]
    assert matches(MACHINE_PATH, files) + matches(REGISTRY, files) == []


def test_data_files_say_where_they_come_from() -> None:
    data = [
        path for path in project_files() if path.suffix in DATA_SUFFIXES and relative(path).startswith("src/")
    ]
    silent = [relative(path) for path in data if not ORIGIN_HEADER.search(head(path, lines=12))]
    assert silent == []


def test_tracked_files_are_small() -> None:
    large = {relative(path): size for path in project_files() if (size := path.stat().st_size) > 2**20}
    assert large == {}


@pytest.mark.parametrize("name", ["README.md", "README.zh.md"])
def test_readme_fits_on_one_screen(name: str) -> None:
    """Up to the map, that is the second heading of level two at the latest."""
    lines = (ROOT / name).read_text("utf-8").splitlines()
    end = next((number for number, line in enumerate(lines) if line.startswith("<!-- map -->")), len(lines))
    assert end <= 40


def test_contributing_is_short() -> None:
    assert len((ROOT / "CONTRIBUTING.md").read_text("utf-8").splitlines()) <= 150


def matches(pattern: re.Pattern[str], files: list[Path]) -> list[str]:
    """`path:line text` of every line that the pattern finds."""
    return [
        f"{relative(path)}:{number} {line.strip()[:100]}"
        for path in files
        for number, line in enumerate(path.read_text("utf-8", errors="replace").splitlines(), start=1)
        if pattern.search(line)
    ]


def head(path: Path, lines: int) -> str:
    """The first lines of a file."""
    return "\n".join(path.read_text("utf-8").splitlines()[:lines])
