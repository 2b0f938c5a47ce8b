"""Conversations as a model reads them: by its chat template, or plainly where it has none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from jinja2 import TemplateError

PLAIN_BREAK = "\n\n"
"""Between the turns, and before the reply, of a conversation told to a model without a chat template."""

_SPOKEN = {"system": "system", "user": "user", "assistant": "assistant", "document": "user", "tool": "tool"}


@dataclass(frozen=True)
class Turn:
    """Who spoke, and what."""

    role: str
    text: str


@dataclass(frozen=True)
class Asked:
    """A conversation up to its last reply: what stands before it, and the reply."""

    before: tuple[Turn, ...]
    reply: str


def asked(messages: Sequence[Mapping[str, Any]]) -> Asked:
    """A row's conversation up to the assistant's last turn; what follows it is left out.

    A document is told as a turn of the user's, and turns of one speaker in a row are one turn, as chat
    templates ask for. Media, tool calls and reasoning are left out.

    Raises:
        ValueError: the assistant says nothing.
    """
    last = max((place for place, each in enumerate(messages) if each["role"] == "assistant"), default=-1)
    if last < 0:
        raise ValueError("the conversation has no turn of the assistant's")
    turns: list[Turn] = []
    for each in messages[:last]:
        role, text = _SPOKEN.get(each["role"], "user"), each["text"] or ""
        if turns and turns[-1].role == role:
            turns[-1] = Turn(role, f"{turns[-1].text}{PLAIN_BREAK}{text}")
        else:
            turns.append(Turn(role, text))
    return Asked(tuple(turns), messages[last]["text"] or "")


def has_template(tokenizer: Any) -> bool:
    """Whether the tokenizer says how a conversation is told."""
    return bool(getattr(tokenizer, "chat_template", None))


def prompt_text(tokenizer: Any, before: Sequence[Turn]) -> str | None:
    """What a model reads before it replies; None where its template takes no such conversation.

    By the chat template (with the mark at which the assistant begins), its mark of the beginning included.
    Without a template: the texts, each followed by an empty line.
    """
    if not has_template(tokenizer):
        return "".join(f"{turn.text}{PLAIN_BREAK}" for turn in before)
    return _told(tokenizer, before, ends_in_reply=False)


def whole_text(tokenizer: Any, conversation: Asked) -> str | None:
    """The conversation with its reply by the chat template; None where the template does not take it."""
    return _told(tokenizer, (*conversation.before, Turn("assistant", conversation.reply)), ends_in_reply=True)


def _told(tokenizer: Any, turns: Sequence[Turn], *, ends_in_reply: bool) -> str | None:
    lines = [{"role": turn.role, "content": turn.text} for turn in turns]
    try:
        text = tokenizer.apply_chat_template(lines, tokenize=False, add_generation_prompt=not ends_in_reply)
    except TemplateError:  # how a template says that it does not take these roles
        return None
    return cast(str, text)
