"""The difference of two runs as plain text, in English or Chinese."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from zhiling.workflow.inspect.difference import Change, Row, counted
from zhiling.workflow.inspect.lineage import COUNTS
from zhiling.workflow.inspect.words import Words, number, shorten

if TYPE_CHECKING:
    from zhiling.workflow.inspect.difference import Difference

_EXAMPLES = 5
_VALUE_LIMIT = 60


def render(found: Difference, language: str) -> str:
    """The whole difference.

    Raises:
        UnknownName: a language other than `en` and `zh`.
    """
    return "\n".join(_lines(found, Words(language))).rstrip()


def _lines(found: Difference, words: Words) -> Iterator[str]:
    yield words("difference.head", before=found.before, after=found.after)
    yield ""
    yield words("difference.causes")
    for cause in found.causes:
        yield f"  {cause.render(words)}"
    if not found.causes:
        yield f"  {words('difference.no_causes')}"
    yield ""
    if not (found.added or found.removed or found.changed):
        yield words("difference.equal")
    for name in ("added", "removed", "changed"):
        rows: tuple[Row, ...] = getattr(found, name)
        if rows:
            yield from _group(words, name, rows)
    yield ""
    yield words("difference.steps")
    for step, counts in found.steps.items():
        told = [
            f"{words(f'difference.{name}')} {_pair(*counts[name])}" for name in COUNTS if any(counts[name])
        ]
        yield f"  {step}  {'  ·  '.join(told) or words('difference.none')}"


def _group(words: Words, name: str, rows: tuple[Row, ...]) -> Iterator[str]:
    """Rows by cause, some of each."""
    yield words(f"difference.{name}", count=number(len(rows)))
    for cause, count in counted(rows):
        yield f"  {number(count)}  {words('difference.because', cause=cause.render(words))}"
        for row in [each for each in rows if each.cause == cause][:_EXAMPLES]:
            told = "  ·  ".join(_change(words, change) for change in row.changes)
            yield f"    {row.id[:12]}  {row.place or ''}  {told}".rstrip()
        if count > _EXAMPLES:
            yield f"    {words('difference.more', count=number(count - _EXAMPLES))}"


def _change(words: Words, change: Change) -> str:
    if change.what == "text":
        return words("difference.what_text", step=change.step)
    values = {"before": change.before, "after": change.after}
    if change.what == "verdict":
        return words(
            "difference.what_verdict", **{key: _verdict(words, value) for key, value in values.items()}
        )
    if change.what == "split":
        return words("difference.what_split", **{key: words(f"parts.{part}") for key, part in values.items()})
    cut = {key: shorten(value, _VALUE_LIMIT) for key, value in values.items()}
    return words("difference.what_measure", name=change.what, **cut)


def _verdict(words: Words, told: str) -> str:
    """`reject near near_duplicate` in words."""
    verdict, *rest = told.split(" ")
    step = f" ({rest[0]})" if rest else ""
    reason = f": {words.reason(rest[1])}" if len(rest) > 1 else ""
    return f"{words(f'verdicts.{verdict}')}{step}{reason}"


def _pair(before: int, after: int) -> str:
    return number(after) if before == after else f"{number(before)} → {number(after)}"
