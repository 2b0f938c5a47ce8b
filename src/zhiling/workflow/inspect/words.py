"""The words in which a run is told, in English and in Chinese alike; they lie in `words.yaml`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

from zhiling.errors import UnknownName

LANGUAGES = ("en", "zh")


@cache
def load_table(package: str, name: str) -> Mapping[str, Mapping[str, Any]]:
    """A word table from a package: section → key → the same words per language."""
    from ruamel.yaml import YAML

    text = resources.files(package).joinpath(name).read_text(encoding="utf-8")
    reader: Any = YAML(typ="safe", pure=True)
    return reader.load(text)


class Words:
    """Words of one language: `words("life.outcome", part="train")`."""

    def __init__(self, language: str, *tables: Mapping[str, Mapping[str, Any]]) -> None:
        if language not in LANGUAGES:
            raise UnknownName("language", language, LANGUAGES)
        self.language = language
        self._tables = tables or (load_table("zhiling.workflow.inspect", "words.yaml"),)

    def __call__(self, key: str, /, **values: object) -> str:
        """The words of `section.key`, filled in.

        Raises:
            KeyError: no table has them; a bug, never a user's error.
        """
        found = self._find(key)
        if found is None:
            raise KeyError(key)
        return found.format(**values) if values else found

    def reason(self, reason: str) -> str:
        """A reason or failure class in words; one that no table knows is told by its own name."""
        return self._find(f"reasons.{reason}") or reason.replace("_", " ")

    def name(self, section: str, name: str) -> str:
        """A component's name in words; one that no table knows is told by its own name."""
        return self._find(f"{section}.{name}") or name.replace("_", " ")

    def _find(self, key: str) -> str | None:
        section, _, name = key.partition(".")
        for table in self._tables:
            entry = table.get(section, {}).get(name)
            if entry is not None:
                return str(entry[self.language])
        return None


def number(value: object) -> str:
    """A figure as people write it: 1,234 · 0.857 · true."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.0f}" if value.is_integer() and abs(value) >= 1000 else f"{value:.4g}"
    return str(value)


def shorten(text: str, limit: int) -> str:
    """The first `limit` characters; what is cut is marked with an ellipsis."""
    return text if len(text) <= limit else text[:limit].rstrip() + "…"
