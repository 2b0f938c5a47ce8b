"""What the model calls of a recipe will come to, told before anything is paid: always an interval.

Prompts are made of a sample of the rows, as the step would make them, and none is sent. Until a step was
previewed, tokens and seconds are bounded by what is possible; after `zhiling preview STEP` they are those of
the calls that were then made, with the interval of their mean (Student's t).
"""

from __future__ import annotations

import itertools
import math
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
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
from zhiling.rows.conversation import dialogue
from zhiling.rows.schema import MATERIAL_TASKS, ROW
from zhiling.workflow.interval import NOTHING, Interval, mean_of
from zhiling.workflow.models import DATABASE
from zhiling.workflow.recipe import Recipe

FIGURES = ("calls", "tokens", "usd", "seconds")
Known = Mapping[str, Sequence[CallFacts]]
"""Role → what calls of a preview took."""
SAMPLE_ROWS = 200
_TOKENS_PER_BYTE = (0.12, 0.27, 0.5)  # of English and of Chinese, by the tokenizers of today
_TOKENS_PER_MESSAGE = (0, 5, 16)
_REPLY_SHARE = (0.02, 0.25, 1.0)  # of `max_tokens`
_SECONDS = (0.02, 3.0, 30.0)  # for one answer
_UNSEEN = 3.0  # times longer or shorter may be prompts about rows that are not made yet
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


@dataclass(frozen=True)
class _Asked:
    """What a step would ask about the sample, scaled to all rows."""

    calls: Interval
    prompt_bytes: float  # mean of a call
    messages: float
    replies: float  # mean samples of a call
    unseen: float = 1.0  # how far prompts may be longer or shorter, as their rows are not made yet


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
    if not recipe.roles():
        return Planned()
    samples = {line.id: _sample(line, plan) for line in plan.sources}
    planning = _Planning(plan, samples, rows)
    found: list[CallEstimate] = []
    with ResponseStore(recipe.root / DATABASE) as store:
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


@dataclass(frozen=True)
class _Made:
    """Rows that a step adds: their number, where that can be told, and the names that they came through."""

    rows: Interval | None
    via: frozenset[str]
    block: StepLine | RepeatLine


class _Planning:
    """Goes through the steps in order and keeps in mind what those before add and may drop."""

    def __init__(self, plan: Plan, samples: Mapping[str, pl.DataFrame], rows: Mapping[str, int]) -> None:
        self._plan, self._samples, self._rows = plan, samples, rows
        self._made: list[_Made] = []
        self._may_drop = False
        self.unknown: list[str] = []

    def take(self, outer: StepLine | RepeatLine, line: StepLine) -> _Asked | None:
        """What the step asks; None where it asks nothing, or that cannot be told (`unknown`)."""
        step, asked = line.step, None
        if isinstance(step, Asks):
            asked = self._asked(outer, line, step)
        if step.roles() and (asked is None or None in [each.rows for each in self._reaching(outer, line)]):
            self.unknown.append(line.id)
        adds = isinstance(step, Make) and step.effect == "adds"
        if adds:
            written = asked and asked.calls.times(*(asked.replies * share for share in _ACCEPTED))
            via = frozenset({line.id, *(line.sources or self._samples)})
            self._made.append(_Made(written, via, outer))
        self._may_drop |= (
            isinstance(step, Decide | Make) and getattr(step, "effect", "replaces") == "replaces"
        )
        return asked

    def _reaching(self, outer: StepLine | RepeatLine, line: StepLine) -> list[_Made]:
        """Rows made before that the step sees: none where it is about material; in a block, the block's."""
        if line.step.material:
            return []
        made = [each for each in self._made if not line.sources or each.via & set(line.sources)]
        if not isinstance(outer, RepeatLine):
            return made
        return [each for each in made if (each.block is outer) != isinstance(line.step, Make)]

    def _asked(self, outer: StepLine | RepeatLine, line: StepLine, step: Asks) -> _Asked | None:
        writes = isinstance(step, Make)
        inside = isinstance(outer, RepeatLine) and not writes  # sees what the block makes, no source
        asks, calls, applied = ([], NOTHING, 0) if inside else self._of_sources(line, step)
        told = [each.rows for each in self._reaching(outer, line) if each.rows is not None]
        probed = asks or _first_asks(self._plan, line, step, _probe(step)) if told else asks
        if not probed:
            return None
        requests = _requests(probed)
        each = 1 / len(requests)
        calls = calls.times(*(_KEPT_BEFORE if self._may_drop else (1, 1, 1)))
        for made in told:
            more = made.times(*(len(requests) / max(1, applied) if asks else len(requests),) * 3)
            calls = calls.plus(more.times(*_KEPT_BEFORE))
        sizes = sum(map(_size, requests)) * each
        messages = sum(len(request.messages) for request in requests) * each
        asked = _Asked(calls, sizes, messages, len(probed) * each, _UNSEEN if told else 1.0)
        return _repeated(asked, outer) if isinstance(outer, RepeatLine) and writes else asked

    def _of_sources(self, line: StepLine, step: Asks) -> tuple[list[Ask], Interval, int]:
        """What is asked about the samples, calls for all rows of the sources, and how many rows it is."""
        asks, calls, applied = list[Ask](), NOTHING, 0
        wanted = ["id", *step.reads()]
        for name, sample in self._samples.items():
            if (line.sources and name not in line.sources) or not set(wanted) <= set(sample.columns):
                continue
            mask = step.applies(sample)
            chosen = sample if mask is None else sample.filter(mask)
            if not step.material:
                chosen = chosen.filter(~pl.col("task").is_in(list(MATERIAL_TASKS)).fill_null(value=False))
            here = _first_asks(self._plan, line, step, chosen.select(wanted))
            scale = self._rows[name] / sample.height
            count = len(_requests(here)) * scale
            spread = 0.0 if scale == 1 else 2 * math.sqrt(max(1, len(here))) * scale
            calls = calls.plus(Interval(max(0.0, count - spread), count, count + spread))
            asks += here
            applied += chosen.height
        return asks, calls, applied


