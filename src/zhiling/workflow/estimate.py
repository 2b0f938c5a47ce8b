"""What the model calls of a recipe will come to, told before anything is paid: always an interval.

Prompts are made of a sample of the rows, as the step would make them, and none is sent. Until a step was
previewed, tokens and seconds are bounded by what is possible; after `zhiling preview STEP` they are those of
the calls that were then made, with the interval of their mean (Student's t).
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import polars as pl

from zhiling.llm.asking import Asks
from zhiling.llm.role import PICO, Role
from zhiling.llm.store import CallFacts, ResponseStore
from zhiling.llm.verdict import Ask
from zhiling.llm.wire import ChatRequest
from zhiling.pipeline import fingerprint
from zhiling.pipeline.number import number_source
from zhiling.pipeline.plan import Plan, RepeatLine, SourceLine, StepLine, steps_of
from zhiling.pipeline.step import Context, Decide, Make
from zhiling.workflow.interval import NOTHING, Interval, mean_of
from zhiling.workflow.models import DATABASE
from zhiling.workflow.recipe import Recipe

Known = Mapping[str, Sequence[CallFacts]]
"""Role → what calls of a preview took."""
SAMPLE_ROWS = 200
_TOKENS_PER_BYTE = (0.12, 0.27, 0.5)  # of English and of Chinese, by the tokenizers of today
_TOKENS_PER_MESSAGE = (0, 5, 16)
_REPLY_SHARE = (0.02, 0.25, 1.0)  # of `max_tokens`
_SECONDS = (0.02, 3.0, 30.0)  # for one answer
_AGAIN = (1.0, 1.05, 1.5)  # calls for one: a reply that is refused is asked for once more
_ACCEPTED = (0.3, 0.75, 1.0)  # of what `repeat` asks for
_KEPT_BEFORE = (0.4, 0.9, 1.0)  # of the rows, where a step in front may reject some


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
        names = ("calls", "tokens", "usd", "seconds")
        sums: dict[str, Interval] = dict.fromkeys(names, NOTHING)
        for each in self.steps:
            sums = {name: sums[name].plus(getattr(each, name)) for name in names}
        return sums


@dataclass(frozen=True)
class _Asked:
    """What a step would ask about the sample, scaled to all rows."""

    calls: Interval
    prompt_bytes: float  # mean of a call
    messages: float
    replies: float  # mean samples of a call


def row_counts(plan: Plan) -> dict[str, int]:
    """Rows of each source: exact where the first batch is all of it, else by the size of its files."""
    return {line.id: _rows(line, plan) for line in plan.sources}


def _rows(line: SourceLine, plan: Plan) -> int:
    batches = line.source.read(line.files, plan.root)
    seen = sum(batch.rows.height for batch in itertools.islice(batches, 1))
    if next(iter(batches), None) is None:
        return min(seen, plan.limit) if plan.limit else seen
    size = sum(file.stat().st_size for file in line.files)
    first = line.files[0].stat().st_size
    return min(int(seen * max(1.0, size / max(1, first))), plan.limit or 2**32)


def planned_calls(recipe: Recipe, plan: Plan, rows: Mapping[str, int]) -> Planned:
    """What the steps that ask models will ask; nothing is sent.

    Args:
        recipe: with its roles.
        plan: the recipe's.
        rows: source → rows, see `row_counts`.
    """
    found: list[CallEstimate] = []
    unknown: list[str] = []
    samples: dict[str, pl.DataFrame] = {}
    if recipe.roles():
        samples = {line.id: _sample(line, plan) for line in plan.sources}
    with ResponseStore(recipe.root / DATABASE) as store:
        for outer, line in _lines(plan):
            if not isinstance(line.step, Asks):
                unknown += [line.id] if line.step.roles() else []
                continue
            asked = _asked(plan, line, line.step, samples, rows)
            if asked is None:
                unknown.append(line.id)
                continue
            if isinstance(outer, RepeatLine):
                asked = _repeated(asked, outer)
            known = store.facts(measured_as(plan, line))
            found += _told(line, line.step, asked, recipe.roles(), known)
    return Planned(tuple(found), tuple(unknown))


def _lines(plan: Plan) -> Iterator[tuple[StepLine | RepeatLine, StepLine]]:
    for outer in plan.steps:
        for line in steps_of(outer):
            yield outer, line


def measured_as(plan: Plan, line: StepLine) -> str:
    """Under which name a preview's calls stand in the store: the step's, as it is now."""
    roles = [plan.role_identity(role) for role in line.step.roles()] if plan.role_identity else []
    base = fingerprint.base_key(line.step, line.id, seed=plan.seed, root=plan.root, encoder=None)
    return f"preview:{line.id}:{fingerprint.digest(base.encode(), *(each.encode() for each in roles))[:12]}"


def _sample(line: SourceLine, plan: Plan) -> pl.DataFrame:
    """Some rows of a source's first batch, spread over it."""
    batch = next(iter(line.source.read(line.files, plan.root)), None)
    if batch is None or not batch.rows.height:
        return pl.DataFrame()
    frame = batch.rows.head(plan.limit or batch.rows.height)
    frame = frame.gather_every(max(1, math.ceil(frame.height / SAMPLE_ROWS)))
    rows = number_source(line, frame, 0, Counter())
    origin = pl.col("origin").struct
    return rows.with_columns(origin.field("group"), origin.field("source"))


