"""What a customer wanted in a conversation, and the answers that an agent tried on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from zhiling.synthesis.exchanges import Conversation
from zhiling.synthesis.outcomes import Outcome, complains, says

_THANKS_CHARACTERS = 60


@dataclass(frozen=True)
class Try:
    """An answer to an issue.

    Attributes:
        exchange: its place among the conversation's exchanges.
        answer: the agent's words.
        outcome: how it ended.
    """

    exchange: int
    answer: str
    outcome: Outcome


@dataclass
class Issue:
    """A question with all that was tried.

    Attributes:
        question: the customer's words, with what was added where the agent asked back.
        tries: answers in their order; empty where the agent only asked back.
    """

    question: str
    tries: list[Try] = field(default_factory=list[Try])


def issues(conversation: Conversation, outcomes: Sequence[Outcome]) -> list[Issue]:
    """The issues of a conversation in their order.

    An issue stays open while the agent asks back (what the customer adds belongs to the question) and while
    the customer complains (another answer is tried). Any other words open the next one; thanks are none.

    Args:
        conversation: with its exchanges.
        outcomes: one an exchange, as `outcomes` gives them.
    """
    found: list[Issue] = []
    held = False
    for number, (exchange, outcome) in enumerate(zip(conversation.exchanges, outcomes, strict=True)):
        if held and found:
            found[-1].question += f"\n{exchange.question}"
        elif not found or not complains(exchange.question):
            if found and _only_thanks(exchange.question):
                continue
            found.append(Issue(exchange.question))
        held = outcome.holds
        if not held:
            found[-1].tries.append(Try(number, exchange.answer, outcome))
    return found


def _only_thanks(text: str) -> bool:
    asks = "?" in text or "？" in text
    return says("confirms", text) and not asks and len(text) <= _THANKS_CHARACTERS
