"""Fenced code of a Markdown text: its blocks, with their languages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_FENCE = re.compile(r"^[ \t>]*(`{3,}|~{3,})[ \t]*([^\s`{,]*)[^`]*$")


@dataclass(frozen=True)
class Block:
    """One fenced block: its language in lower case, its text, and whether its fence closes."""

    language: str
    text: str
    closed: bool


def code_blocks(text: str) -> Iterator[Block]:
    """The fenced blocks of a Markdown text; one that is never closed ends with the text.

    Source: CommonMark 0.31, section 4.5. Deviation: a fence may be indented by any amount (lists).
    """
    fence, language, body = "", "", list[str]()
    for line in text.split("\n"):
        found = _FENCE.match(line)
        if not fence and found:
            fence, language, body = found[1], found[2].lower(), []
        elif fence and found and found[1].startswith(fence) and not found[2]:
            yield Block(language, "\n".join(body), closed=True)
            fence = ""
        elif fence:
            body.append(line)
    if fence:
        yield Block(language, "\n".join(body), closed=False)
