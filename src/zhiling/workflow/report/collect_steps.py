"""Each step's counts, reasons with examples, scores and columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl

from zhiling.pipeline.ledger import ATTEMPT
from zhiling.pipeline.step import Verdict
from zhiling.pipeline.store import Stage
from zhiling.workflow.contamination import contaminations
from zhiling.workflow.inspect.book import Book
from zhiling.workflow.report.collect_quality import length_bias
from zhiling.workflow.report.collect_rounds import limits_of, round_facts
from zhiling.workflow.report.excerpts import excerpts
from zhiling.workflow.report.facts import Column, Example, Excerpt, Histogram, Reason, StepFacts
from zhiling.workflow.report.histograms import histogram

EXAMPLES = 5
_MOST_VALUES = 12
_DETAIL_LINES = 6
_DETAIL_LIMIT = 1_200
_SHOWN = (
    Verdict.REJECT,
    Verdict.FAILED,
    Verdict.REVIEW,
    Verdict.FLAG,
    Verdict.REPLACED,
    Verdict.MADE,
    ATTEMPT,
)
_WRITTEN = (str(Verdict.REPLACED), str(Verdict.MADE))
# A report is passed on: what these steps took out of a row must not stand in it.
_REDACTING = frozenset({"redact"})
_LINES = ["n", "verdict", "reason", "score", "related", "detail"]


def step_facts(book: Book) -> tuple[StepFacts, ...]:
    """One entry per step in the order of the run; the rounds of `repeat` are added up."""
    grouped: dict[str, list[Stage]] = {}
    for stage in book.stages:
        if stage.kind != "source":
            grouped.setdefault(stage.id, []).append(stage)
    standing = sum(_out(stage) for stage in book.stages if stage.kind == "source")
    found: list[StepFacts] = []
    for stages in grouped.values():
        counts = _counts(stages)
        after = standing + counts["made"] - counts["rejected"] - counts["failed"] - counts["replaced"]
        found.append(_step(book, stages, counts, (standing, after)))
        standing = after
    return tuple(found)


def _out(stage: Stage) -> int:
    return stage.counts.get("rows", {}).get("out", 0)


def _total(stages: Sequence[Stage], verdict: str) -> int:
    return sum(sum(stage.counts.get(verdict, {}).values()) for stage in stages)


def _counts(stages: Sequence[Stage]) -> dict[str, int]:
    return {
        "rejected": _total(stages, Verdict.REJECT),
        "failed": _total(stages, Verdict.FAILED),
        "replaced": _total(stages, Verdict.REPLACED),
        "made": sum(map(_out, stages)),
        "attempts": _total(stages, ATTEMPT),
    }


def _step(
    book: Book, stages: Sequence[Stage], counts: Mapping[str, int], standing: tuple[int, int]
) -> StepFacts:
    first, line = stages[0], book.steps.get(stages[0].id)
    lines = pl.concat([book.ledger(stage, _LINES) for stage in stages])
    told = lines.filter(pl.col("verdict") != ATTEMPT).height
    contamination = {each.step: each for each in contaminations(book.run.manifest)}
    return StepFacts(
        id=first.id, use=first.use, kind=first.kind, seen=told,
        counts={**counts, "kept": told - counts["rejected"] - counts["failed"] - counts["replaced"]},
        standing_before=standing[0], standing=standing[1], seconds=sum(stage.seconds for stage in stages),
        reused=sum(stage.reused for stage in stages), rounds=max(stage.round for stage in stages),
        key=first.key,
        settings=line.settings if line else {}, given=frozenset(line.given) if line else frozenset(),
        reasons=tuple(_reasons(book, stages, lines)),
        scores=_scores(lines, line.score_bounds() if line else {}), columns=tuple(_columns(book, stages)),
        contamination=contamination.get(first.id), length=length_bias(book, stages),
        guarded=round_facts(book, stages, limits_of(line.settings if line else {})),
    )  # fmt: skip


def _reasons(book: Book, stages: Sequence[Stage], lines: pl.DataFrame) -> Iterator[Reason]:
    """Reasons by verdict, the most frequent first; examples are drawn by id, so they are no special rows."""
    shown = lines.filter(pl.col("verdict").is_in([str(verdict) for verdict in _SHOWN]))
    shown = shown.with_columns(pl.col("reason").fill_null(""))
    chosen = (
        shown.join(book.identity.select("n", "id"), on="n", how="left")
        .sort("id")
        .group_by("verdict", "reason", maintain_order=True)
        .agg(pl.len().alias("count"), pl.all().head(EXAMPLES))
    )
    order = {str(verdict): place for place, verdict in enumerate(_SHOWN)}
    groups = sorted(
        chosen.with_columns(pl.lit(stages[0].use).alias("use")).to_dicts(),
        key=lambda group: (order[group["verdict"]], -group["count"], group["reason"]),
    )
    beside = _beside(book, stages, groups)
    numbers = [n for group in groups for n in group["n"]]
    told = excerpts(book, [*numbers, *beside.values()])
    for group in groups:
        yield Reason(
            group["verdict"], group["reason"], group["count"],
            tuple(_example(group, place, told, beside) for place in range(len(group["n"]))),
        )  # fmt: skip


def _beside(book: Book, stages: Sequence[Stage], groups: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Reference → number of the row to be shown beside: the related row, or what a row was rewritten into."""
    found = book.numbers([each for group in groups for each in group["related"] if each])
    ranges = [(part.first, part.last) for stage in stages for part in stage.parts if part.rows]
    if not ranges:
        return found
    own = pl.any_horizontal([(pl.col("n") >= low) & (pl.col("n") < high) for low, high in ranges])
    parents = [each for group in groups if group["verdict"] in _WRITTEN for each in group["id"]]
    written = book.children.filter(own & pl.col("parent").is_in(parents)).unique("parent", keep="first")
    return found | {f"from {parent}": n for parent, n in written.select("parent", "n").iter_rows()}


