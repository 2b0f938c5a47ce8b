"""Whether a dialogue's states follow from what was said and done, turn by turn, and its policy was kept.

said = [Message("user", "A table in Bath, please."), Message("assistant", "Done.")]
asked = Act(act="inform", domain="table", slot="city", values=["Bath"])
wrong = Slot(domain="table", slot="city", value="York")
list(replay(said, [DialogueTurn(message=0, acts=[asked], state=[wrong])]))
# unfounded_state: table city is 'York', which nobody said; ignored_act: … informs of 'Bath' …
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import NamedTuple

from zhiling.rows.target import Act, DialogueTurn, Slot
from zhiling.verification.constraint_kinds import folded, standing
from zhiling.verification.facts import facts
from zhiling.verification.numbers import Key as FactKey

_WORD = re.compile(r"[^\W_]+")
Key = tuple[str, str]
"""Domain and slot."""
State = dict[Key, list[Slot]]
UNSPOKEN = frozenset(
    {
        "true",
        "false",
        "yes",
        "no",
        "dontcare",
        "don't care",
        "none",
        "any",
        "是",
        "否",
        "有",
        "无",
        "不限",
        "都行",
    }
)
"""Values that are meant rather than said; acts alone tell them."""


class Message(NamedTuple):
    """Who says what."""

    role: str
    text: str


class Fault(StrEnum):
    """What can be wrong with a dialogue."""

    BROKEN_TARGET = "broken_target"
    UNFOUNDED_STATE = "unfounded_state"
    LOST_STATE = "lost_state"
    IGNORED_ACT = "ignored_act"
    UNSAID_VALUE = "unsaid_value"
    UNANSWERED_REQUEST = "unanswered_request"
    BROKEN_RULE = "broken_rule"


@dataclass(frozen=True)
class Policy:
    """How acts are named, and what must hold of them. Names of acts are compared without case.

    Attributes:
        informs: acts of the user that set their slot.
        requests: acts of the user that the next turn of the assistant answers, by any act about the slot.
        refusals: acts of the assistant that answer whatever was requested.
        said: whether values of acts must be said in their turn.
        unspoken: slots whose values are said in other words (a level of price), so that acts alone tell
            them; `domain-slot` or the slot alone.
        never_before: act → acts that must not stand before it in their domain.
        forbidden: acts that must not stand anywhere.
        phrases: act → phrases one of which its turn must hold.
        unsayable: phrases that the assistant must not say.
    """

    informs: Sequence[str] = ("inform",)
    requests: Sequence[str] = ("request",)
    refusals: Sequence[str] = ()
    said: bool = True
    unspoken: Sequence[str] = ()
    never_before: Mapping[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]])
    forbidden: Sequence[str] = ()
    phrases: Mapping[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]])
    unsayable: Sequence[str] = ()


Found = Iterator[tuple[Fault, str]]


def replay(messages: Sequence[Message], turns: Sequence[DialogueTurn], policy: Policy | None = None) -> Found:
    """What is wrong with a dialogue, each with its message.

    A value that is new in a state was said up to there or is that of an act; a slot stays until its domain is
    left out whole or another value takes its place; what the user informs of stands in the state; values of
    acts stand in their turn. Where the user's acts are not told, values that are meant rather than said are
    believed. Values are compared in NFKC and without case, numbers by value.

    Args:
        messages: of the dialogue, in order.
        turns: what they do, in order; a message without a turn does nothing.
        policy: names of acts and rules; None: those that come with it, and no rules.
    """
    told = {turn.message: turn for turn in turns}
    if len(told) < len(turns) or list(told) != sorted(told):
        yield Fault.BROKEN_TARGET, f"turns are told twice or out of order: {[turn.message for turn in turns]}"
    beyond = [turn.message for turn in turns if turn.message >= len(messages)]
    if beyond:
        yield Fault.BROKEN_TARGET, f"turns of messages {beyond}: there are {len(messages)}"
    acted = {number for number, turn in told.items() if turn.acts}
    run = _Run(policy or Policy(), acted=any(messages[at].role == "user" for at in acted - set(beyond)))
    for number, message in enumerate(messages):
        turn = told.get(number, DialogueTurn(message=number))
        yield from ((fault, f"message {number}: {words}") for fault, words in run.after(message, turn))


class _Said:
    """A message as values are looked for in it; its facts are read when one is first looked for."""

    def __init__(self, text: str) -> None:
        self._text = text
        self.folded = folded(text)

    def holds(self, value: str) -> bool:
        """Whether the value stands there by its words, or its numbers and dates by value and the rest so."""
        if standing(self.folded, value):
            return True
        read = facts(value)
        return (
            bool(read.claims)
            and read.claims.keys() <= self._facts
            and all(standing(self.folded, word) for word in _WORD.findall(read.text))
        )

    @cached_property
    def _facts(self) -> set[FactKey]:
        return facts(self._text).mentions


class _Run:
    """A dialogue up to a turn: its state, what was said, what is waited for."""

    def __init__(self, policy: Policy, *, acted: bool) -> None:
        self._policy, self._acted = policy, acted
        self._rules = _Rules(policy)
        self._state: State = {}
        self._heard: list[_Said] = []
        self._values: set[str] = set()
        self._waiting: dict[Key, str] = {}

    def after(self, message: Message, turn: DialogueTurn) -> Found:
        """What is wrong with the next turn."""
        user = message.role == "user"
        said = _Said(message.text)
        self._heard.append(said)
        yield from self._unsaid(turn.acts, said)
        self._values |= {folded(value) for act in turn.acts for value in act.values}
        if message.role == "assistant":
            yield from self._unanswered(turn.acts)
        if turn.state is not None:
            state = _by_key(turn.state)
            yield from self._moved_to(state)
            if user:
                yield from self._ignored(turn.acts, state)
            self._state = state
        if user:
            self._waiting = {
                (act.domain, act.slot): act.act
                for act in turn.acts
                if act.slot and _named(act, self._policy.requests)
            }
        yield from self._rules.broken(message, turn.acts, said.folded)

    def _unsaid(self, acts: Sequence[Act], said: _Said) -> Found:
        for act in acts if self._policy.said else ():
            for value in act.values:
                if self._spoken(act.domain, act.slot, value) and not said.holds(value):
                    yield Fault.UNSAID_VALUE, f"{_told(act)} {value!r:.60} is not said there"

    def _unanswered(self, acts: Sequence[Act]) -> Found:
        """A message that does nothing, as before a call of a tool, leaves the request waiting."""
        if not acts:
            return
        waiting, self._waiting = self._waiting, {}
        if any(_named(act, self._policy.refusals) for act in acts):
            return
        about = {act.slot for act in acts}
        for (domain, slot), act in waiting.items():
            if slot not in about:
                yield Fault.UNANSWERED_REQUEST, f"nothing is said about the {act} of {domain} {slot}"

    def _moved_to(self, state: State) -> Found:
        for key, slots in state.items():
            before = set[str]().union(*map(_spellings, self._state.get(key, [])))
            for slot in slots:
                if folded(slot.value) not in before and not self._founded(slot):
                    yield Fault.UNFOUNDED_STATE, f"{' '.join(key)} is {slot.value!r:.60}, which nobody said"
        domains = {domain for domain, _ in state}
        for domain, slot in self._state:
            if domain in domains and (domain, slot) not in state:
                yield Fault.LOST_STATE, f"{domain} {slot} is no longer in the state"

    def _ignored(self, acts: Sequence[Act], state: State) -> Found:
        """Several values of an act are alternatives: one of them is enough."""
        for act in acts:
            if not (act.slot and act.values and _named(act, self._policy.informs)):
                continue
            held = state.get((act.domain, act.slot), [])
            if not set[str]().union(*map(_spellings, held)) & set(map(folded, act.values)):
                found = f"stands there as {held[0].value!r:.60}" if held else "is not in the state"
                yield Fault.IGNORED_ACT, f"{_told(act)} {act.values[0]!r:.60} {found}"

    def _founded(self, slot: Slot) -> bool:
        if _spellings(slot) & self._values:
            return True
        if not self._spoken(slot.domain, slot.slot, slot.value):
            return not self._acted
        each = [slot.value, *(slot.also or ())]
        return any(said.holds(value) for said in self._heard for value in each)

    def _spoken(self, domain: str, slot: str, value: str) -> bool:
        unspoken = self._policy.unspoken
        return folded(value) not in UNSPOKEN and slot not in unspoken and f"{domain}-{slot}" not in unspoken


class _Rules:
    """The rules of a policy, with the acts that stood so far in each domain."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._done: set[tuple[str, str]] = set()
        self._after = {
            later.casefold(): first for first, others in policy.never_before.items() for later in others
        }
        self._unsayable = [folded(phrase) for phrase in policy.unsayable]

    def broken(self, message: Message, acts: Sequence[Act], said: str) -> Found:
        """The rules that a turn breaks."""
        for act in acts:
            first = self._after.get(act.act.casefold())
            if first is not None and (act.domain, first.casefold()) not in self._done:
                yield Fault.BROKEN_RULE, f"{act.act} of {act.domain or 'the dialogue'} stands before {first}"
            if _named(act, self._policy.forbidden):
                yield Fault.BROKEN_RULE, f"{act.act} is forbidden"
            phrases = [each for name, each in self._policy.phrases.items() if _named(act, [name])]
            for wanted in phrases:
                if not any(folded(phrase) in said for phrase in wanted):
                    yield Fault.BROKEN_RULE, f"{act.act} without {' or '.join(map(repr, wanted))}"
        self._done |= {(act.domain, act.act.casefold()) for act in acts}
        if message.role == "assistant":
            for phrase in self._unsayable:
                if standing(said, phrase):
                    yield Fault.BROKEN_RULE, f"{phrase!r} must not be said"


def _named(act: Act, names: Iterable[str]) -> bool:
    return act.act.casefold() in {name.casefold() for name in names}


def _told(act: Act) -> str:
    return " ".join(filter(None, (act.act, act.domain, act.slot)))


def _spellings(slot: Slot) -> set[str]:
    return {folded(value) for value in (slot.value, *(slot.also or ()))}


def _by_key(slots: Sequence[Slot]) -> State:
    """A slot may have several values at once."""
    state: State = {}
    for slot in slots:
        state.setdefault((slot.domain, slot.slot), []).append(slot)
    return state
