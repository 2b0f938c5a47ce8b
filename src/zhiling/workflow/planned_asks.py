"""What the steps of a recipe will ask of models, found out on a sample: how often, and how much is said."""

from __future__ import annotations

import itertools
import math
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from zhiling.llm.asking import Asks
from zhiling.llm.verdict import Ask
from zhiling.llm.wire import ChatRequest
from zhiling.pipeline.number import number_source
from zhiling.pipeline.plan import Plan, RepeatLine, SourceLine, StepLine
from zhiling.pipeline.step import Context, Decide, Make
from zhiling.rows.conversation import dialogue
from zhiling.rows.schema import MATERIAL_TASKS, ROW
from zhiling.workflow.interval import NOTHING, Interval

SAMPLE_ROWS = 200
_UNSEEN = 3.0  # times longer or shorter may be prompts about rows that are not made yet
_ACCEPTED = (0.3, 0.75, 1.0)  # of what `repeat` asks for
_KEPT_BEFORE = (0.4, 0.9, 1.0)  # of the rows, where a step in front may reject some


@dataclass(frozen=True)
class Asked:
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


def sample_of(line: SourceLine, plan: Plan) -> pl.DataFrame:
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


class Planning:
    """Goes through the steps in order and keeps in mind what those before add and may drop."""

    def __init__(self, plan: Plan, samples: Mapping[str, pl.DataFrame], rows: Mapping[str, int]) -> None:
        self._plan, self._samples, self._rows = plan, samples, rows
        self._made: list[_Made] = []
        self._may_drop = False
        self.unknown: list[str] = []

    def take(self, outer: StepLine | RepeatLine, line: StepLine) -> Asked | None:
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

    def _asked(self, outer: StepLine | RepeatLine, line: StepLine, step: Asks) -> Asked | None:
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
        asked = Asked(calls, sizes, messages, len(probed) * each, _UNSEEN if told else 1.0)
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


def _repeated(asked: Asked, outer: RepeatLine) -> Asked:
    """Rounds until enough is accepted: as many calls as that takes, at most all rounds."""
    wanted = outer.until.accepted or sum(outer.until.quotas.values())
    most = asked.calls.high * outer.rounds
    if not wanted:
        return replace(asked, calls=Interval(asked.calls.low, most / 2, most))
    need = [wanted / asked.replies / share for share in reversed(_ACCEPTED)]
    # the last round is asked whole, though fewer rows may be wanted of it
    calls = Interval(min(need[0], most), min(need[1] + asked.calls.likely / 2, most),
                     min(need[2] + asked.calls.high, most))  # fmt: skip
    return replace(asked, calls=calls)
