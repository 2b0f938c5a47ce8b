"""What TRL's formats share: a prompt, a completion or an answer is a text, or a list of messages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from zhiling.rows.formats.checks import text_of
from zhiling.rows.formats.draft import Message, count_beside
from zhiling.rows.formats.spoken import Spoken
from zhiling.rows.formats.turns import read_turn, read_turns


class Sides(Spoken):
    """Reads either; a text can hold one turn only, so what else there is, is counted as lost."""

    def side(self, value: Any, field: str, role: str) -> list[Message]:
        """The messages of one side of a record; a text is one message of this role."""
        if isinstance(value, list):
            return read_turns(value, field) if value else []
        if isinstance(value, dict):
            return [read_turn(value, field)]
        return [Message(role, text_of(value, field))]

    def question(self, prompt: Sequence[Message], lost: set[str]) -> str:
        """The last question as a text."""
        asked = [message for message in prompt if message.role == "user"]
        if any(message.role == "system" for message in prompt):
            lost.add("system")
        if len(prompt) - sum(message.role == "system" for message in prompt) > 1:
            lost.add("earlier_turns")
        if not asked:
            lost.add("no_question")
        count_beside(prompt, lost)
        return (asked[-1].text or "") if asked else ""

    def answer(self, reply: Sequence[Message], lost: set[str]) -> str:
        """An answer as a text."""
        if len(reply) > 1 or any(message.role != "assistant" for message in reply):
            lost.add("turn_boundaries")
        count_beside(reply, lost)
        return "\n".join(message.text or "" for message in reply)
