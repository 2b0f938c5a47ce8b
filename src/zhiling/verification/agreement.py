"""Whether a second tagger, a passed `predict`, agrees with a row's labels, entities, answers or choice.

agreement(rows, model.predict).filter(pl.col("score") < 1)  # rows to look at again
"""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set
from typing import Any, cast

import orjson
import polars as pl
from pydantic import BaseModel, ValidationError

from zhiling.errors import UsageError
from zhiling.rows.target import CHOICE, Answers, Choice, Entities, Labels, Place
from zhiling.verification.answers import shared_words
from zhiling.verification.check import truth_in
from zhiling.verification.replies import Messages

Predict = Callable[[list[str]], list[str]]
"""Texts to their answers, one each and in their order."""
BETWEEN = "\n"
Truth = Labels | Entities | Answers | Choice
_SHAPES: dict[str, type[Truth]] = {
    "labels": Labels, "spans": Entities, "answers": Answers, "choice": Choice,
}  # fmt: skip
_SPOKEN = ("document", "user")


def agreement(rows: pl.DataFrame, predict: Predict, *, at_once: int = 1_000) -> pl.DataFrame:
    """How far a second tagger says what the rows' targets say.

    The tagger reads what documents and users say, joined by a line break. It answers as a target does, in
    JSON, or plainly: a label for `labels`, the answer's words for `answers` (an empty text: none), the
    text of a choice for `choice`. Places in its `spans` are in the text that it read.

    Args:
        rows: `messages` and `target` of labelled examples (no templated ones).
        predict: the second tagger.
        at_once: rows that it is given at a time.

    Returns:
        `score`: F1 of labels, of entities by type and place, or of the words of the nearest right answer (1
        where both say that there is none); 1 or 0 for a choice; null where there is nothing to compare.
        `told`: what differs, or why nothing was compared; null where both agree.

    Raises:
        UsageError: the tagger does not answer for every text.
    """
    lines: list[tuple[float | None, str | None]] = []
    for part in rows.select("messages", "target").iter_slices(at_once):
        cases = [_case(messages or [], target) for messages, target in part.rows()]
        texts = [case.text for case in cases if isinstance(case, _Case)]
        answers = predict(texts) if texts else []
        if len(answers) != len(texts):
            raise UsageError(
                f"predict gave {len(answers)} answers to {len(texts)} texts",
                hint="it answers for each text, in their order",
            )
        told = iter(answers)
        lines += [(None, case) if isinstance(case, str) else _compared(case, next(told)) for case in cases]
    return pl.DataFrame(lines, schema={"score": pl.Float64(), "told": pl.String()}, orient="row")


class _Case:
    """A row as the tagger sees it: its text, its truth, and where each message begins in the text."""

    def __init__(self, messages: Messages, truth: Truth) -> None:
        self.truth = truth
        self.starts: dict[int, int] = {}
        pieces: list[str] = []
        at = 0
        for number, turn in enumerate(messages):
            if turn["role"] in _SPOKEN:
                self.starts[number] = at
                pieces.append(turn["text"] or "")
                at += len(pieces[-1]) + len(BETWEEN)
        self.text = BETWEEN.join(pieces)
        self.choices = [(turn["text"] or "").strip() for turn in messages if turn["name"] == CHOICE]

    def place(self, place: Place) -> tuple[int, int]:
        """A place of the row in the text; of a message that the tagger does not read: nowhere."""
        start = self.starts.get(place.message, -1)
        return (-1, -1) if start < 0 else (start + place.start, start + place.end)


def _case(messages: Messages, target: str | None) -> _Case | str:
    """What is compared, or in words why nothing is."""
    shape = next((shape for key, shape in _SHAPES.items() if f'"{key}"' in (target or "")), None)
    if target is None or shape is None:
        return f"its target has none of {', '.join(_SHAPES)}"
    truth = truth_in(target, shape)
    if isinstance(truth, str):
        return truth
    if truth.template is not None:
        return "a template wrote it"
    case = _Case(messages, truth)
    return (_outside(truth, case) or case) if isinstance(truth, Choice) else case


def _outside(told: Choice, case: _Case) -> str | None:
    """What is wrong with a choice that the row does not offer."""
    offered = len(case.choices)
    return f"choice {told.choice} of {offered}, counted from 0" if told.choice >= offered else None


def _compared(case: _Case, answer: str) -> tuple[float | None, str | None]:
    told = _read(answer, case)
    if isinstance(told, str):
        return None, told
    truth = case.truth
    if isinstance(truth, Choice) and isinstance(told, Choice):
        ours, theirs = (case.choices[each.choice] for each in (truth, told))
        return _line(float(ours == theirs), [ours], [theirs])
    if isinstance(truth, Answers) and isinstance(told, Answers):
        right, other = ([each.text for each in side.answers] for side in (truth, told))
        if right and other:
            score = max(shared_words(each, other[0]) for each in right)
        else:
            score = float(not right and not other)
        return _line(score, right, other)
    ours, theirs = _items(truth, case), _items(told, None)
    total = len(ours) + len(theirs)
    score = 2 * len(ours & theirs) / total if total else 1.0
    return _line(score, sorted(ours - theirs), sorted(theirs - ours))


def _items(truth: BaseModel, case: _Case | None) -> Set[str]:
    """Labels, or entities with their places in the text that the tagger read, as words."""
    if isinstance(truth, Labels):
        return set(truth.labels)
    spans = cast(Entities, truth).spans
    places = [(span.start, span.end) if case is None else case.place(span) for span in spans]
    return {f"{span.label} {start}–{end}" for span, (start, end) in zip(spans, places, strict=True)}


def _line(score: float, right: Sequence[str], told: Sequence[str]) -> tuple[float, str | None]:
    if score == 1:
        return score, None
    words = (", ".join(each) or "nothing" for each in (right, told))
    return score, "the row says {:.200}, the tagger {:.200}".format(*words)


def _read(answer: str, case: _Case) -> Truth | str:
    """An answer of the tagger as a target of the row's shape, or in words why it is none."""
    shape: type[Truth] = type(case.truth)
    try:
        fields: Any = orjson.loads(answer)
    except orjson.JSONDecodeError:
        fields = None
    if isinstance(fields, dict):
        try:
            told = shape.model_validate(fields)
            outside = _outside(told, case) if isinstance(told, Choice) else None
            return f"the tagger's answer cannot be read: {outside}" if outside else told
        except ValidationError as error:
            return f"the tagger's answer cannot be read: {error.errors()[0]['msg']}: {answer!r:.80}"
    if shape is Labels:
        return Labels(labels=[answer])
    if shape is Answers:
        return Answers.model_validate({"answers": [{"text": answer}] if answer.strip() else []})
    if shape is Choice:
        if answer.strip() in case.choices:
            return Choice(choice=case.choices.index(answer.strip()))
        return f"the tagger's answer is none of the {len(case.choices)} choices: {answer!r:.80}"
    return f"the tagger's answer is no JSON object with spans: {answer!r:.80}"