def _asked(
    plan: Plan, line: StepLine, step: Asks, samples: Mapping[str, pl.DataFrame], rows: Mapping[str, int]
) -> _Asked | None:
    """None where no row of a source reaches the step: what earlier steps make is not known yet."""
    calls, asks = NOTHING, list[Ask]()
    sources = [name for name in samples if not line.sources or name in line.sources]
    wanted = ["id", *step.reads()]
    for name in sources:
        sample = samples[name]
        if not sample.height or not set(wanted) <= set(sample.columns):
            continue
        mask = step.applies(sample)
        chosen = sample if mask is None else sample.filter(mask)
        if not step.material:
            chosen = chosen.filter(~pl.col("task").is_in(["passage", "utterance"]).fill_null(False))
        here = step.first_asks(chosen.select(wanted), Context(line.id, plan.seed, root=plan.root))
        asks += here
        scale = rows[name] / sample.height
        count = len(_requests(here)) * scale
        spread = 0.0 if scale == 1 else 2 * math.sqrt(max(1, len(here))) * scale
        calls = calls.plus(Interval(max(0.0, count - spread), count, count + spread))
    if not asks:
        return None
    requests = _requests(asks)
    sizes = [_size(request) for request in requests]
    each = 1 / len(requests)
    before = plan.steps[: next(i for i, outer in enumerate(plan.steps) if line in steps_of(outer))]
    judged = any(_may_drop(inner) for outer in before for inner in steps_of(outer))
    calls = calls.times(*(_KEPT_BEFORE if judged else (1, 1, 1)))
    messages = sum(len(request.messages) for request in requests) * each
    return _Asked(calls, sum(sizes) * each, messages, len(asks) * each)


def _requests(asks: Sequence[Ask]) -> list[ChatRequest]:
    """The requests that are sent: samples of one go out together."""
    return list(
        {id(ask.request): ask.request for ask in asks if isinstance(ask.request, ChatRequest)}.values()
    )


def _size(request: ChatRequest) -> int:
    return sum(len(str(message.content).encode()) for message in request.messages)


def _may_drop(line: StepLine) -> bool:
    return isinstance(line.step, Decide) or (isinstance(line.step, Make) and line.step.effect == "replaces")


def _repeated(asked: _Asked, outer: RepeatLine) -> _Asked:
    """Rounds until enough is accepted: as many calls as that takes, at most all rounds."""
    wanted = outer.until.accepted or sum(outer.until.quotas.values())
    most = asked.calls.high * outer.rounds
    if not wanted:
        return _Asked(Interval(asked.calls.low, most / 2, most), *_rest(asked))
    need = [wanted / asked.replies / share for share in reversed(_ACCEPTED)]
    # the last round is asked whole, though fewer rows may be wanted of it
    calls = Interval(min(need[0], most), min(need[1] + asked.calls.likely / 2, most),
                     min(need[2] + asked.calls.high, most))  # fmt: skip
    return _Asked(calls, *_rest(asked))


def _rest(asked: _Asked) -> tuple[float, float, float]:
    return asked.prompt_bytes, asked.messages, asked.replies


def _told(
    line: StepLine,
    step: Asks,
    asked: _Asked,
    roles: Mapping[str, Role],
    known: Known,
) -> Iterator[CallEstimate]:
    first = asked.calls.times(*_AGAIN)
    yield _estimate(line.id, step.model, roles[step.model], first, _guess(step, asked), known)
    for role, share in step.later_calls().items():
        calls = asked.calls.times(0, share * asked.replies, share * asked.replies).times(*_AGAIN)
        grown = _Asked(calls, asked.prompt_bytes + 2 * step.max_tokens, asked.messages, 1.0)
        yield _estimate(line.id, role, roles[role], calls, _guess(step, grown), known)


def _guess(step: Asks, asked: _Asked) -> tuple[Interval, Interval]:
    """Tokens of the prompt and of the replies of one call, by what is possible."""
    prompt = Interval(*(
        asked.prompt_bytes * share + asked.messages * mark
        for share, mark in zip(_TOKENS_PER_BYTE, _TOKENS_PER_MESSAGE, strict=True)
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
