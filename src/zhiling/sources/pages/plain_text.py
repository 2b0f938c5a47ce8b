"""Plain text into sections, by the headings that people write without markup.

A heading is a line between blank lines (or at the start) that is underlined, in capitals, or numbered
as a chapter (`1. Scope`, `第三章 …`, `一、…`), short, and not a sentence.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from zhiling.sources.pages.passages import Document
from zhiling.sources.pages.sections import SectionBuilder

MAX_HEADING_CHARACTERS = 60
_UNDERLINE = re.compile(r"(=|-|~){3,}")
_NUMBERED = re.compile(
    r"(\d+(\.\d+)*[.)]?\s+\S|第[一二三四五六七八九十百\d]+[章节条部]|[一二三四五六七八九十]+[、.]|【[^】]+】$)"
)
_SENTENCE_END = ".。!！?？;；,，:：…"


def read_plain_text(lines: Iterable[tuple[int, str]]) -> Document:
    """The document that these numbered lines hold; its title is its first heading."""
    builder = SectionBuilder()
    block: list[tuple[int, str]] = []
    first = True
    for number, line in [*lines, (0, "")]:
        if line.strip():
            block.append((number, line.rstrip()))
        elif block:
            _take(builder, block, first)
            block, first = [], False
    return builder.document()


def _take(builder: SectionBuilder, block: list[tuple[int, str]], first: bool) -> None:
    number, line = block[0]
    text = line.strip()
    if len(block) > 1 and _UNDERLINE.fullmatch(block[1][1].strip()) and len(text) <= MAX_HEADING_CHARACTERS:
        builder.heading(1 if "=" in block[1][1] else 2, text, number)
        block = block[2:]
    elif len(block) == 1 and _is_heading(line, first):
        builder.heading(1 if first else 2, text, number)
        return
    if block:
        builder.paragraph("\n".join(line for _, line in block), block[0][0])


def _is_heading(line: str, first: bool) -> bool:
    text = line.strip()
    if line != text or len(text) > MAX_HEADING_CHARACTERS or text[-1] in _SENTENCE_END:
        return False
    return first or text.isupper() or bool(_NUMBERED.match(text))
