"""Two-sided talks about passages: first a blueprint that can be checked, then the talk that keeps to it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

import orjson
from pydantic import Field, model_validator

from zhiling.llm.asking import Said, accepts, in_language, said
from zhiling.llm.reply import Reply
from zhiling.llm.verdict import Accept, Ask, Complaint
from zhiling.llm.wire import Request
from zhiling.pipeline.step import Context
from zhiling.rows.target import CONTEXT
from zhiling.synthesis.teacher import Draft, FromPassages, Written


class Fact(Said):
    """Something that the talk has to say: what it is, and its value, word for word as in the passage."""

    about: str
    value: str


class Blueprint(Said):
    """Who asks, what for, and what has to be said until the goal is reached."""

    user: str
    goal: str
    facts: list[Fact]


class Line(Said):
    """One turn."""

    speaker: Literal["user", "assistant"]
    text: str


class Talk(Said):
    """The turns in order."""

    turns: list[Line]


class Dialogue(FromPassages):
    """Writes a talk between a user with a goal and an assistant who knows a passage.

    The teacher first plans it: user, goal, and facts whose values stand in the passage word for word. When
    the plan holds, it writes the turns; each value must be said by the assistant. A row is the passage (role
    `document`) and the turns; the plan stands in `extra`.

    Failed attempts, beside those of every call: of the plan `not_verbatim`, `facts_count`, `repeated_fact`,
    `empty_field`; of the talk `turn_order` (user first, turn about, assistant last), `turns_count`,
    `fact_unsaid` (no turn of the assistant's holds its value), `empty_field`, `wrong_language`, `repeated`.

    Prompts: dialogue_plan, dialogue_talk.
    """

    name = "dialogue"
    about = ("dialogue",)
    stages = 2
    cost: ClassVar[str] = "two calls a row"
    limits: ClassVar[str] = (
        "That each value is said says not that nothing false is said beside it: put `grounding` or a `judge` "
        "behind. A value counts as said with other white space and in any case, not in other words."
    )
    source: ClassVar[str] = (
        "Shah et al. 2018, Building a conversational agent overnight (outline first, then wording); "
        "Dai et al. 2022, Dialog inpainting (talks out of documents)"
    )
    prompts = {
        "dialogue_plan": ("passage", "facts"),
        "dialogue_talk": ("passage", "user", "goal", "facts", "fewest", "most"),
    }

    facts: int = Field(3, ge=1, le=20, description="facts that the talk has to say")
    fewest_turns: int = Field(4, ge=2, description="turns of both sides, at least")
    most_turns: int = Field(12, ge=2, description="turns of both sides, at most")
    with_passage: bool = Field(True, description="whether the row shows the passage in front of the talk")

    @model_validator(mode="after")
    def _turns_fit(self) -> Dialogue:
        if self.fewest_turns > self.most_turns:
            raise ValueError(f"fewest_turns={self.fewest_turns} is above most_turns={self.most_turns}")
        return self

    def asked(self, passage: str, language: str, draw: float, root: Path) -> tuple[Request, Accept, Any]:
        """The plan."""
        values = {"passage": passage, "facts": self.facts}
        request = self.request("dialogue_plan", language, root, values, Blueprint)
        return request, accepts(Blueprint, self._plan_check(passage)), passage

    def _plan_check(self, passage: str) -> Callable[[Blueprint], Complaint | None]:
        def check(plan: Blueprint) -> Complaint | None:
            values = [fact.value for fact in plan.facts]
            if not (plan.user and plan.goal and all(fact.about and fact.value for fact in plan.facts)):
                return Complaint("empty_field", "the plan leaves a field empty")
            if len(values) != self.facts:
                return Complaint("facts_count", f"{len(values)} facts, {self.facts} are wanted")
            if len({value.casefold() for value in values}) < len(values):
                return Complaint("repeated_fact", "two facts have the same value")
            absent = next((value for value in values if not says(passage, value)), None)
            if absent is None:
                return None
            return Complaint("not_verbatim", f"the passage does not say {absent[:80]!r}")

        return check

    def onward(self, draft: Draft, reply: Reply, context: Context) -> Draft:
        """The talk, by the plan."""
        plan, passage = said(Blueprint, reply), draft.about
        values = {
            "passage": passage, "user": plan.user, "goal": plan.goal,
            "facts": [fact.model_dump() for fact in plan.facts],
            "fewest": self.fewest_turns, "most": self.most_turns,
        }  # fmt: skip
        request = self.request("dialogue_talk", draft.language, context.root, values, Talk)
        accept = accepts(Talk, self._talk_check(plan, draft.language))
        ask = Ask(request, draft.sample, accept=accept)
        return Draft(draft.parents, draft.sample, draft.language, ask, (passage, plan))

    def _talk_check(self, plan: Blueprint, language: str) -> Callable[[Talk], Complaint | None]:
        def check(talk: Talk) -> Complaint | None:
            turns = talk.turns
            if not self.fewest_turns <= len(turns) <= self.most_turns:
                wanted = f"{self.fewest_turns} to {self.most_turns} are wanted"
                return Complaint("turns_count", f"{len(turns)} turns, {wanted}")
            if [turn.speaker for turn in turns] != ["user", "assistant"] * (len(turns) // 2):
                return Complaint("turn_order", "user first, turn about, assistant last")
            return _spoken(turns, language) or _unsaid(turns, plan)

        return check

    def written(self, draft: Draft, reply: Reply) -> Written:
        """The passage and the turns; the plan beside them."""
        passage, plan = draft.about
        shown = [("document", passage, CONTEXT)] if self.with_passage else []
        turns = [(turn.speaker, turn.text, None) for turn in said(Talk, reply).turns]
        extra = orjson.dumps({"plan": plan.model_dump()}).decode()
        return Written([*shown, *turns], "dialogue", extra=extra)


def _spoken(turns: Sequence[Line], language: str) -> Complaint | None:
    """The first turn that says nothing, or says it in another language."""
    for number, turn in enumerate(turns, 1):
        if not turn.text:
            return Complaint("empty_field", f"turn {number} is empty")
        if not in_language(turn.text, language):
            return Complaint("wrong_language", f"turn {number}: {turn.text[:80]!r}")
    return None


def _unsaid(turns: Sequence[Line], plan: Blueprint) -> Complaint | None:
    """The first fact that the assistant leaves out."""
    told = "\n".join(turn.text for turn in turns if turn.speaker == "assistant")
    missing = next((fact for fact in plan.facts if not says(told, fact.value)), None)
    return missing and Complaint("fact_unsaid", f"the assistant never says {missing.value[:80]!r}")


def says(text: str, value: str) -> bool:
    """Whether a value stands in a text as a whole, white space and case apart: "8" does not stand in "18"."""
    words = r"\s+".join(re.escape(word) for word in value.split())
    before = r"(?<![0-9A-Za-z])" if value[:1].isascii() and value[:1].isalnum() else ""
    after = r"(?![0-9A-Za-z])" if value[-1:].isascii() and value[-1:].isalnum() else ""
    return bool(words) and re.search(f"{before}{words}{after}", text, re.IGNORECASE) is not None
