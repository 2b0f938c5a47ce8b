"""Text that was read in the wrong encoding, and what it says.

Three ways of it: UTF-8 read as Windows-1252, Mac, code page 437 or another single-byte encoding (found and
decoded by ftfy), GBK read as Latin-1, and UTF-8 read as GBK. The last two are told by what they decode into:
ordinary Chinese, which no chance makes.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from functools import cache
from importlib.resources import files
from typing import Any

from zhiling.curation.rewriting import Piece, one_edit, replaced
from zhiling.errors import MissingExtra

_FREQUENT_SHARE = 0.25  # of running Chinese text about half is written in the 300 most frequent characters
_LATIN_PAIRS = 4  # shorter runs of accented capitals and signs do occur
_CHINESE_SIGNS = "—…“”‘’·"


def mojibake(text: str) -> list[Piece]:
    """The damaged stretches of a text and what they say, line by line; none overlapping."""
    found: list[Piece] = []
    for match in re.finditer(r"[^\n]+", text):
        line, start = match[0], match.start()
        if not line.isascii():
            pieces = _single_bytes(line) or _utf8_gbk(line)
            found += [(start + low, start + high, new) for low, high, new in pieces]
    return found


def reads_as_gbk(text: str) -> bool:
    """Whether a text is full of what UTF-8 becomes as GBK, also where it cannot be decoded any more.

    That is: four signs of it, three different ones, and a tenth of all characters beyond ASCII.
    """
    signs = re.findall(f"[{_marks()['utf8_as_gbk']}]", text)
    beyond = len(re.sub(r"[\x00-\x7f]", "", text))
    return len(signs) >= 4 and len(set(signs)) >= 3 and 10 * len(signs) >= beyond


def gbk_signs() -> str:
    """Polars expression for a text that may be UTF-8 read as GBK: two characters hardly used otherwise."""
    signs = _marks()["utf8_as_gbk"]
    return f"[{signs}][^\\n]*[{signs}]"


def lost_characters() -> str:
    """Polars expression for what is left of characters that were lost."""
    return "|".join(_marks()["lost"])


def _single_bytes(line: str) -> list[Piece]:
    """UTF-8 or GBK read as a single-byte encoding."""
    utf8 = _single_byte(line)
    # Bytes of UTF-8 can be pairs of GBK as well, and the other way round; what is wrong leaves Latin signs.
    if utf8 and not any("\x80" <= sign <= "\xff" for sign in replaced(line, utf8).text):
        return utf8
    return _latin_gbk(line) or utf8


def _single_byte(line: str) -> list[Piece]:
    """What ftfy decodes: run by run where that gives the whole line, else the line in one piece."""
    fix = _ftfy()
    fixed = fix(line)
    if fixed == line:
        return []
    runs = re.finditer(r"[^\x00-\x7f](?:[^\x00-\x7f]| (?=[^\x00-\x7f]))*", line)
    pieces = [(*run.span(), new) for run in runs if (new := fix(run[0])) != run[0]]
    if replaced(line, pieces).text == fixed:
        return pieces
    start, end, length = one_edit(line, fixed).edits[0]
    return [(start, end, fixed[start : start + length])]


def _latin_gbk(line: str) -> list[Piece]:
    """GBK read as Latin-1: pairs of signs from ¡ to þ."""
    runs = re.finditer(r"(?:[\u00a1-\u00fe]{2})+", line)
    found = [(*run.span(), new) for run in runs if (new := _decoded(run[0], "latin-1", "gb2312"))]
    text = "".join(new for _, _, new in found)
    letters = sum(map(str.isalpha, "".join(line[low:high] for low, high, _ in found)))
    plausible = len(text) >= _LATIN_PAIRS and 2 * letters >= len(text) and _is_chinese(text)
    return found if plausible else []


def _utf8_gbk(line: str) -> list[Piece]:
    """UTF-8 read as GBK."""
    if not _gbk_signs().search(line):
        return []
    found: list[Piece] = []
    for run in re.finditer(r"[^\x00-\x7f]{3,}", line):
        chinese = _decoded(run[0], "gb18030", "utf-8")
        if chinese and _is_chinese(chinese):
            found.append((*run.span(), chinese))
    return found


def _decoded(text: str, wrong: str, right: str) -> str | None:
    try:
        return text.encode(wrong).decode(right)
    except UnicodeError:
        return None


def _is_chinese(text: str) -> bool:
    frequent = sum(sign in _marks()["frequent"] for sign in text)
    return frequent >= _FREQUENT_SHARE * len(text) and all(
        sign > "\u2e7f" or sign in _CHINESE_SIGNS for sign in text
    )


@cache
def _marks() -> dict[str, Any]:
    return tomllib.loads((files("zhiling.curation") / "damage_marks.toml").read_text(encoding="utf-8"))


@cache
def _gbk_signs() -> re.Pattern[str]:
    return re.compile(gbk_signs())


@cache
def _ftfy() -> Callable[[str], str]:
    try:
        from ftfy import fix_encoding
    except ModuleNotFoundError as error:
        raise MissingExtra("curation", "ftfy") from error
    return fix_encoding
