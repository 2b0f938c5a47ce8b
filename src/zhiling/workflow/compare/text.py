"""Two models side by side as plain text, in English or Chinese."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.cells import cell_len

from zhiling.evaluation.scores import Difference, Interval, Scores, SliceScores
from zhiling.workflow.compare.compare import FIRST, SECOND, Row, SideBySide
from zhiling.workflow.inspect.words import Words, number, shorten

TEXT_LIMIT, ANSWER_LIMIT = 100, 60
NOTHING = "–"


def render(found: SideBySide, language: str) -> str:
    """The whole comparison.

    Raises:
        UnknownName: a language other than `en` and `zh`.
    """
    return "\n".join(_lines(found, Words(language))).rstrip()


def _lines(found: SideBySide, words: Words) -> Iterator[str]:
    scores = found.scores
    for name in (FIRST, SECOND):
        left_out = scores.unscored[name]
        told = words("compare.unscored", count=number(left_out)) if left_out else ""
        yield f"{name}  {found.names[name]}{told}"
    yield ""
    key = "compare.head_groups" if scores.groups else "compare.head"
    yield words(key, rows=number(scores.n), groups=number(scores.groups or 0))
    yield from _metrics(scores, words)
    pair = scores.mcnemar[f"{SECOND}-{FIRST}"]
    yield words("compare.mcnemar", second=pair.arm_only, first=pair.other_only, p=f"{pair.p:.3g}")
    if scores.changed:
        yield words("compare.changed", **vars(scores.changed))
    yield ""
    yield from _slices(found, words)
    for kind, rows in found.rows.items():
        if rows:
            yield words(f"compare.rows_{kind}")
            for row in rows:
                yield from _row(row, words)
            yield ""


def _metrics(scores: Scores, words: Words) -> Iterator[str]:
    """One line per metric: A, B, and B less A."""
    differences = scores.differences[f"{SECOND}-{FIRST}"]
    rows = [
        (
            metric,
            *(_interval(scores.arms[name].get(metric)) for name in (FIRST, SECOND)),
            _interval(differences.get(metric), words),
        )
        for metric in dict.fromkeys([*scores.arms[FIRST], *scores.arms[SECOND]])
    ]
    yield from _table([("", FIRST, SECOND, f"{SECOND} − {FIRST}"), *rows])


def _slices(found: SideBySide, words: Words) -> Iterator[str]:
    """Per kind of slice a table of its values, by the first metric; one value alone is the whole."""
    for kind, parts in found.slices.items():
        if len(parts) < 2:
            continue
        head = (words(f"compare.by_{kind}"), *map(words, (f"compare.{name}" for name in _COLUMNS)))
        rows = [
            (
                value, number(scores.n), *map(number, (changed.better, changed.same, changed.worse)),
                *_first_metric(scores, words),
            )
            for value, (scores, changed) in parts.items()
        ]  # fmt: skip
        yield from _table([(*head, FIRST, SECOND, f"{SECOND} − {FIRST}"), *rows])
        if kind == "label" and found.labels_left_out:
            yield words("compare.left_out", count=number(found.labels_left_out))
        yield ""


_COLUMNS = ("rows", "n_better", "n_same", "n_worse")


def _first_metric(scores: SliceScores, words: Words) -> tuple[str, ...]:
    metric = next(iter(scores.arms[SECOND]), None) or next(iter(scores.arms[FIRST]), "")
    told = [scores.arms[name].get(metric) for name in (FIRST, SECOND)]
    points = (NOTHING if each is None else f"{each.mean:.3f}" for each in told)
    return (*points, _interval(scores.differences[f"{SECOND}-{FIRST}"].get(metric), words))


def _interval(value: Interval | None, words: Words | None = None) -> str:
    """A score, or a difference with what it says, and its interval."""
    if value is None:
        return NOTHING
    if isinstance(value, Difference) and words is not None:
        verdict = words(f"compare.{value.verdict.replace(' ', '_')}")
        return f"{value.mean:+.3f} [{value.low:+.3f}, {value.high:+.3f}] {verdict}"
    return f"{value.mean:.3f} [{value.low:.3f}, {value.high:.3f}]"


def _row(row: Row, words: Words) -> Iterator[str]:
    """A row with its truth and both answers."""
    yield f"  {row.id[:12]}  {shorten(' '.join(row.text.split()), TEXT_LIMIT)}"
    told = {words("compare.truth"): row.truth, **row.answers}
    yield "    " + "  ·  ".join(f"{name}: {shorten(answer, ANSWER_LIMIT)}" for name, answer in told.items())


def _table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Columns side by side; a Chinese character takes two cells."""
    widths = [max(cell_len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        padded = (cell + " " * (width - cell_len(cell)) for cell, width in zip(row, widths, strict=True))
        yield "  ".join(padded).rstrip()
