"""Which encoding a text is in: UTF-8, UTF-16 (either order) or GB18030, from its first bytes.

A byte order mark decides. Without one, UTF-16 and GB18030 are taken only where the evidence leaves no
doubt; everything else is UTF-8, and what does not decode as such is told line by line.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable
from typing import Literal

Encoding = Literal["auto", "utf-8", "utf-16-le", "utf-16-be", "gb18030"]

MARKS: tuple[tuple[bytes, Encoding], ...] = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
SAMPLE_BYTES = 1 << 16
MIN_NUL_SHARE = 0.5  # of 16-bit units, where all other bytes are UTF-8: mostly ASCII, or a few stray NULs
MIN_PLAIN_SHARE = 0.95  # of decoded characters that are everyday ones
MIN_GB2312_SHARE = 0.8  # of non-ASCII characters; Latin-1 text decoded as GB18030 has far fewer

# ASCII, Latin-1 letters, general and CJK punctuation, kana, Han, full-width forms
_PLAIN = re.compile(r"[\t\n\r\x20-\x7e\xa0-\xff\u2010-\u203b\u3000-\u30ff\u4e00-\u9fff\uff00-\uffef]")


def byte_order_mark(start: bytes) -> tuple[Encoding, int] | None:
    """The encoding that a mark names and the mark's length, or None."""
    return next(((name, len(mark)) for mark, name in MARKS if start.startswith(mark)), None)


def recognise_wide(start: bytes) -> Encoding | None:
    """`utf-16-le` or `utf-16-be` where text without a mark is certainly that; otherwise None.

    Certain means: nearly all characters are everyday ones, and zero bytes are frequent or what is left
    without them is not UTF-8 (so a few NUL bytes do not turn UTF-8 into Han characters). Where both byte
    orders fit, the one with more ASCII is taken: ASCII read in the wrong order looks like Han characters.
    """
    sample = start[: min(SAMPLE_BYTES, len(start)) // 2 * 2]
    if len(sample) < 4:
        return None
    zeros = max(sample[0::2].count(0), sample[1::2].count(0))
    few = zeros < MIN_NUL_SHARE * len(sample) / 2
    if few and _decoded(sample.replace(b"\0", b""), "utf-8"):
        return None
    orders: tuple[Encoding, ...] = ("utf-16-le", "utf-16-be")
    scores = {order: _plainness(_decoded(sample, order)) for order in orders}
    best = max(orders, key=lambda order: scores[order])
    return best if scores[best][0] >= MIN_PLAIN_SHARE else None


def recognise_narrow(lines: Iterable[bytes]) -> Encoding | None:
    """`utf-8` or `gb18030`, whichever more of these lines can only be; None where no line decides.

    Short texts can be both (`一` in GB18030 is a Cyrillic letter in UTF-8): with most lines so, it is UTF-8.
    """
    votes = {"utf-8": 0, "gb18030": 0, "both": 0}
    seen = 0
    for line in lines:
        if line.isascii():
            continue
        narrow, chinese = bool(_decoded(line, "utf-8")), _gb2312_share(line) >= MIN_GB2312_SHARE
        if narrow or chinese:
            votes["both" if narrow and chinese else "utf-8" if narrow else "gb18030"] += 1
        seen += len(line)
        if seen > SAMPLE_BYTES:
            break
    if not votes["utf-8"] and not votes["gb18030"]:
        return None
    return "gb18030" if votes["gb18030"] >= max(votes["utf-8"] + 1, votes["both"]) else "utf-8"


def _decoded(sample: bytes, encoding: str) -> str:
    """The text, a character cut at the end left out; empty where it does not decode."""
    try:
        return codecs.getincrementaldecoder(encoding)().decode(sample)
    except UnicodeDecodeError:
        return ""


def _plainness(text: str) -> tuple[float, int]:
    """The share of everyday characters, and the number of ASCII ones."""
    return len(_PLAIN.findall(text)) / max(len(text), 1), sum(map(str.isascii, text))


def _gb2312_share(line: bytes) -> float:
    foreign = [character for character in _decoded(line, "gb18030") if not character.isascii()]
    if not foreign:
        return 0.0
    return sum(bool(character.encode("gb2312", errors="ignore")) for character in foreign) / len(foreign)
