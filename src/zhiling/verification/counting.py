"""How many words, sentences, paragraphs, … a text has: one definition each, for every script.

A word is a run of letters and digits with the apostrophes, hyphens and decimal points inside it; a character
of a script without spaces (Chinese, Japanese, Thai) counts one, punctuation none. So 500 字 and 500 words are
counted by the same rule.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from functools import cache
from importlib.resources import files

from zhiling.text.characters import UNSPACED_RANGES

_WORD = re.compile(
    rf"[{UNSPACED_RANGES}]|[^\W_{UNSPACED_RANGES}]+(?:['’-][^\W_{UNSPACED_RANGES}]+|[.,:]\d+)*"
)
_CLOSERS = r"[”’」』）)\]\"']*"
_SENTENCE_END = re.compile(rf"[。！？…]+{_CLOSERS}|[.!?]+{_CLOSERS}(?=\s|$|[{UNSPACED_RANGES}])|[\r\n]+")
_LAST_WORD = re.compile(r"[\w.]*\Z")
_BULLET = re.compile(
    r"[ \t\u3000]*(?:[-*+][ \t]|[•·●○▪◦]|\d{1,3}[.)](?=\s)|[a-zA-Z]\)|\d{1,3}[、．）]|[（(]\d{1,3}[）)]"
    r"|[一二三四五六七八九十]{1,3}[、．]|（[一二三四五六七八九十]{1,3}）|[①-⑳])"
)
_PLACEHOLDER = re.compile(r"\[[^\W\d][^\[\]\n]{0,59}\](?!\()|【[^【】\n]{1,60}】")
_BLANK_LINES = re.compile(r"\n[ \t\r\u3000]*(?:\n[ \t\r\u3000]*)+")


def words(text: str) -> int:
    """Words of scripts with spaces and characters of scripts without: `Hello 你好` has 3, `don't` is 1."""
    return len(_WORD.findall(text))


def characters(text: str) -> int:
    """Code points that are not white space, punctuation included: `你好，Ada` has 6."""
    return sum(map(len, text.split()))


def sentences(text: str) -> int:
    """Pieces with a word in them between the ends of sentences; a line break ends one too.

    The full stop of an abbreviation (`Dr. Wu`, `e.g. this`) or of a single capital (`J. Wu`) ends none.
    """
    count, start = 0, 0
    for end in _SENTENCE_END.finditer(text):
        if _abbreviates(text, end):
            continue
        count += _WORD.search(text, start, end.start()) is not None
        start = end.end()
    return count + (_WORD.search(text, start) is not None)


def paragraphs(text: str) -> int:
    """Blocks of text between blank lines."""
    return sum(bool(block.strip()) for block in _BLANK_LINES.split(text.replace("\r\n", "\n")))


def lines(text: str) -> int:
    """Lines that are not blank."""
    return sum(bool(line.strip()) for line in text.splitlines())


def bullets(text: str) -> int:
    """Lines that begin with a mark or a number of a list: `- a`, `1. a`, `（二）甲`, `① 甲`."""
    return sum(_BULLET.match(line) is not None for line in text.splitlines())


def placeholders(text: str) -> int:
    """Gaps to be filled in, `[your name]` or 【姓名】; a citation `[2]` and a Markdown link are none."""
    return len(_PLACEHOLDER.findall(text))


COUNTS: Mapping[str, Callable[[str], int]] = {
    "words": words,
    "characters": characters,
    "sentences": sentences,
    "paragraphs": paragraphs,
    "lines": lines,
    "bullets": bullets,
    "placeholders": placeholders,
}
"""Unit → how many of it a text has."""


@cache
def unit_names() -> Mapping[str, str]:
    """Name of a unit in English or Chinese → its key in `COUNTS`: 字 → words."""
    return {name: unit for unit, names in _tables()["units"].items() for name in names}


@cache
def _tables() -> dict[str, dict[str, list[str]]]:
    return tomllib.loads((files("zhiling.verification") / "units.toml").read_text(encoding="utf-8"))


def _abbreviates(text: str, end: re.Match[str]) -> bool:
    """Whether the full stop belongs to the word before it, and the sentence goes on."""
    if end[0] != "." or not text[end.end() : end.end() + 2].strip():
        return False
    found = _LAST_WORD.search(text, max(0, end.start() - 24), end.start())
    word = found[0] if found else ""
    return word.lower() in _abbreviations() or (len(word) == 1 and word.isupper() and word != "I")


@cache
def _abbreviations() -> frozenset[str]:
    return frozenset(_tables()["abbreviations"]["en"])
