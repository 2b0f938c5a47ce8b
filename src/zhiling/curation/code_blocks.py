"""Fenced code of a text: whether the brackets of its blocks close, whether their JSON parses."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

import orjson

from zhiling.text.fences import Block

_HASH = r"#[^\n]*"
_SLASHES = r"//[^\n]*|/\*.*?(?:\*/|\Z)"
_QUOTED = r"\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'"
# Rust's lifetimes are single quotes that never close.
_CHARACTER = r"\"(?:\\.|[^\"\\])*\"|'(?:\\[^']+|[^'\\\n])'"
_TRIPLE = r"\"{3}.*?\"{3}|'{3}.*?'{3}"
_REGEX = r"(?<=[=(,:!&|?])\s*/(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\n\\])+/[a-z]*"
_BACKQUOTED = r"`(?:\\.|[^`\\])*`"


def _ignored(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(patterns), re.DOTALL)


_C_LIKE = _ignored(_SLASHES, _CHARACTER)
_SCRIPT = _ignored(_SLASHES, _REGEX, _BACKQUOTED, _QUOTED)
_PYTHON = _ignored(_TRIPLE, _HASH, _QUOTED)
_IGNORED: dict[str, re.Pattern[str]] = {
    **dict.fromkeys(("python", "py", "python3", "r"), _PYTHON),
    **dict.fromkeys(("javascript", "js", "jsx", "typescript", "ts", "tsx", "go", "golang"), _SCRIPT),
    **dict.fromkeys(("c", "cpp", "c++", "h", "java", "rust", "rs", "csharp", "c#", "cs"), _C_LIKE),
    **dict.fromkeys(("kotlin", "kt", "scala", "swift", "dart"), _ignored(_TRIPLE, _SLASHES, _CHARACTER)),
    **dict.fromkeys(("css", "scss"), _ignored(_SLASHES, _QUOTED)),
    "sql": _ignored(r"--[^\n]*", r"/\*.*?\*/", r"'(?:''|[^'])*'", r"\"[^\"]*\""),
}
_BRACKETS = re.compile(r"[()\[\]{}]")
_OPENS = {")": "(", "]": "[", "}": "{"}


def is_balanced(blocks: Sequence[Block]) -> bool:
    """Whether every block's brackets close, or those of all blocks of its language taken together.

    Strings, characters and comments do not count. Languages whose brackets need not pair (shells, Markdown,
    plain text) and blocks without a language are balanced.
    """
    texts: dict[str, list[str]] = {}
    for block in blocks:
        if block.language in _IGNORED:
            texts.setdefault(block.language, []).append(block.text)
    return all(
        all(_closes(text, language) for text in parts) or _closes("\n".join(parts), language)
        for language, parts in texts.items()
    )


def _closes(text: str, language: str) -> bool:
    waiting: list[str] = []
    for sign in _BRACKETS.findall(_IGNORED[language].sub(" ", text)):
        if sign not in _OPENS:
            waiting.append(sign)
        elif not waiting or waiting.pop() != _OPENS[sign]:
            return False
    return not waiting


def is_json(text: str) -> bool:
    """Whether a text is one JSON value, or one a line."""
    if _parses(text):
        return True
    lines = [line for line in text.split("\n") if line.strip()]
    return len(lines) > 1 and all(map(_parses, lines))


def begins_with_json(text: str) -> bool:
    """Whether a JSON value stands at the beginning of a text; anything may follow it."""
    try:
        json.JSONDecoder().raw_decode(text)
    except (ValueError, RecursionError):
        return False
    return True


def _parses(text: str) -> bool:
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return True
