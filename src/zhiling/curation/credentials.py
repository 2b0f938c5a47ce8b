"""Finds what opens a door: private keys, tokens, connection strings and passwords that a text gives away."""

from __future__ import annotations

import math
import re
import tomllib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal

from zhiling.curation.rewriting import Taken

Class = Literal["private_key", "token", "connection_string", "assigned"]
CLASSES: tuple[Class, ...] = ("private_key", "connection_string", "token", "assigned")
_LEAST_LENGTH = 3
# What stands where a secret would be: placeholders, references to a setting, types and calls of code.
_NO_SECRET = re.compile(
    r"example|placeholder|your|xxx|\*\*\*|\.\.\.|changeme|redacted|dummy|1234567890abc"
    r"|^(?:os|process|env|config|settings|self|this|request|req|args|params|data|user|input|string|str|none|null)\b"
    r"|^[a-z]+(?:[._][a-z]+)+$|^(?:SECRET|TOKEN|PASSWORD|KEY)_?\d+$",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Credential:
    """One secret: `text[start:end]`."""

    start: int
    end: int
    kind: Class


@dataclass(frozen=True)
class _Rule:
    kind: Class
    signs: str
    pattern: re.Pattern[str]
    entropy: float = 0.0
    """Bits a character that the value must have at least."""
    least: int = _LEAST_LENGTH


def credentials(text: str) -> list[Credential]:
    """The secrets of a text, none overlapping: where two rules meet, the earlier one has it. Wants ASCII."""
    taken = Taken()
    return [found for found in _matches(text) if taken.take(found.start, found.end)]


def _matches(text: str) -> Iterator[Credential]:
    for rule in _rules():
        for match in rule.pattern.finditer(text):
            start, end = match.span("value" if "value" in rule.pattern.groupindex else 0)
            value = text[start:end]
            if end - start < rule.least or (rule.entropy and entropy_bits(value) < rule.entropy):
                continue
            if rule.kind == "connection_string" or not _NO_SECRET.search(value):
                yield Credential(start, end, rule.kind)


def entropy_bits(text: str) -> float:
    """Shannon entropy of the characters of a text, bits a character: 0 for `aaaa`, 2 for `abcd`."""
    counts = Counter(text)
    return -sum(n / len(text) * math.log2(n / len(text)) for n in counts.values())


def signs() -> str:
    """Polars expression that every text with a secret matches."""
    return "|".join(dict.fromkeys(f"(?:{rule.signs})" for rule in _rules()))


@cache
def _rules() -> tuple[_Rule, ...]:
    content = (files("zhiling.curation") / "secret_patterns.toml").read_text(encoding="utf-8")
    return tuple(
        _Rule(
            rule["class"],
            rule["signs"],
            re.compile(rule["pattern"], re.ASCII),
            float(rule.get("entropy", 0.0)),
            int(rule.get("least", _LEAST_LENGTH)),
        )
        for rule in tomllib.loads(content)["rule"]
    )
