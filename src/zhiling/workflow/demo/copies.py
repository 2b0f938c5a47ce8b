"""Copies in a help desk's export: equal, nearly equal, and questions that stand in the evaluation set."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl

from zhiling.text.jaccard import jaccard
from zhiling.text.normalise import normalise
from zhiling.text.shingles import shingles
from zhiling.workflow.demo.material import (
    LANGUAGES,
    Desk,
    Entry,
    Planted,
    Question,
    Ticket,
    Turn,
    pick,
    shuffled,
    word_list,
)

EXACT_PER_LANGUAGE = 15
NEAR_PER_LANGUAGE = 20
QUESTIONS_PER_LANGUAGE = 12
MIN_JACCARD = 0.82

_MAX_EDITS = 3
_TRIES = 12

Rewrite = Callable[[str], str]

_HALF_WIDTH = str.maketrans("，！？：；（）", ",!?:;()")


def _spaced(text: str) -> str:
    return f" {text.replace(' ', '  ')}\n"


# Each gives a text that differs in case, width or white space alone: for a reader it says the same.
_VARIANTS: Mapping[str, Mapping[str, Rewrite]] = {
    "zh": {
        "verbatim": str,
        "half-width": lambda text: text.translate(_HALF_WIDTH),
        "spaced": _spaced,
        "re-cased": str.upper,
    },
    "en": {"verbatim": str, "upper case": str.upper, "lower case": str.lower, "spaced": _spaced},
}


def similarity(first: str, second: str) -> float:
    """Jaccard similarity of the token 5-grams of two texts in normal form."""
    sets = shingles(normalise(pl.Series([first, second], dtype=pl.String)))
    return float(jaccard(sets, [0], [1])[0])


def plant_exact_copies(desk: Desk, draws: np.random.Generator) -> None:
    """Conversations a second time under a new id: as they are, in other case, with other spaces."""
    for language in LANGUAGES:
        variants = _VARIANTS[language]
        for place, entry in enumerate(shuffled(draws, desk.clean(language))[:EXACT_PER_LANGUAGE]):
            variant = list(variants)[place % len(variants)]
            turns = tuple(replace(turn, text=variants[variant](turn.text)) for turn in entry.ticket.turns)
            _copy(
                desk,
                entry,
                replace(entry.ticket, turns=turns),
                Planted("exact_duplicates", 0, entry.id, variant),
            )


def plant_near_copies(desk: Desk, draws: np.random.Generator) -> None:
    """Conversations a second time with a few words edited, similar enough to count as the same."""
    words = word_list("edits.toml")
    for language in LANGUAGES:
        done = 0
        for entry in shuffled(draws, desk.clean(language)):
            edited = _edited(entry.ticket, words[language], draws)
            if edited is None:
                continue
            found = similarity(entry.ticket.text, edited.text)
            _copy(desk, entry, edited, Planted("near_duplicates", 0, entry.id, f"jaccard {found:.3f}"))
            done += 1
            if done == NEAR_PER_LANGUAGE:
                break


def plant_evaluation_rows(desk: Desk, draws: np.random.Generator) -> None:
    """Questions of the evaluation file with a reply of that intent; every other one with a greeting."""
    words = word_list("edits.toml")
    labels = shuffled(draws, sorted({question.label for question in desk.questions}))
    for start, language in zip((0, QUESTIONS_PER_LANGUAGE), LANGUAGES, strict=True):
        for place, label in enumerate(labels[start : start + QUESTIONS_PER_LANGUAGE]):
            question = pick(draws, [q for q in desk.questions if (q.label, q.language) == (label, language)])
            greeting = pick(draws, words[language]["greetings"]) if place % 2 else ""
            _ask(desk, question, greeting, draws)


def _ask(desk: Desk, question: Question, greeting: str, draws: np.random.Generator) -> None:
    donors = [e.ticket for e in desk.clean(question.language) if e.ticket.intent == question.label]
    donor = pick(draws, donors)
    asked = Turn("customer", greeting + question.text)
    planted = Planted(
        "evaluation_rows", 0, f"evaluation.jsonl:{question.line}", "greeting" if greeting else "verbatim"
    )
    desk.add(replace(donor, turns=(asked, donor.turns[1])), planted)


def _copy(desk: Desk, original: Entry, copy: Ticket, planted: Planted) -> None:
    original.copied = True
    desk.add(copy, planted)


def _edited(ticket: Ticket, words: Mapping[str, Any], draws: np.random.Generator) -> Ticket | None:
    """The ticket with one to three edits; None where every try makes it too unlike."""
    for _ in range(_TRIES):
        edited = ticket
        for _ in range(int(draws.integers(1, _MAX_EDITS + 1))):
            turn = int(draws.integers(len(ticket.turns)))
            edited = edited.say(turn, _edit(edited.turns[turn], ticket.language, words, draws))
        if MIN_JACCARD <= similarity(ticket.text, edited.text) < 1:
            return edited
    return None


def _edit(turn: Turn, language: str, words: Mapping[str, Any], draws: np.random.Generator) -> str:
    """A word in place of another; where none fits (and at times anyway) a word more in front or behind."""
    fitting = [pair for pair in words["swaps"] if _pattern(pair, language).search(turn.text)]
    if fitting and (turn.speaker == "agent" or draws.random() < 0.6):
        pair = pick(draws, fitting)
        return _pattern(pair, language).sub(pair[1], turn.text, count=1)
    join = "，" if language == "zh" else ", "
    if draws.random() < 0.5:
        return f"{pick(draws, words['before'])}{join}{turn.text}"
    gap = join if turn.text[-1].isalnum() else ("" if language == "zh" else " ")
    return f"{turn.text}{gap}{pick(draws, words['after'])}"


def _pattern(pair: Sequence[str], language: str) -> re.Pattern[str]:
    word = re.escape(pair[0])
    return re.compile(word if language == "zh" else rf"\b{word}\b")
