"""Whether words stand in a text, and what a reply quotes.

Compared are NFKC forms without case and without white space, with every dash and quotation mark as one. So a
line break of a page, a full-width digit or a straight quotation mark makes no difference; any other character
does.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from zhiling.verification.counting import words

_QUOTED = re.compile(
    r"“([^“”\n]+)”|「([^「」\n]+)」|『([^『』\n]+)』|«([^«»\n]+)»|(?<![\w\"])\"([^\"\n]+)\"(?![\w\"])"
)
_CODE = re.compile(r"```[\s\S]*?(?:```|\Z)|~~~[\s\S]*?(?:~~~|\Z)|`[^`\n]+`")
_GAP = re.compile(r"\s*(?:\[…\]|\[\.{3}\]|…+|\.{3,}|⋯+)\s*")
_MARKS = str.maketrans(dict.fromkeys("“”„«»「」『』‘’'`´", '"') | dict.fromkeys("‐‑‒–—―−", "-"))
_EDGE = '.,;:!?。，；：！？、"'


def plain(text: str) -> str:
    """The form of a text in which words are looked for."""
    folded = unicodedata.normalize("NFKC", text).casefold().translate(_MARKS)
    return "".join(folded.split())


def stands_in(piece: str, text: str) -> bool:
    """Whether a piece stands in a text; parts around … stand there in this order."""
    return _stands(piece, plain(text))


def false_quotes(reply: str, document: str, least: int) -> list[str]:
    """Quotations of a reply that do not stand in the document; a mark at their ends may be the reply's own.

    Args:
        reply: quotations in code do not count.
        document: what is quoted.
        least: fewest words (characters of Chinese) that a quotation has; shorter ones may be terms.
    """
    known = plain(document)
    return [quote for quote in quotes(reply) if words(quote) >= least and not _stands(quote, known)]


def quotes(text: str) -> Iterator[str]:
    """What stands between quotation marks, without the marks, in order."""
    for match in _QUOTED.finditer(_CODE.sub(" ", text)):
        yield match[match.lastindex or 0]


def _stands(piece: str, known: str) -> bool:
    at = 0
    for part in _GAP.split(piece):
        wanted = plain(part).strip(_EDGE)
        found = known.find(wanted, at)
        if found < 0:
            return False
        at = found + len(wanted)
    return True
