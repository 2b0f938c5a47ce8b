"""What a model is shown of a row: its messages, and the texts among them that tasks ask for by name."""

from __future__ import annotations

from zhiling.errors import UsageError
from zhiling.rows.target import CHOICE, CONTEXT
from zhiling.rows.templates.example import Turn

Input = tuple[Turn, ...]
"""What a model is shown: the messages of a labelled example, told apart by name (see `rows/target.py`)."""

SHOWN = ("user", "document")
"""Roles whose messages a model is shown; a reply would tell the answer."""


GIVEN = "given"
"""Role of a turn that holds what is known of an input beside its texts, as the JSON of a target's shape."""


def text_input(text: str) -> Input:
    """One text as an input."""
    return (Turn("user", text),)


def shown_text(turns: Input) -> str:
    """What an input shows, as one text: message under message."""
    return "\n".join(turn.text for turn in turns if turn.role in SHOWN)


def asked_text(turns: Input) -> str:
    """The same without the options."""
    return "\n".join(turn.text for turn in turns if is_asked(turn))


def is_asked(turn: Turn) -> bool:
    """Whether a message is shown, and is no option."""
    return turn.role in SHOWN and turn.name != CHOICE


def options_of(turns: Input) -> list[str]:
    """The options that an input gives.

    Raises:
        UsageError: it gives none.
    """
    options = texts_named(turns, CHOICE)
    if not options:
        raise UsageError(
            "an example has no message named `choice`", hint="Give its options as such messages."
        )
    return options


def texts_named(turns: Input, name: str) -> list[str]:
    """The texts of the messages of this name."""
    return [turn.text for turn in turns if turn.name == name]


def named(turns: Input, name: str) -> str | None:
    """The text of the first message of this name."""
    return next(iter(texts_named(turns, name)), None)


def passage_of(turns: Input) -> int | None:
    """The number of the passage among the messages: of a document, or named `context`."""
    passages = (
        number for number, turn in enumerate(turns) if turn.role == "document" or turn.name == CONTEXT
    )
    return next(passages, None)
