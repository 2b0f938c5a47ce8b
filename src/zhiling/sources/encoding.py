"""Which encoding a text is in: UTF-8, UTF-16 (either order) or GB18030, from its first bytes.

A byte order mark decides. Without one, UTF-16 and GB18030 are taken only where the evidence leaves no
doubt; everything else is UTF-8, and what does not decode as such is told line by line.
"""

from __future__ import annotations

import codecs
import re
from typing import Literal

Encoding = Literal["auto", "utf-8", "utf-16-le", "utf-16-be", "gb18030"]

MARKS: tuple[tuple[bytes, Encoding], ...] = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
SAMPLE_BYTES = 1 << 16
MIN_NUL_SHARE = 0.05  # of 16-bit units: JSON and CSV hold more ASCII than that; UTF-8 text holds no NUL
MIN_PLAIN_SHARE = 0.95  # of decoded characters that are everyday ones
MIN_GB2312_SHARE = 0.8  # of non-ASCII characters; Latin-1 text decoded as GB18030 has far fewer

# ASCII, Latin-1 letters, general and CJK punctuation, kana, Han, full-width forms
_PLAIN = re.compile(r"[\t\n\r\x20-\x7e\xa0-\xff\u2010-\u203b\u3000-\u30ff\u4e00-\u9fff\uff00-\uffef]")


def byte_order_mark(start: bytes) -> tuple[Encoding, int] | None:
    """The encoding that a mark names and the mark's length, or None."""
    return next(((name, len(mark)) for mark, name in MARKS if start.startswith(mark)), None)


def recognise_wide(start: bytes) -> Encoding | None:
    """`utf-16-le` or `utf-16-be` where text without a mark is certainly that; otherwise None.

    Certain means: it decodes, holds neither NUL nor control characters, nearly all characters are
    everyday ones, and either zero bytes stand in one byte order only and often, or it is not UTF-8.
    """
    sample = start[: min(SAMPLE_BYTES, len(start)) // 2 * 2]
    if len(sample) < 4:
        return None
    zeros_high, zeros_low = sample[0::2].count(0), sample[1::2].count(0)
    if zeros_high and zeros_low:
        return None
    frequent = max(zeros_high, zeros_low) >= MIN_NUL_SHARE * len(sample) / 2
    if not frequent and _decodes(sample, "utf-8"):
        return None
    orders: tuple[Encoding, ...] = ("utf-16-le", "utf-16-be")
    if zeros_high or zeros_low:
        orders = ("utf-16-be",) if zeros_high else ("utf-16-le",)
    return next((order for order in orders if _plain_share(sample, order) >= MIN_PLAIN_SHARE), None)


def recognise_narrow(sample: bytes) -> Encoding:
    """`gb18030` where most lines with non-ASCII bytes are that and not UTF-8; otherwise `utf-8`."""
    votes = {"utf-8": 0, "gb18030": 0}
    for line in sample[:SAMPLE_BYTES].splitlines()[:-1] or [sample]:
        if line.isascii():
            continue
        if _decodes(line, "utf-8"):
            votes["utf-8"] += 1
        elif _gb2312_share(line) >= MIN_GB2312_SHARE:
            votes["gb18030"] += 1
    return "gb18030" if votes["gb18030"] > votes["utf-8"] else "utf-8"


def _decodes(sample: bytes, encoding: str) -> bool:
    try:
        codecs.getincrementaldecoder(encoding)().decode(sample)  # a character cut at the end is no error
    except UnicodeDecodeError:
        return False
    return True


def _plain_share(sample: bytes, encoding: str) -> float:
    try:
        text = codecs.getincrementaldecoder(encoding)().decode(sample)
    except UnicodeDecodeError:
        return 0.0
    return len(_PLAIN.findall(text)) / len(text) if text else 0.0


def _gb2312_share(line: bytes) -> float:
    try:
        text = codecs.getincrementaldecoder("gb18030")().decode(line)
    except UnicodeDecodeError:
        return 0.0
    foreign = [character for character in text if not character.isascii()]
    if not foreign:
        return 0.0
    return sum(bool(character.encode("gb2312", errors="ignore")) for character in foreign) / len(foreign)
