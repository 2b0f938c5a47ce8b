"""Questions and candidate answers as texts, and rankings as targets; needs no torch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from zhiling.rows.target import CHOICE, Answer, Answers, Choice, spelled
from zhiling.training.inputs import Input, is_asked, texts_named
from zhiling.training.tasks.targets import must_read, read_target

TOLD = 10
"""Answers of a ranking, at most."""


def question_text(turns: Input) -> str:
    """What is asked: all that users and documents say, the latest first, as long texts lose their end."""
    asked = [turn.text for turn in turns if is_asked(turn)]
    return "\n".join(reversed(asked))


def candidates(turns: Input) -> list[str]:
    """The candidates that the input itself brings: its messages named `choice`."""
    return [text.strip() for text in texts_named(turns, CHOICE)]


def right_answers(target: str) -> list[str]:
    """The texts of `Answers` as JSON."""
    return [answer.text for answer in must_read(target, Answers).answers]


def truth_of(target: str | None, turns: Input) -> str | None:
    """A row's truth as `Answers`: the option that its target names, its reply, or the answers of its target.

    None where it has none of them.
    """
    options = candidates(turns)
    chosen = read_target(target, Choice) if target and options else None
    reply = turns[-1].text.strip() if turns and turns[-1].role == "assistant" else ""
    listed = read_target(target, Answers) if target else None
    if chosen is not None:
        right = options[chosen.choice : chosen.choice + 1]
    elif reply:
        right = [reply]
    else:
        right = [answer.text.strip() for answer in listed.answers] if listed else []
    return spelled(Answers(answers=[Answer(text=text) for text in right])) if right else None


def pool_of(targets: Iterable[str]) -> tuple[str, ...]:
    """The distinct right answers of these targets, in the order in which they occur."""
    return tuple(dict.fromkeys(text for target in targets for text in right_answers(target)))


def ranked(texts: Sequence[str], scores: NDArray[np.float32]) -> Answers:
    """The best candidates with their scores, the best first; a text that occurs twice counts once.

    Args:
        texts: the candidates.
        scores: one per candidate; equal ones keep their order.
    """
    best: dict[str, float] = {}
    order: list[int] = np.argsort(-scores, kind="stable").tolist()
    for place in order:
        best.setdefault(texts[place], round(float(scores[place]), 6))
        if len(best) == TOLD:
            break
    return Answers(answers=[Answer(text=text, score=score) for text, score in best.items()])
