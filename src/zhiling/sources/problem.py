"""Why an item of a source cannot be read, before its place is known."""

from __future__ import annotations

from dataclasses import dataclass

from zhiling.pipeline.step import Bad


@dataclass(frozen=True)
class Problem:
    """Class and message of a Bad."""

    cls: str
    message: str

    def at(self, place: str, excerpt: str = "") -> Bad:
        """The Bad item at a place."""
        return Bad(place, self.cls, self.message, excerpt)
