"""What the model calls of a recipe will come to, told before anything is paid: always an interval.

Prompts are made of a sample of the rows, as the step would make them, and none is sent. Until a step was
previewed, tokens and seconds are bounded by what is possible; after `zhiling preview STEP` they are those of
the calls that were then made, with the interval of their mean (Student's t).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from zhiling.llm.asking import Asks
from zhiling.llm.role import PICO, Role
from zhiling.llm.store import CallFacts, ResponseStore
from zhiling.pipeline import fingerprint
from zhiling.pipeline.database import FILE_NAME
from zhiling.pipeline.plan import Plan, RepeatLine, StepLine, steps_of
from zhiling.workflow.interval import NOTHING, Interval, mean_of
from zhiling.workflow.planned_asks import Asked, Planning, row_counts, sample_of
from zhiling.workflow.recipe import Recipe

FIGURES = ("calls", "tokens", "usd", "seconds")
Known = Mapping[str, Sequence[CallFacts]]
"""Role → what calls of a preview took."""
_TOKENS_PER_BYTE = (0.12, 0.27, 0.5)  # of English and of Chinese, by the tokenizers of today
_TOKENS_PER_MESSAGE = (0, 5, 16)
_REPLY_SHARE = (0.02, 0.25, 1.0)  # of `max_tokens`
_SECONDS = (0.02, 3.0, 30.0)  # for one answer
_AGAIN = (1.0, 1.05, 1.5)  # calls for one: a reply that is refused is asked for once more


@dataclass(frozen=True)
class CallEstimate:
    """What one step will ask of one role.

    Attributes:
        step: its id.
        role: that it asks.
        calls: requests.
        tokens: of prompts and replies together.
        usd: US dollars.
        seconds: with as many calls at once as the role allows.
        measured: on how many calls of a preview it rests; 0: it is a guess.
    """

    step: str
    role: str
    calls: Interval
    tokens: Interval
    usd: Interval
    seconds: Interval
    measured: int

    def plus(self, later: CallEstimate) -> CallEstimate:
        """Together with the calls to the same role that follow."""
        sums = {name: getattr(self, name).plus(getattr(later, name)) for name in FIGURES}
        return replace(self, **sums)

    def as_dict(self) -> dict[str, Any]:
        """As plain JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Planned:
    """What the recipe will ask, and the steps of which that cannot be told."""

    steps: tuple[CallEstimate, ...] = ()
    unknown: tuple[str, ...] = ()

    def total(self) -> dict[str, Interval]:
        """Calls, tokens, usd and seconds of all steps together."""
        sums: dict[str, Interval] = dict.fromkeys(FIGURES, NOTHING)
        for each in self.steps:
            sums = {name: sums[name].plus(getattr(each, name)) for name in FIGURES}
        return sums


def planned_calls(recipe: Recipe, plan: Plan, rows: Mapping[str, int]) -> Planned:
    """What the steps that ask models will ask; nothing is sent.

    Args:
        recipe: with its roles.
        plan: the recipe's.
        rows: source → rows, see `row_counts`.
    """
    if not recipe.roles():
        return Planned()
    samples = {line.id: sample_of(line, plan) for line in plan.sources}
    planning = Planning(plan, samples, rows)
    found: list[CallEstimate] = []
    with ResponseStore(recipe.root / FILE_NAME) as store:
        for outer, line in _lines(plan):
            asked = planning.take(outer, line)
            if asked is not None and isinstance(line.step, Asks):
                known = store.facts(measured_as(plan, line))
                found += _told(line, line.step, asked, recipe.roles(), known)
    return Planned(tuple(found), tuple(planning.unknown))


def _lines(plan: Plan) -> Iterator[tuple[StepLine | RepeatLine, StepLine]]:
    for outer in plan.steps:
        for line in steps_of(outer):
            yield outer, line


def measured_as(plan: Plan, line: StepLine) -> str:
    """Under which name a preview's calls stand in the store: the step's, as it is now."""
    roles = [plan.role_identity(role) for role in line.step.roles()] if plan.role_identity else []
    base = fingerprint.base_key(line.step, line.id, seed=plan.seed, root=plan.root, encoder=None)
    return f"preview:{line.id}:{fingerprint.digest(base.encode(), *(each.encode() for each in roles))[:12]}"


def _told(
    line: StepLine,
    step: Asks,
    asked: Asked,
    roles: Mapping[str, Role],
    known: Known,
) -> Iterator[CallEstimate]:
    first = asked.calls.times(*_AGAIN)
    own = _estimate(line.id, step.model, roles[step.model], first, _guess(step, asked), known)
    for role, share in step.later_calls().items():
        calls = asked.calls.times(0, share * asked.replies, share * asked.replies).times(*_AGAIN)
        grown = Asked(calls, asked.prompt_bytes + 2 * step.max_tokens, asked.messages, 1.0, asked.unseen)
        later = _estimate(line.id, role, roles[role], calls, _guess(step, grown), known)
        if role == step.model:
            own = own.plus(later)
        else:
            yield later
    yield own


def _guess(step: Asks, asked: Asked) -> tuple[Interval, Interval]:
    """Tokens of the prompt and of the replies of one call, by what is possible."""
    spread = (1 / asked.unseen, 1.0, asked.unseen)
    prompt = Interval(*(
        asked.prompt_bytes * share * unseen + asked.messages * mark
        for share, mark, unseen in zip(_TOKENS_PER_BYTE, _TOKENS_PER_MESSAGE, spread, strict=True)
    ))  # fmt: skip
    return prompt, Interval(*(max(1.0, share * step.max_tokens * asked.replies) for share in _REPLY_SHARE))


def _estimate(
    step: str, name: str, role: Role, calls: Interval, guess: tuple[Interval, Interval],
    known: Known,
) -> CallEstimate:  # fmt: skip
    facts = known.get(name, ())
    prompt, reply = guess
    seconds = Interval(*_SECONDS)
    if len(facts) > 1:
        prompt = mean_of([each.prompt for each in facts], calls.likely)
        reply = mean_of([each.completion for each in facts], calls.likely)
        seconds = mean_of([each.seconds for each in facts], calls.likely)
    ends = [calls.times(*prompt.ends), calls.times(*reply.ends)]
    usd = Interval(*(
        role.price.pico(math.ceil(a), math.ceil(b)) / PICO
        for a, b in zip(ends[0].ends, ends[1].ends, strict=True)
    ))  # fmt: skip
    tokens = ends[0].plus(ends[1])
    return CallEstimate(step, name, calls, tokens, usd, _duration(role, calls, seconds, tokens), len(facts))


def _duration(role: Role, calls: Interval, seconds: Interval, tokens: Interval) -> Interval:
    """Seconds for all calls, so many at once, and no faster than the limits per minute."""
    made: list[float] = []
    for count, one, size in zip(calls.ends, seconds.ends, tokens.ends, strict=True):
        at_once = max(1.0, min(count, role.parallel * max(1, len(role.endpoint))))
        paced = [60 * count / role.rpm if role.rpm else 0.0, 60 * size / role.tpm if role.tpm else 0.0]
        made.append(max(math.ceil(count / at_once) * one, *paced))
    return Interval(*made)


__all__ = ["CallEstimate", "Interval", "Planned", "measured_as", "planned_calls", "row_counts"]
