"""Typed placeholders for personal data, numbered within a conversation."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from zhiling.curation.personal_data import Finding, Kind, find
from zhiling.curation.pseudonyms import pseudonym
from zhiling.curation.rewriting import Rewritten, replaced

LABELS: Mapping[Kind, str] = {
    "email": "EMAIL",
    "phone": "PHONE",
    "card": "CARD",
    "resident_id": "ID",
    "ssn": "SSN",
    "iban": "IBAN",
    "ip": "IP",
    "secret": "SECRET",
    "url": "URL",
    "person": "PERSON",
    "address": "ADDRESS",
}

PLACEHOLDER = re.compile(r"\[([A-Z]+)_(\d{1,9})\]")


@dataclass
class Numbering:
    """Which placeholder stands for which value, in one conversation or group."""

    given: dict[tuple[str, str], str] = field(default_factory=dict)
    pseudonyms: int | None = None
    """Seed of invented names for people; None: they get placeholders."""
    last: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))

    def reserve(self, text: str) -> None:
        """Placeholders that stand in the text already keep their numbers."""
        for label, number in PLACEHOLDER.findall(text):
            self.last[label] = max(self.last[label], int(number))

    def placeholder(self, finding: Finding) -> str:
        """What stands for a value: the same for the same value, else the next number of its label."""
        label = LABELS[finding.kind]
        key = label, finding.value
        if key not in self.given and finding.kind == "person" and self.pseudonyms is not None:
            self.given[key] = pseudonym(finding.value, self.pseudonyms, set(self.given.values()))
        elif key not in self.given:
            self.last[label] += 1
            self.given[key] = f"[{label}_{self.last[label]}]"
        return self.given[key]


def rewrite(text: str, kinds: frozenset[Kind], numbering: Numbering) -> Rewritten:
    """The text with each finding replaced by its placeholder."""
    found = find(text, kinds)
    return replaced(text, ((each.start, each.end, numbering.placeholder(each)) for each in found))
