"""Flags rows that insult, threaten or despise people."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import Any, ClassVar, Literal

import numpy as np
import polars as pl
from pydantic import Field

from zhiling.curation.by_reason import by_reason
from zhiling.curation.phrases import any_of
from zhiling.pipeline.step import Bound, Context, Decide, Verdict
from zhiling.rows.conversation import flatten
from zhiling.text.characters import IGNORED_PATTERN

_FILE = "toxic_words.toml"
_DISGUISES = {"a": "a@4", "e": "e3", "i": "i1!", "o": "o0", "s": "s$5", "t": "t7", "u": "uv"}
_GAP = r"[ .\-_]"
_COUNTED = 3
"""Hits of one class beyond this add nothing: a long text is no surer than a short one."""


class Reason(StrEnum):
    """The heaviest class that was met."""

    THREAT = "threat"
    CONTEMPT = "contempt"
    INSULT = "insult"
    PROFANITY = "profanity"


class Toxicity(Decide):
    """Flags rows with threats, contempt for groups, insults or coarse words, in English and Chinese.

    Score, 0 to 1: each hit of a class makes surer by its weight (threat .8, contempt .7, insult .6,
    profanity .4), joined as 1 - (1 - a)(1 - b)…, at most three hits a class. So one coarse word alone stays
    below the default bound, two or an insult do not. Words are found in disguise as well: `sh1t`, `f u c k`,
    `fuuuck`, `f*ck`, 傻*逼. Reason: the heaviest class met. The score is stored for all rows, so that the
    bound can be moved and `calibrate` can set it. Rows are flagged, not removed, unless `verdict` says so.
    """

    name: ClassVar[str] = "toxicity"
    material: ClassVar[bool] = True
    cost: ClassVar[str] = "about 0.2 ms per kilobyte"
    limits: ClassVar[str] = (
        "Knows words, not intent: quotations, novels, complaints and texts about abuse are flagged, and "
        "politely worded contempt, irony, dog whistles and slurs (none are listed) pass. Other languages are "
        "not searched. No public truth exists here: only alarms on natural rows are measured."
    )
    Reason: ClassVar[type[StrEnum]] = Reason
    bounds: ClassVar[tuple[Bound, ...]] = (Bound("at_most", acts="above", loosest=0.0),)

    at_most: float = Field(0.5, ge=0, le=1, description="A row above this is flagged.")
    on: Literal["reply", "all"] = Field("all", description="Assistant turns alone, or all but the system's.")
    verdict: Literal["flag", "review", "reject"] = Field("flag", description="What happens to a toxic row.")

    def decide(self, rows: pl.DataFrame, context: Context) -> pl.DataFrame:
        """Verdicts by score."""
        lines = flatten(rows["messages"]).filter(
            pl.col("role") == "assistant" if self.on == "reply" else pl.col("role") != "system"
        )
        text = lines["text"].fill_null("").str.replace_all(IGNORED_PATTERN, "").str.normalize("NFKC")
        owner = lines["row"].to_numpy()
        counts = {
            kind: np.bincount(owner, text.str.count_matches(each.pattern).to_numpy(), rows.height)
            for kind, each in classes().items()
        }
        clean = np.ones(rows.height)
        for kind, count in counts.items():
            clean *= (1 - classes()[kind].weight) ** np.minimum(count, _COUNTED)
        score = 1 - clean
        masks = {kind: (count > 0) & (score > self.at_most) for kind, count in counts.items()}
        return by_reason(masks, score=score, verdict=Verdict(self.verdict))


@dataclass(frozen=True)
class ToxicClass:
    """One kind of toxic words."""

    weight: float
    pattern: str


@cache
def classes() -> dict[Reason, ToxicClass]:
    """Expression and weight of each class, the heaviest first."""
    content: dict[str, Any] = tomllib.loads((files("zhiling.curation") / _FILE).read_text(encoding="utf-8"))
    found: dict[Reason, ToxicClass] = {}
    for kind in Reason:
        languages = [content[kind]["en"], content[kind]["zh"]]
        words = (disguised(word) for each in languages for word in each["words"])
        patterns = (pattern for each in languages for pattern in each["patterns"])
        found[kind] = ToxicClass(content[kind]["weight"], any_of(_both(words, patterns)))
    return found


def _both(words: Iterable[str], patterns: Iterable[str]) -> list[str]:
    return [*words, *patterns]


def disguised(word: str) -> str:
    r"""An expression for a word and its disguises.

    English: letters stretched, replaced by a look-alike, by `*` or `#` inside the word, or all spaced out;
    Chinese: one sign (`*`, a space, a dot) between the characters.
    """
    if not word.isascii():
        return r"[\s*.·_\-]?".join(map(re.escape, word))
    letters = [_letter(letter, inner=0 < place < len(word) - 1) for place, letter in enumerate(word)]
    return rf"\b(?:{''.join(letters)}|{_GAP.join(letters)})(?:s|es|z)?\b"


def _letter(letter: str, *, inner: bool) -> str:
    alike = _DISGUISES.get(letter, letter) + ("*#" if inner else "")
    return f"[{alike}]+" if len(alike) > 1 else f"{letter}+"
