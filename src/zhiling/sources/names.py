"""Common names of fields and speakers, read from `names.toml`."""

from __future__ import annotations

import tomllib
from collections.abc import Collection
from functools import cache
from importlib.resources import files


@cache
def _tables() -> dict[str, dict[str, list[str]]]:
    return tomllib.loads((files("zhiling.sources") / "names.toml").read_text(encoding="utf-8"))


def known(section: str) -> dict[str, list[str]]:
    """What is known under one section: our name → the names that it has elsewhere."""
    return _tables()[section]


def find(section: str, name: str, present: Collection[str]) -> str | None:
    """The field among those present that commonly stands for `name`, as it is spelled there."""
    folded = {field.casefold(): field for field in reversed(list(present))}
    return next((folded[other] for other in known(section)[name] if other in folded), None)
