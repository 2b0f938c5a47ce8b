"""How the records of a set are to be read: what the settings say, and what the first records show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from zhiling.sources.labelled.example import Unreadable

Ends = Literal["auto", "exclusive", "inclusive"]
Mismatch = Literal["bad", "relocate"]
AnswerAs = Literal["auto", "letter", "text", "index", "number"]


@dataclass(frozen=True, slots=True)
class Manner:
    """What readers need to know beside a record; see the settings of `Labelled`.

    Attributes:
        ends: whether a span's end is the first character behind it or its last one.
        mismatch: what becomes of a place whose text is not what the record says.
        answer_as: how a right option is told.
        absent_is_none: whether a record that says nothing has no label, entity or answer.
        missing: labels that say that there is none.
        separator: between several labels in one text.
        names: label as the file spells it → its name; empty: labels are names.
        languages: of a translation's source and target.
    """

    ends: Ends = "auto"
    mismatch: Mismatch = "bad"
    answer_as: AnswerAs = "auto"
    absent_is_none: bool = False
    missing: frozenset[str] = frozenset()
    separator: str | None = None
    names: Mapping[str, str] = field(default_factory=dict[str, str])
    languages: tuple[str, str] | None = None

    def label(self, spelled: str) -> str:
        """The label's name.

        Raises:
            Unreadable: `unknown_label`, where labels have names and this one has not.
        """
        if not self.names:
            return spelled
        name = self.names.get(spelled)
        if name is None:
            some = ", ".join(list(self.names)[:20])
            raise Unreadable("unknown_label", f"label {spelled!r} has no name under `names` (known: {some})")
        return name
