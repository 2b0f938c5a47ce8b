"""Whether a second tagger agrees with a row's truth: labels, entities and answers, by a passed `predict`.

agreement(rows, model.predict).filter(pl.col("score") < 1)  # rows to look at again
"""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set
from typing import Any, cast

import orjson
import polars as pl
from pydantic import BaseModel, ValidationError

from zhiling.errors import UsageError
from zhiling.rows.target import Answers, Entities, Labels, Place
from zhiling.verification.answers import shared_words
from zhiling.verification.check import truth_in
from zhiling.verification.replies import Messages

Predict = Callable[[list[str]], list[str]]
"""Texts to their answers, one each and in their order."""
BETWEEN = "\n"
_SHAPES: dict[str, type[Labels] | type[Entities] | type[Answers]] = {
    "labels": Labels, "spans": Entities, "answers": Answers,
}  # fmt: skip
_SPOKEN = ("document", "user")


def agreement(rows: pl.DataFrame, predict: Predict, *, at_once: int = 1_000) -> pl.DataFrame:
    """How far a second tagger says what the rows' targets say.

    The tagger reads what documents and users say, joined by a line break. It answers as a target does, in
    JSON, or plainly: a label for `labels`, the answer's words for `answers` (an empty text: none). Places in
    its `spans` are in the text that it read.

    Args:
        rows: `messages` and `target` of labelled examples (no templated ones).
        predict: the second tagger.
        at_once: rows that it is given at a time.

    Returns:
        `score`: F1 of labels, of entities by type and place, or of the words of the nearest right answer (1
        where both say that there is none); null where there is nothing to compare. `told`: what differs, or
        why nothing was compared; null where both agree.

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

    def __init__(self, messages: Messages, truth: Labels | Entities | Answers) -> None:
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
    return _Case(messages, truth) if truth.template is None else "a template wrote it"


def _compared(case: _Case, answer: str) -> tuple[float | None, str | None]:
    told = _read(answer, type(case.truth))
    if isinstance(told, str):
        return None, told
    truth = case.truth
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


def _read(answer: str, shape: type[Any]) -> Labels | Entities | Answers | str:
    """An answer of the tagger as such a target, or in words why it is none."""
    try:
        fields: Any = orjson.loads(answer)
    except orjson.JSONDecodeError:
        fields = None
    if isinstance(fields, dict):
        try:
            return shape.model_validate(fields)
        except ValidationError as error:
            return f"the tagger's answer cannot be read: {error.errors()[0]['msg']}: {answer!r:.80}"
    if shape is Labels:
        return Labels(labels=[answer])
    if shape is Answers:
        return Answers.model_validate({"answers": [{"text": answer}] if answer.strip() else []})
    return f"the tagger's answer is no JSON object with spans: {answer!r:.80}"
