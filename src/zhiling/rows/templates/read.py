"""From a templated row back to the labelled example: a reply read as truth, the texts in their messages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pydantic import BaseModel

from zhiling.rows import target
from zhiling.rows.templates.example import Turn
from zhiling.rows.templates.library import Library
from zhiling.rows.templates.render import moved
from zhiling.rows.templates.spelling import Unparsed
from zhiling.rows.templates.view import View
from zhiling.rows.templates.wording import Wording


@dataclass(frozen=True)
class Reading:
    """How the reply of one row is read.

    Attributes:
        wording: what the row was written by.
        template: how.
        turns: the messages of its example, without a reply of the example's own.
    """

    wording: Wording
    template: target.Template
    turns: Sequence[Turn]

    def parse(self, reply: str) -> BaseModel | str | Unparsed:
        """What a reply tells: truth with places in the example's own messages; a text for `reply`.

        A worked solution in front of the answer is left aside.
        """
        body = reply.rpartition("\n\n")[2] if self.template.explained else reply
        first: Unparsed | None = None
        for records in self.wording.form.readings(body):
            unread = isinstance(records, Unparsed)
            found = records if unread else self.wording.kind.truth(records, self._view)
            if not isinstance(found, Unparsed):
                return found
            first = first or found
        return first or Unparsed("wrong_form", f"{body!r:.80}")

    def parse_row(self, reply: str) -> BaseModel | str | Unparsed:
        """As `parse`, with places in the row's messages, as its target has them."""
        truth = self.parse(reply)
        if not isinstance(truth, BaseModel):
            return truth
        places = {index: (field.message, field.start) for index, field in enumerate(self.template.fields)}
        raw = moved(truth.model_dump(exclude_none=True, exclude_unset=True), places)
        return type(truth).model_validate(raw)

    @cached_property
    def _view(self) -> View:
        template = self.template
        listed = None
        if template.labels is not None:
            listed = dict(zip(template.words or template.labels, template.labels, strict=True))
        return View(
            [(index, turn.text) for index, turn in enumerate(self.turns) if turn.role != "system"],
            listed=listed,
            multi=template.multi,
            placed=template.placed,
            options=[turn.text for turn in self.turns if turn.name == target.CHOICE],
        )


def reading(messages: Sequence[str], truth: Mapping[str, Any], library: Library) -> Reading | None:
    """How a row's reply is read; None for a row that no template wrote.

    Args:
        messages: texts of the row's messages.
        truth: its target, decoded.
        library: where its wording is.

    Raises:
        UnknownName: the library does not have the wording.
    """
    if not truth.get("template"):
        return None
    template = target.Template.model_validate(truth["template"])
    turns = [
        Turn(field.role, messages[field.message][field.start : field.end], field.name)
        for field in template.fields
    ]
    return Reading(library.get(template.wording), template, turns)
