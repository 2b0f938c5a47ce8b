"""Classes of patterns from a data file: what a rule step looks for, in English and Chinese."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files


def any_of(patterns: Iterable[str]) -> str:
    r"""One expression for Polars that matches where any of these does, ignoring case.

    `\b` is the boundary of an ASCII word: a Chinese character next to an English word is no part of it. (The
    Unicode boundary is also ten to a hundred times slower in text beyond ASCII.)
    """
    return "(?i)" + "|".join(f"(?:{pattern})" for pattern in patterns).replace(r"\b", r"(?-u:\b)")


@cache
def phrases(name: str) -> Mapping[str, str]:
    """One expression for Polars a class of a file of this package.

    The file holds one table a class with lists of patterns by language: `[refusal]`, `en = [...]`,
    `zh = [...]`.
    """
    content = tomllib.loads((files("zhiling.curation") / name).read_text(encoding="utf-8"))
    return {
        kind: any_of(pattern for patterns in languages.values() for pattern in patterns)
        for kind, languages in content.items()
    }
