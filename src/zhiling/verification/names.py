"""Names that are seen without a tagger: capitalised words, titles, Latin words in Chinese."""

from __future__ import annotations

import re
from collections.abc import Iterator

from zhiling.verification.quotes import plain

_HAN = re.compile(r"[\u3400-\u9fff]")
_TITLE = re.compile(r"《([^《》\n]{1,60})》")
_CAPITALS = re.compile(r"(?<=[\w,;] )[A-Z][\w'’-]+(?: [A-Z][\w'’-]+)*")
_LATIN = re.compile(r"(?<![\w])[A-Z][A-Za-z-]+(?: [A-Z][A-Za-z-]+)*")
_NO_NAMES = frozenset(
    {"I", "I'm", "I've", "I'll", "I'd", "I’m", "I’ve", "I’ll", "I’d", "OK", "Mr", "Mrs", "Ms", "Dr"}
)


def names(text: str) -> list[str]:
    """Names in order, none twice: amid English sentences, titles in 《》, Latin words of Chinese texts."""
    return list(dict.fromkeys(_found(text)))


def foreign_names(reply: str, source: str) -> list[str]:
    """Names of a reply of which no part stands in its source; both are in one script."""
    known = plain(source)
    return [name for name in names(reply) if not any(plain(part) in known for part in name.split())]


def _found(text: str) -> Iterator[str]:
    yield from _TITLE.findall(text)
    pattern = _LATIN if _HAN.search(text) else _CAPITALS
    yield from (name for name in pattern.findall(text) if name not in _NO_NAMES and len(name) > 1)
