"""Injection: does a text give orders to the model that reads it."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import ClassVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

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
    and requests that have no word in common with the text around them (`stray_request`). Weak signs (a part
    to play, standing orders, forbidden content) count where several stand in one message. `pattern` is the
    heaviest rule that the worst message met, null if there was none. Width, invisible characters and line
    breaks do not hide a pattern. The step `quarantine` rejects by this score.
    """

    name: ClassVar[str] = "injection"
    version: ClassVar[int] = 3
    material: ClassVar[bool] = True
    cost: ClassVar[str] = "about 0.2 ms per kilobyte"
    limits: ClassVar[str] = (
        "An order that fits its document (a request in a mail about the same matter), inside a paragraph, in "
        "a list or in a table's cell passes, and so do encoded text, other languages and an attack that is "
        "spread over several messages. Texts about prompt injection, and a closing question of a web page in "
        "words of its own, are found as well: `stray_request` alone scores 0.6, so reject above that where "
        "documents are full of requests."
    )

    def writes(self) -> dict[str, pl.DataType]:
        """The joined weight of all rules that the worst message met, and the name of the heaviest."""
        return {"score": pl.Float64(), "pattern": pl.String()}

    def measure(self, rows: pl.DataFrame, context: Context) -> pl.DataFrame:
        """`score` and `pattern` of each row."""
        lines = flatten(rows["messages"]).filter(pl.col("role") != "system")
        # Widths are folded and hidden characters removed; line breaks stay, some rules look at line starts.
        text = lines["text"].fill_null("").str.replace_all(IGNORED_PATTERN, "").str.normalize("NFKC")
        joined = text.str.replace_all(r"\s+", " ")
        read_as_data = lines["role"].is_in(DOCUMENTS)
        clean = np.ones(len(text))
        heaviest = np.full(len(text), -1, dtype=np.int64)
        for place, rule in reversed(list(enumerate(_rules()))):
            if rule.name == _STRAY:
                met = stray_requests(text, read_as_data).to_numpy()
            else:
                met = _holding(rule.pattern, text, joined, read_as_data | (not rule.documents_only))
            clean[met] *= 1 - rule.weight
            heaviest[met] = place  # rules come lightest first here, so the heaviest writes last
        return _of_rows(rows.height, lines["row"], 1 - clean, heaviest)


def _holding(pattern: str, text: pl.Series, joined: pl.Series, among: pl.Series) -> NDArray[np.bool_]:
    """Which of these texts match as they are, or with their line breaks as spaces."""
    frame = pl.DataFrame({"text": text, "joined": joined}).filter(among)
    broken = pl.when(pl.col("text") != pl.col("joined")).then("joined")  # others cannot differ
    hit = pl.col("text").str.contains(pattern) | broken.str.contains(pattern).fill_null(value=False)
    found = np.zeros(len(text), dtype=np.bool_)
    found[among.to_numpy()] = frame.select(hit).to_series().to_numpy()
    return found


def _of_rows(
    height: int, row: pl.Series, score: NDArray[np.float64], rule: NDArray[np.int64]
) -> pl.DataFrame:
    """The score of each row's worst message, and the name of the rule that weighed most in it."""
    worst = pl.DataFrame({"row": row, "score": score, "rule": rule}).sort(
        "score", "rule", descending=[True, False]
    )
    worst = worst.unique("row", keep="first", maintain_order=True).with_columns(pl.col("row").cast(pl.Int64))
    every = pl.DataFrame({"row": np.arange(height)}).join(worst, on="row", how="left", maintain_order="left")
    names = pl.Series([rule.name for rule in _rules()], dtype=pl.String)
    place = every["rule"].replace(-1, None).cast(pl.UInt32)
    return pl.DataFrame({"score": every["score"].fill_null(0.0), "pattern": names.gather(place)})


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
