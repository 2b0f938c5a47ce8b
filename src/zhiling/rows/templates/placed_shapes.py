"""Shapes whose truth has places in the text: entities, relations, answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel

from zhiling.rows import target
from zhiling.rows.templates.forms import Column, Record
from zhiling.rows.templates.shape import Shape
from zhiling.rows.templates.spelling import Mention, Unparsed
from zhiling.rows.templates.view import At, View, found_mention, mention_of, told_mention, word_of


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
        """The entities in order; tokens and tags are not told, nor words beside a place."""
        spans = [span.model_copy(update={"text": None}) for span in truth.spans]
        return target.Entities(spans=sorted(spans, key=_span_order))

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


def _span(at: At, words: str, label: str) -> target.Span:
    return target.Span(message=at[0], start=at[1], end=at[1] + len(words), label=label)


def _span_order(span: target.Span) -> tuple[int, int, int, str]:
    return span.message, span.start, span.end, span.label
