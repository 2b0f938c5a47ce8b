"""All damage that encodings do to a text: what it is, and the text without it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from zhiling.curation.entities import TORN_NAMES, entities
from zhiling.curation.mojibake import gbk_signs, mojibake, reads_as_gbk
from zhiling.curation.rewriting import Piece, Rewritten, Taken, one_edit, replaced

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f]")


def suspicious() -> str:
    """Polars expression that every text with damage matches; all others are never looked at."""
    return (
        rf"&(?:amp;)*(?:#|[A-Za-z])[A-Za-z0-9]{{1,31}};| (?:#\d+|{TORN_NAMES});"
        r"|[\x00-\x08\x0B\x0E-\x1F\x7F-\x{9F}]"
        r"|[\x{A1}-\x{24F}\x{370}-\x{52F}\x{2500}-\x{257F}√∆][^\x00-\x7F]|[ÃÂà] "
        rf"|{gbk_signs()}"
    )


def mended(text: str) -> Rewritten:
    """The text with entities resolved, mojibake decoded and control characters removed; idempotent."""
    first = replaced(text, _pieces(text))
    if not first.edits or not (again := _pieces(first.text)):
        return first
    # Damage beneath damage is rare; then one edit spans all of it.
    final = first.text
    while again:
        final = replaced(final, again).text
        again = _pieces(final)
    return one_edit(text, final)


def problems(text: str) -> Iterator[str]:
    """Which kinds of damage a text has: `mojibake`, `html_entities`, `control_characters`."""
    if mojibake(text) or reads_as_gbk(text):
        yield "mojibake"
    if entities(text):
        yield "html_entities"
    if _control_characters(text):
        yield "control_characters"


def _control_characters(text: str) -> list[Piece]:
    return [(*match.span(), "") for match in _CONTROL.finditer(text)]


def _pieces(text: str) -> list[Piece]:
    """All that is to be replaced, in order; where two overlap, the entity or the earlier kind wins."""
    taken = Taken()
    found = [*entities(text), *mojibake(text), *_control_characters(text)]
    return sorted(piece for piece in found if taken.take(*piece[:2]))
