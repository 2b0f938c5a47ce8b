"""HTML entities in plain text, whole (`&#39;`) or torn (` #39;`: the & became a space), and their meaning."""

from __future__ import annotations

import re
import tomllib
from functools import cache
from html import unescape
from html.entities import html5
from importlib.resources import files

from zhiling.curation.rewriting import Piece, Taken

TORN_NAMES = "quot|amp|lt|gt|apos|nbsp|hellip|mdash|ndash|lsquo|rsquo|ldquo|rdquo|middot|bull|copy|reg|trade"
_TORN_NUMBERS = "34|36|38|39|60|62|96|14[5-9]|15[0-3]|160|163|169|174|176|82(?:1[1267]|2[0126]|30)|8364|8482"
_ENTITY = re.compile(r"&(?:amp;)*(?:#\d{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
# A colon before it makes ` #151;` a colour of CSS.
_TORN = re.compile(rf"(?<![:=,(]) #(?:{_TORN_NUMBERS});| (?:{TORN_NAMES});")
_TAG = re.compile(
    r"</[a-z][\w-]*>|<(?:a|b|br|body|div|h\d|head|html|hr|i|img|input|li|p|span|table|td|tr|ul)\b[^<>]*>",
    re.IGNORECASE,
)
# Fenced code, inline code, web addresses: as in `prose`, for Python.
_PROTECTED = re.compile(
    r"```[\s\S]*?(?:```|\Z)|~~~[\s\S]*?(?:~~~|\Z)|`[^`\n]+`|(?:https?|ftp)://[^\s<>\u3000-\u9fff\uff00-\uffef]+"
)


def entities(text: str) -> list[Piece]:
    """The entities of a text and what they stand for; none overlapping.

    Left out are those in code and web addresses, in a text with HTML tags and in a text about entities.
    """
    if ";" not in text or _TAG.search(text) or _about_entities().search(text):
        return []
    found = [(match.span(), resolved(match[0])) for match in _ENTITY.finditer(text)]
    found += [
        (match.span(), resolved("&" + match[0][1:]))
        for match in _TORN.finditer(text)
        if not ("#" in match[0] and _numbered().search(text, max(match.start() - 16, 0), match.start()))
    ]
    taken = Taken(match.span() for match in _PROTECTED.finditer(text)) if found else Taken()
    return sorted((*place, new) for place, new in found if new is not None and taken.take(*place))


def resolved(entity: str) -> str | None:
    """What an entity stands for (`&amp;amp;lt;`: `<`); a no-break space is a space; None: no character."""
    bare = "&" + entity[1:].removesuffix(";").split(";")[-1] + ";"
    if bare[1] != "#" and bare[1:] not in html5:
        return None
    text = unescape(bare)
    if not text or "\ufffd" in text or not text.isprintable():
        return " " if text == "\u00a0" else None
    return text


@cache
def _marks() -> dict[str, str]:
    return tomllib.loads((files("zhiling.curation") / "damage_marks.toml").read_text(encoding="utf-8"))


@cache
def _about_entities() -> re.Pattern[str]:
    return re.compile(_marks()["about_entities"])


@cache
def _numbered() -> re.Pattern[str]:
    return re.compile(_marks()["numbered"])
