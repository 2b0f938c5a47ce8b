"""The built package, installed in a clean environment: it starts, and its data files are inside.

The wheel is built from the sdist, so the sdist is whole too. Dependencies are lent by the environment that
runs the tests: nothing is downloaded.
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from tests.house.tree import ROOT, SRC, project_files, relative

pytestmark = pytest.mark.slow


def run(*command: str | Path, cwd: Path) -> str:
    """Standard output of a command that must succeed, in a folder outside the project."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "COV_"))
    }
    answer = subprocess.run(
        [str(part) for part in command], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    assert answer.returncode == 0, f"{answer.stdout}\n{answer.stderr}"
    return answer.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built by way of the sdist."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT, cwd=folder)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel: Path) -> Path:
    """Python of an environment that holds the wheel, and borrows the other packages of this one."""
    folder = wheel.parent / "environment"
    venv.create(folder, with_pip=False, symlinks=os.name != "nt")
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    site = Path(
        run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=folder).strip()
    )
    pip = [sys.executable, "-m", "pip", "--python", python, "--disable-pip-version-check", "install"]
    run(*pip, "--quiet", "--no-index", "--no-deps", wheel, cwd=folder)
    # A .pth file inside a lent folder is not read, so the editable install of this project stays out.
    (site / "lent.pth").write_text(f"{sysconfig.get_path('purelib')}\n{sysconfig.get_path('platlib')}\n")
    return python


def test_the_installed_package_starts(installed: Path, tmp_path: Path) -> None:
    assert run(installed, "-m", "zhiling", "--version", cwd=tmp_path).startswith("zhiling ")
    origin = run(installed, "-c", "import zhiling; print(zhiling.__file__)", cwd=tmp_path).strip()
    assert not Path(origin).is_relative_to(ROOT)


def test_every_file_of_the_package_is_inside(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    ours = {
        f"zhiling/{path.relative_to(SRC).as_posix()}" for path in project_files() if path.is_relative_to(SRC)
    }
    assert ours - names == set()
    assert "zhiling/py.typed" in names


def test_the_demo_data_are_inside(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    data = {
        f"zhiling/{relative(path)}"
        for path in project_files()
        if relative(path).startswith("examples/support/")
    }
    assert data
    assert data - names == set()


def test_nothing_else_is_inside(wheel: Path) -> None:
    tops = {name.partition("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"zhiling"}


def test_every_registered_component_is_found(installed: Path, tmp_path: Path) -> None:
    """Each table of the registry names modules that are in the wheel."""
    code = """
from importlib.util import find_spec
from zhiling.pipeline.registry import nouns, table
targets = [target for noun in nouns() for target in table(noun).values()]
print([target for target in targets if not find_spec(target.partition(":")[0])])
"""
    assert run(installed, "-c", code, cwd=tmp_path).strip() == "[]"
