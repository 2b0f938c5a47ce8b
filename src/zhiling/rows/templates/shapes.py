"""Shapes of truth as records of a reply, both ways: what a reply tells, and how it is found again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from pydantic import BaseModel

from zhiling.rows import target
from zhiling.rows.templates.forms import Column, Record
from zhiling.rows.templates.placed_shapes import AnswersShape, EntitiesShape, RelationsShape
from zhiling.rows.templates.shape import Shape
from zhiling.rows.templates.spelling import Unparsed
from zhiling.rows.templates.view import Unfit, View, word_of


class LabelsShape(Shape):
    """Class labels."""

    columns = (Column("label"),)
    item = "{label}"
    join = ", "

    def records(self, truth: target.Labels, view: View) -> list[Record]:
        """One record a label."""
        return [(view.words.get(label, label),) for label in truth.labels]

    def truth(self, records: Sequence[Record], view: View) -> BaseModel | Unparsed:
        """Every name must be one of the prompt's."""
        labels = [view.label(word_of(record[0])) for record in records]
        if None in labels:
            return Unparsed("unknown_label", f"{word_of(records[labels.index(None)][0])!r:.60} is no label")
        if len(labels) > 1 and not view.multi:
            return Unparsed("too_many_labels", f"{len(labels)} labels where one is asked for")
        return target.Labels(labels=cast(list[str], labels), multi=view.multi)

    def told(self, truth: target.Labels) -> target.Labels:
        """Several labels make it `multi`."""
        return target.Labels(labels=truth.labels, multi=truth.multi or len(truth.labels) > 1)

    def names(self, truth: target.Labels) -> tuple[str, ...]:
        """The labels."""
        return tuple(truth.labels)


class ScoreShape(Shape):
    """A number."""

    columns = (Column("number"),)
    item = "{number}"
    empty = False

    def records(self, truth: target.Score, view: View) -> list[Record]:
        """The shortest decimal that means this number."""
        return [(repr(truth.score).removesuffix(".0"),)]

    def truth(self, records: Sequence[Record], view: View) -> BaseModel | Unparsed:
        """A number."""
        word = word_of(records[0][0]) if records else ""
        try:
            return target.Score(score=float(word))
        except ValueError:
            return Unparsed("not_a_number", f"{word!r:.60} is no number")


class ChoiceShape(Shape):
    """The right option."""

    columns = (Column("letter"), Column("number"), Column("choice"))
    item = "{letter}"
    empty = False

    def records(self, truth: target.Choice, view: View) -> list[Record]:
        """Letter, number and words of the option; a form takes what it shows."""
        if truth.choice >= len(view.options):
            raise Unfit("no_such_option", f"option {truth.choice} of {len(view.options)}")
        return [(letter(truth.choice), str(truth.choice + 1), view.options[truth.choice])]

    def truth(self, records: Sequence[Record], view: View) -> BaseModel | Unparsed:
        """The option that fits all that the reply says; the form has put empty texts for the rest."""
        name, number, words = (word_of(cell) for cell in records[0])
        fitting = [
            index
            for index, option in enumerate(view.options)
            if name in ("", letter(index))
            and number in ("", str(index + 1))
            and _same(words, option, named=bool(name or number))
        ]
        if len(fitting) != 1:
            shown = " ".join(filter(None, (name, number, words)))
            return Unparsed("unknown_choice", f"{shown!r:.60} names {len(fitting)} options")
        return target.Choice(choice=fitting[0])


class StateShape(Shape):
    """Slots of a dialogue with their values."""

    columns = (Column("domain"), Column("slot"), Column("value"))
    item = "{domain} / {slot}: {value}"
    join = "\n"

    def records(self, truth: target.DialogueState, view: View) -> list[Record]:
        """One record a slot."""
        return [(slot.domain, slot.slot, slot.value) for slot in truth.state]

    def truth(self, records: Sequence[Record], view: View) -> BaseModel | Unparsed:
        """The slots in the order of the reply."""
        slots = (dict(zip(("domain", "slot", "value"), map(word_of, each), strict=True)) for each in records)
        return target.DialogueState(state=[target.Slot(**slot) for slot in slots])

    def told(self, truth: target.DialogueState) -> target.DialogueState:
        """The slots; other spellings of a value, and the turns before, are not told."""
        return target.DialogueState(state=[slot.model_copy(update={"also": None}) for slot in truth.state])

    def names(self, truth: target.DialogueState) -> tuple[str, ...]:
        """`domain / slot` of each."""
        return tuple(f"{slot.domain} / {slot.slot}" for slot in truth.state)


class StepsShape(Shape):
    """Steps in their order."""

    columns = (Column("step"),)
    item = "{n}. {step}"
    join = "\n"

    def records(self, truth: target.Steps, view: View) -> list[Record]:
        """One record a step."""
        return [(step,) for step in truth.steps]

    def truth(self, records: Sequence[Record], view: View) -> BaseModel | Unparsed:
        """The steps."""
        return target.Steps(steps=[word_of(record[0]) for record in records])

    def told(self, truth: target.Steps) -> target.Steps:
        """The steps; what they need and give is not told."""
        return target.Steps(steps=truth.steps)


class ReplyShape(Shape):
    """The reply's own words."""

    columns = (Column("answer"),)
    item = "{answer}"
    empty = False

    def records(self, truth: str, view: View) -> list[Record]:
        """The text."""
        return [(truth,)]

    def truth(self, records: Sequence[Record], view: View) -> Any:
        """The text."""
        return word_of(records[0][0])


SHAPES: dict[str, Shape] = {
    "labels": LabelsShape(),
    "score": ScoreShape(),
    "entities": EntitiesShape(),
    "relations": RelationsShape(),
    "answers": AnswersShape(),
    "choice": ChoiceShape(),
    "state": StateShape(),
    "steps": StepsShape(),
    "reply": ReplyShape(),
}
"""Name of a shape in the files of wordings → how it is told."""

OF_MODEL: dict[type[BaseModel], str] = {
    target.Labels: "labels",
    target.Score: "score",
    target.Entities: "entities",
    target.Relations: "relations",
    target.Answers: "answers",
    target.Choice: "choice",
    target.DialogueState: "state",
    target.Steps: "steps",
    target.Translation: "reply",
    target.Constraints: "reply",
    target.Tests: "reply",
}
"""Model of a target → the shape that a reply tells it in."""


def letter(index: int) -> str:
    """A, B, … Z, AA, AB and so on, from 0."""
    name = ""
    index += 1
    while index:
        index, rest = divmod(index - 1, 26)
        name = chr(65 + rest) + name
    return name


def _same(words: str, option: str, *, named: bool) -> bool:
    if words == option or (named and not words):
        return True
    return " ".join(words.split()).casefold() == " ".join(option.split()).casefold() if named else False
