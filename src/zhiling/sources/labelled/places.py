"""Places in a text: ends inclusive or not, checked against what the record says that stands there."""

from __future__ import annotations

from collections.abc import Iterable

from zhiling.sources.labelled.example import Unreadable
from zhiling.sources.labelled.manner import Ends, Mismatch


def ends_of(claims: Iterable[tuple[str, int, int, str]]) -> Ends:
    """How ends are told, by the majority of these places; `auto` where none of them shows it.

    Args:
        claims: text, start, end and the surface that should stand there. No claim fits both ways, because
            a surface has one length.
    """
    votes = {"exclusive": 0, "inclusive": 0}
    for text, start, end, surface in claims:
        if text[start:end] == surface:
            votes["exclusive"] += 1
        elif text[start : end + 1] == surface:
            votes["inclusive"] += 1
    if votes["exclusive"] == votes["inclusive"] == 0:
        return "auto"
    return "exclusive" if votes["exclusive"] >= votes["inclusive"] else "inclusive"


def located(
    text: str, start: int, end: int, surface: str | None = None, mismatch: Mismatch = "bad"
) -> tuple[int, int]:
    """Where a piece stands, end exclusive.

    A piece that is not where the record says is found again where `mismatch` is `relocate` and the text
    holds its surface exactly once.

    Raises:
        Unreadable: `span_outside` the text, `span_mismatch` with both texts.
    """
    inside = 0 <= start < end <= len(text)
    if inside and (surface is None or text[start:end] == surface):
        return start, end
    if surface and mismatch == "relocate":
        found = text.find(surface)
        if found >= 0 and text.find(surface, found + 1) < 0:
            return found, found + len(surface)
    if not inside:
        message = f"span {start}–{end} does not fit a text of {len(text)} characters"
        raise Unreadable("span_outside", message)
    hint = "not found exactly once" if mismatch == "relocate" else "`mismatch: relocate` searches it"
    message = f"at {start}–{end} stands {text[start:end]!r:.80}, not {surface!r:.80} ({hint})"
    raise Unreadable("span_mismatch", message)
