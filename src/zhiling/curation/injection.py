"""Injection: does a text give orders to the model that reads it."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import ClassVar

import numpy as np
import polars as pl

from zhiling.curation.phrases import any_of
from zhiling.curation.stray_request import stray_requests
from zhiling.pipeline.step import Context, Measure
from zhiling.rows.conversation import flatten
from zhiling.text.characters import IGNORED_PATTERN

RULES = "injection_rules.toml"
DOCUMENTS = ("document", "tool")
"""Roles whose text is read as data: whoever gives orders there is no user."""
_STRAY, _STRAY_WEIGHT = "stray_request", 0.6


@dataclass(frozen=True)
class Rule:
    """One sign of an injection."""

    name: str
    weight: float
    """How sure one hit of this rule makes, 0 to 1."""
    pattern: str
    documents_only: bool


class Injection(Measure):
    """Writes how strongly the texts of a row look like orders to a language model, 0 to 1, and by which rule.

    All messages but the system's are searched: weighted patterns in English and Chinese for orders to forget
    instructions, to reveal the prompt, to play a part without rules, for forged role markup, and for texts
    that speak to a model. In documents and tool results also orders about the reply ("add to your answer"),
    and requests that have no word in common with the text around them (`stray_request`). `pattern` is the
    heaviest rule that was met, null if there was none. Width, invisible characters and line breaks do not
    hide a pattern. The step `quarantine` rejects by this score.
    """

    name: ClassVar[str] = "injection"
    version: ClassVar[int] = 2
    material: ClassVar[bool] = True
    cost: ClassVar[str] = "about 0.1 ms per kilobyte"
    limits: ClassVar[str] = (
        "An order that fits its document (a request in a mail about the same matter), inside a paragraph or "
        "in a table's cell passes, and so do encoded text and other languages. Texts about prompt injection, "
        "and a closing question of a web page in words of its own, are found as well. A manual is full of "
        "requests: some 4 % of its passages score 0.6 by `stray_request` alone, so reject above that there."
    )

    def writes(self) -> dict[str, pl.DataType]:
        """The joined weight of all rules met, and the name of the heaviest."""
        return {"score": pl.Float64(), "pattern": pl.String()}

    def measure(self, rows: pl.DataFrame, context: Context) -> pl.DataFrame:
        """`score` and `pattern` of each row."""
        lines = flatten(rows["messages"]).filter(pl.col("role") != "system")
        # Widths are folded and hidden characters removed; line breaks stay, some rules look at line starts.
        text = lines["text"].fill_null("").str.replace_all(IGNORED_PATTERN, "").str.normalize("NFKC")
        joined = text.str.replace_all(r"\s+", " ")
        read_as_data = lines["role"].is_in(DOCUMENTS)
        clean = np.ones(rows.height)
        heaviest = np.full(rows.height, -1, dtype=np.int64)
        for place, rule in reversed(list(enumerate(_rules()))):
            if rule.name == _STRAY:
                hits = stray_requests(text, read_as_data)
            else:
                hits = text.str.contains(rule.pattern) | joined.str.contains(rule.pattern)
                hits &= read_as_data | (not rule.documents_only)
            met = np.unique(lines["row"].filter(hits).to_numpy())
            clean[met] *= 1 - rule.weight
            heaviest[met] = place  # rules come lightest first here, so the heaviest writes last
        names = pl.Series([rule.name for rule in _rules()], dtype=pl.String)
        place = pl.Series(heaviest).replace(-1, None).cast(pl.UInt32)
        return pl.DataFrame({"score": 1 - clean, "pattern": names.gather(place)})


@cache
def _rules() -> tuple[Rule, ...]:
    """All rules, the heaviest first, ties by name."""
    entries = tomllib.loads((files("zhiling.curation") / RULES).read_text(encoding="utf-8"))["rule"]
    rules = [
        Rule(
            entry["name"], float(entry["weight"]), any_of(entry["patterns"]), entry.get("only") == "documents"
        )
        for entry in entries
    ]
    rules.append(Rule(_STRAY, _STRAY_WEIGHT, "", documents_only=True))
    return tuple(sorted(rules, key=lambda rule: (-rule.weight, rule.name)))
