"""Text that was read in the wrong encoding, and what it says.

Three ways of it: UTF-8 read as Windows-1252, Mac, code page 437 or another single-byte encoding (found and
decoded by ftfy), GBK read as Latin-1, and UTF-8 read as GBK. The last two are told by what they decode into:
ordinary Chinese, which chance does not make.
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

_COMMON_SHARE = 0.8  # of the characters: running text has 99 % of them in the first level of GB 2312
_LATIN_PAIRS = 4  # shorter runs of accented capitals and signs do occur
_LEAST_SIGNS = 5  # a few are ordinary in traditional Chinese
_SIGN_SHARE = 0.2  # UTF-8 read as GBK has a third of its characters in `_signs`, other text .001


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
    """Whether a text is full of what UTF-8 becomes as GBK, also where it cannot be decoded any more."""
    signs = re.findall(f"[{_signs()}]", text)
    several = len(signs) >= _LEAST_SIGNS and len(set(signs)) >= 3
    return several and len(signs) >= _SIGN_SHARE * len(re.sub(r"[\x00-\x7f]", "", text))


def gbk_signs() -> str:
    """Polars expression for a text that may be UTF-8 read as GBK: two rare characters in one line."""
    return f"[{_signs()}][^\\n]*[{_signs()}]"


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
    return found if plausible and any(sign in _marks()["frequent"] for sign in text) else []


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
    """Whether a text is written in common characters and punctuation of Chinese, ASCII apart."""
    beyond = [sign for sign in text if not sign.isascii()]
    return sum(map(_is_common, beyond)) >= _COMMON_SHARE * len(beyond) > 0


def _is_common(sign: str) -> bool:
    """Whether GB 2312 has this among its punctuation (rows 1 and 3) or common characters (rows 16 to 55)."""
    row = (sign.encode("gb2312", "ignore") or b"\0")[0] - 0xA0
    return row in (1, 3) or 16 <= row <= 55


@cache
def _signs() -> str:
    """Characters that the first two bytes of Chinese in UTF-8 (E4 to E9, then 80 to BF) are in GBK."""
    pairs = (bytes((lead, trail)) for lead in range(0xE4, 0xEA) for trail in range(0x80, 0xC0))
    return "".join(pair.decode("gb18030") for pair in pairs)


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
