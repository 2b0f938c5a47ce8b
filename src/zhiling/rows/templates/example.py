"""A labelled example, and the texts of it that a prompt shows: one field a name (see ADR 0005)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from pydantic import BaseModel, ValidationError

from zhiling.rows import target
from zhiling.rows.templates.pattern import Piece
from zhiling.rows.templates.phrases import Phrases
from zhiling.rows.templates.shapes import OF_MODEL, letter
from zhiling.rows.templates.view import Unfit

CHOICES = "choices"
"""The field that all messages named `choice` make."""

DIALOGUE = "dialogue"
"""The field that several turns without a name make."""

Truth = BaseModel
"""One of the models of `rows/target.py`."""


class Turn(NamedTuple):
    """A message of an example."""

    role: str
    text: str
    name: str | None = None


@dataclass(frozen=True)
class Example:
    """Texts and their truth.

    Attributes:
        task: the row's task.
        turns: its messages.
        truth: its target; None where the reply is the whole truth.
    """

    task: str
    turns: Sequence[Turn]
    truth: Truth | None = None

    @cached_property
    def layout(self) -> Layout:
        """What stands where in it."""
        return layout(self)

    @property
    def shape(self) -> str:
        """The shape that a reply tells the truth in."""
        return "reply" if self.truth is None else OF_MODEL[type(self.truth)]


_BY_KEY = {
    "labels": target.Labels,
    "score": target.Score,
    "spans": target.Entities,
    "relations": target.Relations,
    "answers": target.Answers,
    "choice": target.Choice,
    "source_language": target.Translation,
    "constraints": target.Constraints,
    "state": target.DialogueState,
    "tests": target.Tests,
    "steps": target.Steps,
}


def truth_of(task: str, document: str | None) -> Truth | None:
    """The truth in a row's `target` (JSON); None where its task has no target.

    Raises:
        Unfit: the target has none of the task's shapes.
    """
    allowed = target.SHAPES.get(task, ())
    if document is None or document in ("", "null"):
        if allowed:
            raise Unfit("no_target", f"a row of task {task!r} has no target")
        return None
    model = next((each for key, each in _BY_KEY.items() if f'"{key}"' in document and each in allowed), None)
    if model is None:
        known = ", ".join(each.__name__ for each in allowed)
        raise Unfit("broken_target", f"{document!r:.80} is none of {known} for task {task!r}")
    try:
        return model.model_validate_json(document)
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(map(str, problem["loc"]))
        raise Unfit("broken_target", f"target of task {task!r}: {where}: {problem['msg']}") from error


@dataclass(frozen=True)
class Layout:
    """What stands where in an example.

    Attributes:
        system: index of the system message.
        fields: name → indices of its messages, in order.
        reply: index of what the example itself replies.
    """

    system: int | None
    fields: Mapping[str, Sequence[int]]
    reply: int | None

    @property
    def shown(self) -> list[int]:
        """Indices of all messages that the prompt shows."""
        return sorted(index for indices in self.fields.values() for index in indices)


def layout(example: Example) -> Layout:
    """The fields of an example: a message by its name; unnamed ones are `context`, `text` or `dialogue`.

    The last message is the example's own reply where the assistant says it, except in a dialogue whose
    truth is told in a target.
    """
    turns = example.turns
    if len(turns) == 1 and turns[0].name is None and turns[0].role == "user" and example.task != DIALOGUE:
        return Layout(None, {"text": (0,)}, None)
    talk = example.task == DIALOGUE and example.truth is not None
    reply = len(turns) - 1 if turns and turns[-1].role == "assistant" and not talk else None
    fields: dict[str, list[int]] = {}
    spoken: list[int] = []
    system = None
    for index, turn in enumerate(turns):
        if index == reply:
            continue
        if turn.role == "system" and turn.name is None:
            system = index
        elif turn.name is not None:
            fields.setdefault(CHOICES if turn.name == target.CHOICE else turn.name, []).append(index)
        elif turn.role == "document":
            fields.setdefault(target.CONTEXT, []).append(index)
        else:
            spoken.append(index)
    if spoken:
        fields[DIALOGUE if talk or len(spoken) > 1 else "text"] = spoken
    return Layout(system, fields, reply)


def pieces(
    example: Example, fields: Mapping[str, Sequence[int]], option: str, phrases: Phrases
) -> dict[str, Piece]:
    """The text of each field as a prompt shows it."""
    return {name: _piece(example.turns, name, indices, option, phrases) for name, indices in fields.items()}


def captioned(pieces: Mapping[str, Piece], phrases: Phrases) -> Piece:
    """Several fields under their captions; a single one as it is."""
    if len(pieces) == 1:
        return next(iter(pieces.values()))
    ordered = sorted(pieces.items(), key=lambda item: item[1].places[0][0])
    return joined([prefixed(_caption(name, phrases), piece) for name, piece in ordered], "\n")


def _caption(name: str, phrases: Phrases) -> str:
    after = f"{phrases.after.strip()}\n" if name in (CHOICES, DIALOGUE) else phrases.after
    return phrases.caption(name) + after


def _piece(turns: Sequence[Turn], name: str, indices: Sequence[int], option: str, phrases: Phrases) -> Piece:
    if len(indices) == 1 and name not in (CHOICES, DIALOGUE):
        return Piece(turns[indices[0]].text, ((indices[0], 0),))
    lines: list[Piece] = []
    for number, index in enumerate(indices):
        piece = Piece(turns[index].text, ((index, 0),))
        if name == CHOICES:
            head, _, tail = option.partition("{choice}")
            head, tail = (
                part.replace("{letter}", letter(number)).replace("{number}", str(number + 1))
                for part in (head, tail)
            )
            piece = prefixed(head, Piece(piece.text + tail, piece.places))
        elif name == DIALOGUE:
            piece = prefixed(phrases.speaker(turns[index].role) + phrases.after, piece)
        lines.append(piece)
    return joined(lines, "\n")


def prefixed(head: str, piece: Piece) -> Piece:
    """A piece behind a text."""
    return Piece(head + piece.text, tuple((index, start + len(head)) for index, start in piece.places))


def joined(parts: Sequence[Piece], glue: str) -> Piece:
    """Pieces one after another."""
    places: list[tuple[int, int]] = []
    length = 0
    for part in parts:
        places += [(index, length + start) for index, start in part.places]
        length += len(part.text) + len(glue)
    return Piece(glue.join(part.text for part in parts), tuple(places))
