"""Lines of a page into paragraphs, list items and headings.

A PDF says where letters stand, not what they are. Lines of one size that follow closely are a paragraph;
a line in letters larger than most of the document's is a heading; a line that begins with a bullet or a
number is an item.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from zhiling.sources.pages.pdf.page import Line

LARGER = 1.12  # times the size of most letters: a heading
MAX_HEADING_CHARACTERS = 150
MAX_LEVELS = 6
FULL = 0.75  # of the width: a line that ends before ends its paragraph
MAX_COMPARED = 50  # lines of a paragraph that tell how wide it is
CLOSE = 0.9  # times the size, between two lines of a paragraph
INDENT = 0.8  # times the size: a line that begins so far to the right begins a paragraph
_BULLET = re.compile(r"[•●○◦▪■□◆◇‣⁃∙·\uf0b7\uf0a7–—*-]\s+(?=\S)|[•●▪■◆‣\uf0b7\uf0a7]")
_NUMBER = re.compile(r"(?:\d{1,3}(?:\.\d{1,3})*[.)、]|[(（]\d{1,3}[)）]|[a-z][.)])\s*(?=\S)")
_HYPHEN = "\u00ad"
_HAN = re.compile(r"[\u2e80-\u9fff\uf900-\ufaff\u3000-\u303f\uff00-\uffef]")


@dataclass(frozen=True)
class Sizes:
    """Sizes of letters in a document: that of most, and those of headings, largest first."""

    body: float
    headings: tuple[float, ...]

    def level(self, line: Line) -> int:
        """The level of a heading; 0 for a line that is none."""
        size = line.size
        if size not in self.headings or len(line.text) > MAX_HEADING_CHARACTERS:
            return 0
        return min(self.headings.index(size) + 1, MAX_LEVELS)


def sizes(lines: Iterable[Line]) -> Sizes:
    """The sizes of these lines, each counted by its letters."""
    counts: Counter[float] = Counter()
    for line in lines:
        counts[line.size] += len(line.text)
    body = max(counts, key=lambda size: counts[size], default=0.0)
    return Sizes(body, tuple(sorted((size for size in counts if size > LARGER * body), reverse=True)))


def joined(lines: Sequence[Line]) -> str:
    """The lines as one text, without spaces between Han characters and hyphens that part a word."""
    text = ""
    for line in lines:
        following = line.text
        if text.endswith(_HYPHEN):
            text = text[:-1] + following
        elif text and following:
            between = "" if _HAN.match(text[-1]) and _HAN.match(following[0]) else " "
            text += between + following
        else:
            text = text or following
    whole = text[:-1] + "-" if text.endswith(_HYPHEN) else text
    return whole.replace(_HYPHEN, "").strip()


def paragraphs(lines: Sequence[Line]) -> Iterator[list[Line]]:
    """Lines that belong together."""
    gathered: list[Line] = []
    for line in lines:
        if gathered and not _continues(gathered, line):
            yield gathered
            gathered = []
        gathered.append(line)
    if gathered:
        yield gathered


def _continues(before: list[Line], line: Line) -> bool:
    """Whether a line goes on in the paragraph of the lines before it."""
    previous, first = before[-1], before[0]
    left = min(line.left, first.left)
    width = max(line.right, *(each.right for each in before[-MAX_COMPARED:])) - left
    close = -1.5 * line.size <= previous.bottom - line.top <= CLOSE * line.size
    short = previous.right < left + FULL * width
    indented = len(before) > 1 and line.left > max(first.left, previous.left) + INDENT * line.size
    return abs(line.size - previous.size) < 0.75 and close and not (short or indented or is_item(line.text))


def is_item(text: str) -> bool:
    """Whether a line begins as an item of a list does."""
    return bool(_BULLET.match(text) or _NUMBER.match(text))


def item(text: str) -> str:
    """An item with the mark that Markdown knows for a bullet; numbers stay."""
    bullet = _BULLET.match(text)
    return f"- {text[bullet.end() :].strip()}" if bullet else text
