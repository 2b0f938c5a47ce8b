"""Shapes of truth as records of a reply, both ways: what a reply tells, and how it is found again."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, cast

from pydantic import BaseModel

from zhiling.rows import target
from zhiling.rows.templates.forms import Column, Record
from zhiling.rows.templates.spelling import Mention, Unparsed
from zhiling.rows.templates.view import At, Unfit, View, found_mention, mention_of, told_mention, word_of


class Shape:
    """One shape of target.

    Attributes:
        columns: values of a record.
        item: how a record is written where a wording does not say so.
        join: what stands between records where a wording does not say so; None: one record at most.
        empty: whether an empty truth is one.
    """

    columns: ClassVar[tuple[Column, ...]]
    item: ClassVar[str]
    join: ClassVar[str | None] = None
    empty: ClassVar[bool] = True

    @abstractmethod
    def records(self, truth: Any, view: View) -> list[Record]:
        """The truth as records.

        Raises:
            Unfit: its places do not fit its words.
        """

    @abstractmethod
    def truth(self, records: Sequence[Record], view: View) -> BaseModel | Unparsed:
        """The records as truth."""

    def told(self, truth: Any) -> Any:
        """What a reply tells of the truth: the part that comes back."""
        return truth

    def names(self, truth: Any) -> tuple[str, ...]:
        """Labels that the truth uses."""
        return ()

    def placed(self, truth: Any) -> bool:
        """Whether the truth tells places."""
        return False


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


class EntitiesShape(Shape):
    """Entities in the order of the text.

    A mention stands for its first occurrence, from the start of the entity before it on, that no entity of
    the same type has taken; any other place is marked by the number of the occurrence.
    """

    columns = (Column("type"), Column("mention", mention=True))
    item = "{type}: {mention}"
    join = "\n"

    def records(self, truth: target.Entities, view: View) -> list[Record]:
        """One record an entity."""
        told: list[Record] = []
        taken: set[tuple[At, str, str]] = set()
        before: At = (-1, 0)
        for span in sorted(truth.spans, key=_span_order):
            words, place = view.text(span), (span.message, span.start)
            by_rule = self._next(words, span.label, view, before, taken)
            mention = Mention(words, None if by_rule == place else view.number(words, place))
            told.append((view.words.get(span.label, span.label), mention))
            taken.add((place, words, span.label))
            before = place
        return told

    def truth(self, records: Sequence[Record], view: View) -> BaseModel | Unparsed:
        """Every mention must stand in the text."""
        spans: list[target.Span] = []
        taken: set[tuple[At, str, str]] = set()
        before: At = (-1, 0)
        for name, cell in records:
            label, (words, nth) = view.label(word_of(name)), mention_of(cell)
            if label is None:
                return Unparsed("unknown_label", f"{word_of(name)!r:.60} is no type of entity")
            place = self._next(words, label, view, before, taken) if nth is None else view.nth(words, nth)
            if place is None:
                return Unparsed("not_in_text", f"{words!r:.60} does not stand in the text (any more)")
            taken.add((place, words, label))
            before = place
            spans.append(_span(place, words, label))
        return target.Entities(spans=sorted(spans, key=_span_order))

    def _next(
        self, words: str, label: str, view: View, before: At, taken: set[tuple[At, str, str]]
    ) -> At | None:
        return next((at for at in view.occurrences(words, before) if (at, words, label) not in taken), None)

    def told(self, truth: target.Entities) -> target.Entities:
        """The entities in order; tokens and tags are not told."""
        return target.Entities(spans=sorted(truth.spans, key=_span_order))

    def names(self, truth: target.Entities) -> tuple[str, ...]:
        """Types of entities."""
        return tuple(span.label for span in truth.spans)

    def placed(self, truth: target.Entities) -> bool:
        """An entity is a place."""
        return True


class RelationsShape(Shape):
    """Facts; words stand for their first occurrence where the truth tells places."""

    columns = (Column("subject", mention=True), Column("relation"), Column("object", mention=True))
    item = "{subject} | {relation} | {object}"
    join = "\n"

    def records(self, truth: target.Relations, view: View) -> list[Record]:
        """One record a fact, in the order of the truth."""
        placed = self.placed(truth)
        return [
            (
                told_mention(triple.subject, triple.subject_place, view, placed=placed),
                view.words.get(triple.relation, triple.relation),
                told_mention(triple.object, triple.object_place, view, placed=placed),
            )
            for triple in truth.relations
        ]

    def truth(self, records: Sequence[Record], view: View) -> BaseModel | Unparsed:
        """Every relation must be one of the prompt's."""
        triples: list[target.Triple] = []
        for subject, name, object_ in records:
            relation = view.label(word_of(name))
            if relation is None:
                return Unparsed("unknown_label", f"{word_of(name)!r:.60} is no relation")
            ends: dict[str, Any] = {}
            for end, cell in (("subject", subject), ("object", object_)):
                found = found_mention(cell, view)
                if isinstance(found, Unparsed):
                    return found
                ends |= {end: word_of(cell)} | ({f"{end}_place": found} if found else {})
            triples.append(target.Triple(relation=relation, **ends))
        return target.Relations(relations=triples)

    def told(self, truth: target.Relations) -> target.Relations:
        """The facts; types of their ends and entities of their own are not told."""
        return target.Relations(
            relations=[
                triple.model_copy(update={"subject_type": None, "object_type": None})
                for triple in truth.relations
            ]
        )

    def names(self, truth: target.Relations) -> tuple[str, ...]:
        """Names of relations."""
        return tuple(triple.relation for triple in truth.relations)

    def placed(self, truth: target.Relations) -> bool:
        """Whether any end of a fact has a place."""
        return any(triple.subject_place or triple.object_place for triple in truth.relations)


class AnswersShape(Shape):
    """The best answer; it stands for its first occurrence where the truth tells places."""

    columns = (Column("answer", mention=True),)
    item = "{answer}"

    def records(self, truth: target.Answers, view: View) -> list[Record]:
        """The best answer, or none."""
        placed = self.placed(truth)
        return [
            (told_mention(answer.text, answer.place, view, placed=placed),) for answer in truth.answers[:1]
        ]

    def truth(self, records: Sequence[Record], view: View) -> BaseModel | Unparsed:
        """The answer with its place."""
        if not records:
            return target.Answers(answers=[])
        place = found_mention(records[0][0], view)
        if isinstance(place, Unparsed):
            return place
        words = word_of(records[0][0])
        answer = target.Answer(text=words, place=place) if place else target.Answer(text=words)
        return target.Answers(answers=[answer])

    def told(self, truth: target.Answers) -> target.Answers:
        """The best answer alone."""
        return target.Answers(answers=truth.answers[:1])

    def placed(self, truth: target.Answers) -> bool:
        """Whether the best answer has a place."""
        return bool(truth.answers and truth.answers[0].place)


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
        """The slots; other spellings of a value are not told."""
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


def _span(at: At, words: str, label: str) -> target.Span:
    return target.Span(message=at[0], start=at[1], end=at[1] + len(words), label=label)


def _span_order(span: target.Span) -> tuple[int, int, int, str]:
    return span.message, span.start, span.end, span.label


def _same(words: str, option: str, *, named: bool) -> bool:
    if words == option or (named and not words):
        return True
    return " ".join(words.split()).casefold() == " ".join(option.split()).casefold() if named else False