def _probe(step: Asks) -> pl.DataFrame:
    """A row of middling length in the place of those that are not made yet; none for what reads measures."""
    if not set(step.reads()) <= {"messages", "language", "task"}:
        return pl.DataFrame(
            schema={"id": pl.String, **{name: ROW.get(name, pl.Null()) for name in step.reads()}}
        )
    texts = {"user": pl.Series(["what " * 40]), "assistant": pl.Series(["this " * 80])}
    row = pl.DataFrame({"id": ["0" * 32], "messages": dialogue(texts), "task": ["dialogue"]})
    return row.with_columns(language=pl.lit(None, dtype=pl.String)).select("id", *step.reads())


def _first_asks(plan: Plan, line: StepLine, step: Asks, rows: pl.DataFrame) -> list[Ask]:
    """What the step asks about the sample; one that learns first learns from the sample."""
    if not rows.height:
        return []
    context = Context(line.id, plan.seed, root=plan.root)
    if not step.fits():
        return step.first_asks(rows, context)
    with tempfile.TemporaryDirectory(prefix="zhiling-estimate-") as folder:
        step.fit(rows, context, Path(folder))
        return step.first_asks(rows, replace(context, state=Path(folder)))


def _requests(asks: Sequence[Ask]) -> list[ChatRequest]:
    """The requests that are sent: samples of one go out together."""
    return list(
        {id(ask.request): ask.request for ask in asks if isinstance(ask.request, ChatRequest)}.values()
    )


def _size(request: ChatRequest) -> int:
    return sum(len(str(message.content).encode()) for message in request.messages)


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


def _rest(asked: _Asked) -> tuple[float, float, float, float]:
    return asked.prompt_bytes, asked.messages, asked.replies, asked.unseen


def _told(
    line: StepLine,
    step: Asks,
    asked: _Asked,
    roles: Mapping[str, Role],
    known: Known,
) -> Iterator[CallEstimate]:
    first = asked.calls.times(*_AGAIN)
    own = _estimate(line.id, step.model, roles[step.model], first, _guess(step, asked), known)
    for role, share in step.later_calls().items():
        calls = asked.calls.times(0, share * asked.replies, share * asked.replies).times(*_AGAIN)
        grown = _Asked(calls, asked.prompt_bytes + 2 * step.max_tokens, asked.messages, 1.0, asked.unseen)
        later = _estimate(line.id, role, roles[role], calls, _guess(step, grown), known)
        if role == step.model:
            own = own.plus(later)
        else:
            yield later
    yield own


def _guess(step: Asks, asked: _Asked) -> tuple[Interval, Interval]:
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
