"""A comparison in words, English or Chinese: the lines of its table, and what it shows and does not show."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from zhiling.adversarial.guards.words import told
from zhiling.evaluation.scores import Interval
from zhiling.workflow.adversarial.arms import CONTROLS
from zhiling.workflow.adversarial.compare import Comparison
from zhiling.workflow.adversarial.scores import ArmScore
from zhiling.workflow.inspect.words import Words, load_table

FEW_TESTED = 100
"""With fewer test rows in all the comparison says itself that they are few."""
COLUMNS = (
    "arm", "accuracy", "less_seeds_only", "less_filter_once", "rows", "wrong", "distinct", "vendi", "cpu_s",
    "calls",
)  # fmt: skip


def words_of(language: str) -> Words:
    """The words of one language.

    Raises:
        UnknownName: a language other than `en` and `zh`.
    """
    return Words(language, load_table("zhiling.workflow.adversarial", "texts.yaml"))


def title(found: Comparison, words: Words) -> str:
    """What the table tells."""
    return words("table.title", recipe=found.recipe, tested=_range(found.tested), seeds=len(found.seeds))


def header(words: Words) -> tuple[str, ...]:
    """Names of the columns."""
    return tuple(words(f"columns.{name}") for name in COLUMNS)


def lines(found: Comparison, words: Words) -> list[tuple[str, ...]]:
    """The cells of each arm that was done."""
    return [_line(arm, words) for arm in found.arms if arm.state == "done"]


def notes(found: Comparison, words: Words) -> Iterator[str]:
    """How to read the table, which arms are not in it and why, and what the modes do to their controls."""
    yield words("table.known", known=_range(found.known), lines=_range(found.lines))
    yield from _budget(found, words)
    yield words("table.cpu")
    if sum(found.tested) < FEW_TESTED:
        yield words("table.few", tested=sum(found.tested))
    yield from _missing(found, words)
    for arm in found.arms:
        if arm.kind == "mode":
            yield from _beside(arm, words)
        if arm.kind == "collapse" and arm.state == "done":
            yield from _collapse(arm, words)


def _budget(found: Comparison, words: Words) -> Iterator[str]:
    """Which arms take as many rows as the loop."""
    drawing = [words(f"arms.{arm.arm}") for arm in found.arms if arm.draws and arm.state == "done"]
    if drawing:
        names = words("table.joint").join(drawing)
        key = "table.equal_asked" if found.asked else "table.equal"
        yield words(key, names=names, size=_range(found.size))
        empty = sum(count == 0 for count in found.accepted)
        if empty and not found.asked:
            yield words("table.nothing_accepted", count=empty, of=len(found.size))


def _missing(found: Comparison, words: Words) -> Iterator[str]:
    for arm in found.arms:
        why = words.name("left_out", arm.note) if arm.note else ""
        name = words(f"arms.{arm.arm}")
        if arm.state != "done":
            yield words(f"table.{arm.state}", arm=name, why=why)
        elif why:
            yield words("table.partly", arm=name, seeds=arm.seeds, of=len(found.seeds), why=why)


def _beside(arm: ArmScore, words: Words) -> Iterator[str]:
    """What a mode does beside each control."""
    for control in CONTROLS:
        difference = arm.differences.get(control)
        if difference is not None:
            yield words(
                f"table.{difference.verdict.replace(' ', '_')}", arm=words(f"arms.{arm.arm}"),
                control=words(f"arms.{control}"), difference=interval(difference, sign=True),
            )  # fmt: skip


def _collapse(arm: ArmScore, words: Words) -> Iterator[str]:
    """Whether the guards stopped what must collapse."""
    stopped = [alarm for alarm in arm.alarms if alarm is not None]
    if stopped:
        yield words(
            "table.stopped", arm=words(f"arms.{arm.arm}"), stopped=len(stopped), of=arm.seeds,
            alarm=told(stopped[0], words.language),
        )  # fmt: skip
    if len(stopped) < arm.seeds:
        yield words("table.unstopped", arm=words(f"arms.{arm.arm}"), count=arm.seeds - len(stopped))


def _line(arm: ArmScore, words: Words) -> tuple[str, ...]:
    less = (arm.differences.get(control) for control in CONTROLS)
    return (
        words(f"arms.{arm.arm}"),
        interval(arm.accuracy),
        *(interval(each, sign=True) for each in less),
        f"{arm.rows:,.0f}",
        *(f"{each:.3f}" if each is not None else "" for each in (arm.wrong, arm.distinct)),
        f"{arm.vendi:.1f}" if arm.vendi is not None else "",
        f"{arm.cpu_s:.1f}",
        f"{arm.calls:,.0f}",
    )


def interval(found: Interval | None, *, sign: bool = False) -> str:
    """`.857 [.840, .871]`, a difference as `+.012 [-.003, +.027]`; nothing where there is none."""
    if found is None:
        return ""
    mean, low, high = (
        f"{each:{'+' if sign else ''}.3f}".replace("0.", ".", 1)
        for each in (found.mean, found.low, found.high)
    )
    return f"{mean} [{low}, {high}]"


def _range(counts: Sequence[int]) -> str:
    """`21`, or `20–23` where the seeds differ."""
    low, high = min(counts), max(counts)
    return f"{low:,}" if low == high else f"{low:,}–{high:,}"
