"""One row's life: where it came from, what each step said of it and why, and where it went."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import polars as pl

from zhiling.errors import ZhilingError
from zhiling.pipeline import ledger
from zhiling.pipeline.step import Verdict
from zhiling.pipeline.store import Stage
from zhiling.pipeline.table import FAILED, REJECTED, REPLACED, REVIEW
from zhiling.workflow.inspect.book import Book, answered, first_words
from zhiling.workflow.inspect.find import find_row

_MOST_OFFSPRING = 20


@dataclass(frozen=True)
class Related:
    """The row that explains a verdict.

    Attributes:
        id: as the ledger says it: an id, `run:id` or `file#locator`.
        place: where it stands in its source; None where its run is gone, or where it is a place itself.
        text: what it says; None likewise.
    """

    id: str
    place: str | None = None
    text: str | None = None


@dataclass(frozen=True)
class Event:
    """What one step said of the row.

    Attributes:
        bounds: the step's settings that its score is held against.
        values: columns that the step measured.
        detail: a failure's message and traceback.
    """

    step: str
    use: str
    kind: str
    round: int
    verdict: str
    reason: str | None
    score: float | None
    bounds: Mapping[str, float]
    related: Related | None
    detail: str | None
    values: Mapping[str, Any]


@dataclass(frozen=True)
class Chapter:
    """One row of a life: as it came, or as a step rewrote it.

    Attributes:
        outcome: exported, kept, material, review, rejected, failed or replaced.
        split: the split part, where it is exported.
    """

    id: str
    n: int
    place: str | None
    source: str | None
    licence: str | None
    group: str | None
    maker: str | None
    task: str | None
    language: str | None
    target: str | None
    messages: tuple[tuple[str, str], ...]
    steps: tuple[Event, ...]
    outcome: str
    split: str | None


@dataclass(frozen=True)
class Life:
    """A row with all that it was rewritten from and into.

    Attributes:
        before: the rows that it was written from, oldest first.
        after: the rows that it was rewritten into, in the order of the run.
        offspring: how many rows adding steps wrote from it; `offspring_ids` names some of them.
    """

    run: str
    row: Chapter
    before: tuple[Chapter, ...]
    after: tuple[Chapter, ...]
    offspring: int
    offspring_ids: tuple[str, ...]

    def render(self, language: str = "en") -> str:
        """The life as plain text, in `en` or `zh`."""
        from zhiling.workflow.inspect.life_text import render

        return render(self, language)

    def as_dict(self) -> dict[str, Any]:
        """The life as plain JSON."""
        return asdict(self)


def life(path: Path, row: str) -> Life:
    """One row's life, from the run's folder alone.

    Args:
        path: the run's folder.
        row: an id, the beginning of one (six characters or more), `n:NUMBER`, or a place (`faq.jsonl:12`).

    Raises:
        UsageError: no such row, or several; the nearest ones are named.
    """
    book = Book(path)
    n = find_row(book, row)
    before, after = _ancestors(book, n), _rewrites(book, n)
    told = [*before, n, *after]
    chapters = dict(zip(told, _chapters(book, told), strict=True))
    own = book.children.filter(pl.col("parent") == chapters[n].id).filter(~pl.col("n").is_in(after))
    return Life(
        run=book.run.id,
        row=chapters[n],
        before=tuple(chapters[each] for each in before),
        after=tuple(chapters[each] for each in after),
        offspring=own.height,
        offspring_ids=tuple(own["id"].head(_MOST_OFFSPRING).to_list()),
    )


def _ancestors(book: Book, n: int) -> list[int]:
    """Numbers of the rows that this one was written from, parents of parents too."""
    numbers = book.identity["id"]
    found: set[int] = set()
    waiting = [numbers[n]]
    while waiting:
        parents = book.children.filter(pl.col("id").is_in(waiting))["parent"].to_list()
        fresh = {number for number in book.numbers(parents).values() if number not in found}
        found |= fresh
        waiting = [numbers[number] for number in fresh]
    return sorted(found)


def _rewrites(book: Book, n: int) -> list[int]:
    """Numbers of the rows that took this one's place, and theirs."""
    found: list[int] = []
    waiting = [n]
    while waiting:
        number = waiting.pop()
        if book.table.state[number] != REPLACED:
            continue
        children = book.children.filter(pl.col("parent") == book.identity["id"][number])["n"].to_list()
        maker = _replacer(book, number)
        waiting += [child for child in children if _maker_of(book, child) == maker]
        found += [child for child in children if _maker_of(book, child) == maker]
    return sorted(found)