def _example(
    group: Mapping[str, Any], place: int, told: Mapping[int, Excerpt], beside: Mapping[str, int]
) -> Example:
    related = group["related"][place] or ""
    number = beside.get(related, beside.get(f"from {group['id'][place]}"))
    detail = "\n".join((group["detail"][place] or "").splitlines()[-_DETAIL_LINES:])[-_DETAIL_LIMIT:]
    row = told[group["n"][place]]
    withheld = group["use"] in _REDACTING
    return Example(
        row=replace(row, turns=(), cut=()) if withheld else row,
        score=group["score"][place],
        related=related,
        beside=told[number] if number is not None else None,
        detail="" if withheld else detail,
        withheld=withheld,
    )


def _scores(lines: pl.DataFrame, bounds: Mapping[str, float]) -> Histogram | None:
    scored = lines.filter(pl.col("score").is_not_null())
    if not scored.height:
        return None
    rejected = scored["verdict"] == str(Verdict.REJECT)
    return histogram(
        {
            "kept": scored["score"].filter(~rejected).to_numpy(),
            "rejected": scored["score"].filter(rejected).to_numpy(),
        },
        bounds,
    )


def _columns(book: Book, stages: Sequence[Stage]) -> Iterator[Column]:
    frames = [frame for stage in stages if (frame := book.measures(stage)) is not None]
    if not frames:
        return
    measured = pl.concat(frames, how="diagonal").drop("n")
    for full in measured.columns:
        name, values = full.partition(".")[2], measured[full].drop_nulls()
        counts = Counter[str]()
        drawn = None
        if values.dtype.is_numeric():
            drawn = histogram({"kept": values.cast(pl.Float64).to_numpy().astype(np.float64)})
        if drawn is None and not values.dtype.is_nested():
            top = values.cast(pl.String).value_counts(sort=True, name="rows")
            counts.update(dict(top.head(_MOST_VALUES).iter_rows()))
        distinct = values.n_unique() if not values.dtype.is_nested() else 0
        # a column with a value of its own for nearly every row (a cluster's id, say) tells nothing in a table
        if values.dtype == pl.String and values.str.starts_with("{").any():
            continue  # JSON, for programs
        useful = drawn is not None or (counts and distinct <= len(values) / 2) or distinct <= _MOST_VALUES
        if useful:
            yield Column(name, drawn, tuple(counts.most_common()), distinct)
