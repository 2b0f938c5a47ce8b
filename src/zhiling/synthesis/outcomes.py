"""How an exchange of a support conversation ended: solved, not solved, or not to be told."""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from zhiling.synthesis.exchanges import Conversation

Status = Literal["resolved", "unresolved", "unclear"]

NOTED_RESOLVED, NOTED_OPEN = 3.0, -4.0
RATED = 1.5  # per step from the middle of five stars
CONFIRMED, WENT_ON, COMPLAINED, LATER_COMPLAINT = 2.0, 0.3, -3.0, -3.0
FAILS = -1.5
"""Log odds; cues and weights were chosen on two of the four files of `examples/support`."""

SURE = 0.6
"""A score at least this far from 0 tells; between `1 - SURE` and `SURE` nothing is told."""

_STARS = 5
_QUESTION = re.compile(r"[?？]")
_ENDS_ASKING = re.compile(r"[^.!?。！？\n]*[?？][^?？.!。！]{0,12}$")
"""The last sentence, where it asks; a signature may follow."""
_LAST = 1000  # characters of a message in which its last sentence begins


@dataclass(frozen=True)
class Outcome:
    """How an exchange ended.

    Attributes:
        score: probability that the answer solved the question, 0 to 1; .5 where nothing tells.
        signs: what told it: `noted`, `rated`, `confirmed`, `went_on`, `complained`, `later_complaint`,
            `fails`.
        holds: the agent only asked back, or asked to wait: this is no answer yet.
    """

    score: float
    signs: tuple[str, ...] = ()
    holds: bool = False

    @property
    def status(self) -> Status:
        """The score in a word."""
        if self.score >= SURE:
            return "resolved"
        return "unresolved" if self.score <= 1 - SURE else "unclear"


class LogFields(BaseModel):
    """Settings of a step: the fields of `extra` in which a log tells the outcome."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    resolved: str | None = Field(
        None, description="field of the log that says whether it was solved; null: the usual names"
    )
    rating: str | None = Field(None, description="field with the customer's rating; null: the usual names")
    best_rating: float | None = Field(
        None, gt=0, description="the best rating; null: 5, 10 or 100, the first that is not below the value"
    )


def outcomes(conversation: Conversation, fields: LogFields | None = None) -> list[Outcome]:
    """The outcome of each exchange, in their order.

    What a log notes (solved, a rating) counts for the whole conversation. What the customer says next counts
    for the answer before it; a complaint at any later time takes the solution back.

    Anchor: a conversation of one exchange, without any sign: .5.
    """
    fields = fields or LogFields.model_validate({})
    found: list[Outcome] = []
    for number, exchange in enumerate(conversation.exchanges):
        evidence = _noted(exchange.signals, fields)
        reactions = list(conversation.reactions(number))
        reaction = reactions[0] if reactions else ""
        if reaction:
            evidence |= _reaction(reaction)
        if any(map(complains, reactions[1:])):
            evidence["later_complaint"] = LATER_COMPLAINT
        if says("fails", exchange.answer):
            evidence["fails"] = FAILS
        score = 1 / (1 + math.exp(-sum(evidence.values())))
        holds = _holds(exchange.answer) and not _confirms(reaction)
        found.append(Outcome(score, tuple(evidence), holds))
    return found


def complains(text: str) -> bool:
    """Whether a customer says that an answer did not help."""
    return says("complains", text)


@lru_cache(maxsize=20_000)
def says(kind: str, text: str) -> bool:
    """Whether a cue of this kind (`confirms`, `complains`, `holds`, `closes`, `fails`) stands in the text."""
    return bool(text) and _cues()[kind].search(text) is not None


def _holds(answer: str) -> bool:
    """Whether the agent only asks back or asks to wait; "anything else?" asks nothing back."""
    asks = _ENDS_ASKING.search(answer[-_LAST:])
    return says("holds", answer) or (asks is not None and not says("closes", asks[0]))


def _confirms(text: str) -> bool:
    return says("confirms", text) and not complains(text)


def _reaction(text: str) -> dict[str, float]:
    if complains(text):
        return {"complained": COMPLAINED}
    if _confirms(text) and not _QUESTION.search(text):
        return {"confirmed": CONFIRMED}
    return {"went_on": WENT_ON}


def _noted(signals: Mapping[str, Any], fields: LogFields) -> dict[str, float]:
    """What the log itself says."""
    found: dict[str, float] = {}
    noted = next(filter(None, (_word(value) for value in _values(signals, "resolved", fields.resolved))), 0.0)
    if noted:
        found["noted"] = NOTED_RESOLVED if noted > 0 else NOTED_OPEN
    for value in _values(signals, "rating", fields.rating):
        stars = _stars(value, fields.best_rating)
        if stars is not None:
            found["rated"] = RATED * (stars - (_STARS + 1) / 2)
            break
    return found


def _values(signals: Mapping[str, Any], kind: str, named: str | None) -> list[Any]:
    names = [named] if named else _lists()[kind]["fields"]
    folded = {name.casefold(): value for name, value in signals.items()}
    return [folded[name.casefold()] for name in names if name.casefold() in folded]


def _word(value: Any) -> float:
    """1 for yes, -1 for no, 0 for anything else."""
    word = str(value).strip().casefold()
    return float(word in _lists()["resolved"]["yes"]) - float(word in _lists()["resolved"]["no"])


def _stars(value: Any, best: float | None) -> float | None:
    """A rating as one to five stars; None where it is none."""
    word = str(value).strip().casefold()
    if word in _lists()["rating"]["high"]:
        return float(_STARS)
    if word in _lists()["rating"]["low"]:
        return 1.0
    try:
        number = float(word)
    except ValueError:
        return None
    top = best or next((scale for scale in (_STARS, 10, 100) if number <= scale), None)
    if isinstance(value, bool) or top is None or not 0 <= number <= top:
        return None
    lowest = 1.0 if top == _STARS else 0.0
    return 1 + (_STARS - 1) * max(number - lowest, 0.0) / (top - lowest)


@cache
def _lists() -> Mapping[str, Mapping[str, Sequence[str]]]:
    return tomllib.loads((files("zhiling.synthesis") / "outcome_cues.toml").read_text(encoding="utf-8"))


@cache
def _cues() -> Mapping[str, re.Pattern[str]]:
    r"""One expression a kind; \b is the edge of an ASCII word, so English next to Chinese is found."""
    kinds = ("confirms", "complains", "holds", "closes", "fails")
    return {
        kind: re.compile(
            "|".join(f"(?:{cue})" for cues in _lists()[kind].values() for cue in cues),
            re.IGNORECASE | re.ASCII,
        )
        for kind in kinds
    }