def _replacer(book: Book, n: int) -> str | None:
    for stage in book.stages:
        if str(Verdict.REPLACED) not in stage.counts:
            continue
        lines = book.ledger(stage, ["n", "verdict"])
        if lines.filter((pl.col("n") == n) & (pl.col("verdict") == str(Verdict.REPLACED))).height:
            return stage.id
    return None


def _maker_of(book: Book, n: int) -> str | None:
    stage = next(
        (s for s in book.stages for part in s.parts if part.rows and part.first <= n < part.last), None
    )
    return stage.id if stage else None


def _chapters(book: Book, numbers: Sequence[int]) -> list[Chapter]:
    events = _events(book, numbers)
    splits = dict(book.splits.filter(pl.col("n").is_in(list(numbers))).iter_rows())
    rows = book.rows(numbers)
    return [_chapter(book, rows[n], events[n], splits.get(n)) for n in numbers]


def _chapter(book: Book, row: Mapping[str, Any], events: Sequence[Event], split: str | None) -> Chapter:
    origin = row["origin"]
    maker = _maker_of(book, row["n"]) if origin["maker"] else None
    return Chapter(
        id=row["id"], n=row["n"], place=origin["locator"], source=origin["source"], licence=origin["licence"],
        group=origin["group"], maker=maker, task=row["task"], language=row["language"], target=row["target"],
        messages=tuple(answered(row)), steps=tuple(events), outcome=_outcome(book, row["n"], split),
        split=split,
    )  # fmt: skip


def _outcome(book: Book, n: int, split: str | None) -> str:
    left = {REJECTED: "rejected", FAILED: "failed", REPLACED: "replaced", REVIEW: "review"}
    state = left.get(int(book.table.state[n]))
    if state:
        return state
    if book.table.material[n]:
        return "material"
    return "exported" if split else "kept"


def _events(book: Book, numbers: Sequence[int]) -> dict[int, list[Event]]:
    """What each step said of each of these rows, in the order of the run."""
    found: dict[int, list[Event]] = defaultdict(list)
    for stage in book.stages:
        wanted = pl.col("n").is_in(list(numbers))
        lines = book.ledger(stage).filter(wanted)
        if not lines.height:
            continue
        measures = book.measures(stage)
        values = measures.filter(wanted).to_dicts() if measures is not None else []
        measured = {line.pop("n"): line for line in values}
        for line in lines.sort("n").to_dicts():
            found[line["n"]].append(_event(book, stage, line, measured.get(line["n"], {})))
    return found


def _event(book: Book, stage: Stage, line: Mapping[str, Any], values: Mapping[str, Any]) -> Event:
    settings = book.steps.get(stage.id)
    judged = stage.kind == "decide" and line["verdict"] not in (str(Verdict.FAILED), ledger.ATTEMPT)
    return Event(
        step=stage.id, use=stage.use, kind=stage.kind, round=stage.round, verdict=line["verdict"],
        reason=line["reason"], score=line["score"], bounds=settings.bounds() if settings and judged else {},
        related=_related(book, line["related"]) if line["related"] else None, detail=line["detail"],
        values={name.partition(".")[2]: value for name, value in values.items()},
    )  # fmt: skip


def _related(book: Book, reference: str) -> Related:
    run, separator, row = reference.rpartition(":")
    if "#" in reference or (separator and not (book.path.parent / run / "manifest.json").is_file()):
        return Related(reference)
    try:
        home = Book(book.path.parent / run) if separator else book
        found = home.numbers([row])
        record = home.rows([found[row]])[found[row]] if row in found else None
    except ZhilingError:  # the other run was removed or damaged; its id is still worth telling
        return Related(reference)
    if record is None:
        return Related(reference)
    return Related(reference, record["origin"]["locator"], first_words(record["messages"]))
