"""What an import brings along: facts about modules, no timings.

The quick start of the command line and the core without torch both hang on this.
"""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.house.tree import SRC, python_files

DEEP_LEARNING = ("torch", "transformers", "sentence_transformers", "safetensors", "sklearn", "scipy")
SLOW_TO_START = (*DEEP_LEARNING, "lingua", "polars", "pyarrow", "numpy", "jinja2", "aiohttp")

# Rooms whose inner modules may hold torch; they are imported when a model is trained, read or used.
MAY_HOLD_TORCH = ("zhiling.training.", "zhiling.encoders.")


def python(code: str) -> str:
    """What a fresh interpreter prints."""
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


def loaded_by(module: str, *, among: tuple[str, ...]) -> list[str]:
    """Which of these top-level packages an import loads."""
    loaded = python(
        f"import sys, {module}; print(*{{name.partition('.')[0] for name in sys.modules}})"
    ).split()
    return sorted(set(loaded) & set(among))


def module_names() -> list[str]:
    """All modules of the package."""
    files = [path.relative_to(SRC.parent) for path in python_files("src") if path.is_relative_to(SRC)]
    names = [".".join(path.with_suffix("").parts).removesuffix(".__init__") for path in files]
    return [name for name in names if not name.endswith("__main__")]


def test_import_zhiling_loads_nothing_but_itself() -> None:
    third_party = (*SLOW_TO_START, "pydantic", "rich", "typer", "ruamel", "orjson")
    assert loaded_by("zhiling", among=third_party) == []


def test_the_command_line_starts_without_what_is_slow() -> None:
    assert loaded_by("zhiling.cli", among=SLOW_TO_START) == []


@pytest.mark.parametrize("argument", ["--version", "--help"])
def test_version_and_help_load_nothing_slow(argument: str) -> None:
    code = f"""
import contextlib, io, sys
sys.argv = ["zhiling", {argument!r}]
from zhiling.cli import main
with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()):
    main()
print(*{{name.partition(".")[0] for name in sys.modules}})
"""
    assert set(python(code).split()) & set(SLOW_TO_START) == set()


def test_the_core_imports_where_no_extra_is_installed() -> None:
    """Every module outside the model rooms, and the front door of those, imports without the extras."""
    core = [name for name in module_names() if not name.startswith(MAY_HOLD_TORCH)]
    code = f"""
import importlib, sys
for name in {DEEP_LEARNING!r}:
    sys.modules[name] = None
broken = {{}}
for name in {core!r}:
    try:
        importlib.import_module(name)
    except ImportError as error:
        broken[name] = str(error)
print(broken)
"""
    assert python(code).strip() == "{}"
