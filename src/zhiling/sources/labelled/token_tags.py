"""Tagged tokens as text with spans: where each token stands, and the entities that the tags name.

Reads IOB1, IOB2, BIOES and BILOU tags, and bare labels (neighbours with one label are one entity).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

OPENS = frozenset("BSU")
GOES_ON = frozenset("IEL")
CLOSES = frozenset("SUEL")


def spans(tags: Sequence[str], places: Sequence[tuple[int, int]]) -> list[dict[str, Any]]:
    """The entities as `{"message": 0, "start", "end", "label"}`, in the order of the text."""
    found: list[dict[str, Any]] = []
    open_label: str | None = None
    for tag, (start, end) in zip(tags, places, strict=True):
        prefix, label = _split(tag)
        if label is None:
            open_label = None
            continue
        if open_label == label and prefix not in OPENS:
            found[-1]["end"] = end
        else:
            found.append({"message": 0, "start": start, "end": end, "label": label})
        open_label = None if prefix in CLOSES else label
    return found


@lru_cache(maxsize=10_000)
def _split(tag: str) -> tuple[str, str | None]:
    """`B-PER` → (`B`, `PER`); a bare label has no prefix; `O` and an empty tag have no label."""
    if tag in ("O", ""):
        return "", None
    if len(tag) > 2 and tag[1] in "-_" and (tag[0] in OPENS or tag[0] in GOES_ON):
        return tag[0], tag[2:]
    return "", tag
