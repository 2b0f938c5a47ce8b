"""What the package asks for: few packages, all declared, all pinned within their ranges."""

from __future__ import annotations

import ast
import re
import sys
from functools import cache
from importlib.metadata import distribution, packages_distributions

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.house.tree import ROOT, python_files

MOST_CORE_PACKAGES = 32
EXTRAS = ("curation", "train", "demo", "dev", "documents", "images", "fast", "ray", "remote", "verification")


@cache
def constraints() -> dict[str, str]:
    """Package → exact version, from constraints.txt."""
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    pairs = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(name): version for name, version in pairs}


def requirements(package: str, extra: str = "") -> list[Requirement]:
    """What a package asks for, where the marker holds here."""
    declared = [Requirement(line) for line in distribution(package).requires or ()]
    return [each for each in declared if each.marker is None or each.marker.evaluate({"extra": extra})]


def closure(package: str, extras: tuple[str, ...] = ("",)) -> set[str]:
    """All packages that these extras pull in, with what those pull in."""
    found: set[str] = set()
    waiting = [each for extra in extras for each in requirements(package, extra)]
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        if name not in found:
            found.add(name)
            waiting += [each for extra in ("", *requirement.extras) for each in requirements(name, extra)]
    return found


def test_the_core_pulls_few_packages() -> None:
    core = closure("zhiling")
    assert len(core) <= MOST_CORE_PACKAGES
    assert not core & {"torch", "transformers", "scikit-learn"}


def test_every_package_is_pinned() -> None:
    ignored = {"setuptools", "pip", "zhiling"}
    assert closure("zhiling", ("", *EXTRAS)) - set(constraints()) - ignored == set()


@pytest.mark.parametrize("extra", ["", *EXTRAS])
def test_pins_lie_within_the_ranges(extra: str) -> None:
    outside = [
        f"{each} but constraints.txt says {pin}"
        for each in requirements("zhiling", extra)
        if (pin := constraints()[canonicalize_name(each.name)]) not in each.specifier
    ]
    assert outside == []


def test_torch_is_pinned_without_a_local_suffix() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+", constraints()["torch"])


def test_every_import_of_the_package_is_declared() -> None:
    declared = {
        canonicalize_name(each.name) for extra in ("", *EXTRAS) for each in requirements("zhiling", extra)
    }
    owners = packages_distributions()
    undeclared = {
        name
        for name in third_party_imports()
        if not declared & {canonicalize_name(owner) for owner in owners.get(name, [])}
    }
    assert undeclared == set()


def test_every_core_dependency_is_imported() -> None:
    owners = packages_distributions()
    used = {canonicalize_name(owner) for name in third_party_imports() for owner in owners.get(name, [])}
    declared = {canonicalize_name(each.name) for each in requirements("zhiling")}
    assert declared - used == set()


def third_party_imports() -> set[str]:
    """Top-level names that src imports anywhere, functions included."""
    names: set[str] = set()
    for path in python_files("src"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names.add(node.module.partition(".")[0])
    return names - set(sys.stdlib_module_names) - {"zhiling"}
