"""Facts to HTML: one template per page, every word from a table, every text escaped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any, cast

from zhiling.adversarial.guards.words import told
from zhiling.workflow.inspect.words import LANGUAGES, Words, load_table, number
from zhiling.workflow.report import charts
from zhiling.workflow.report.facts import ReportFacts
from zhiling.workflow.report.model_facts import Interval

if TYPE_CHECKING:
    from jinja2 import Environment

PAGES = (
    "index",
    "steps",
    "rows",
    "diversity",
    "split",
    "evaluation",
    "behaviour",
    "bad",
    "config",
    "licences",
)
"""Names of the pages, in the order of the navigation."""

_PACKAGE = "zhiling.workflow.report"
_TONGUES = {"en": "en", "zh": "zh-Hans"}


def render_pages(facts: ReportFacts) -> dict[str, str]:
    """File name (`index.html`, `index.zh.html`, `steps.html`, …) → page."""
    return {
        file_name(page, language): _render(facts, page, language) for language in LANGUAGES for page in PAGES
    }


def file_name(page: str, language: str) -> str:
    """Where a page lies under `report/`."""
    return f"{page}.html" if language == "en" else f"{page}.{language}.html"


def _render(facts: ReportFacts, page: str, language: str) -> str:
    words = Words(
        language, load_table(_PACKAGE, "texts.yaml"), load_table("zhiling.workflow.inspect", "words.yaml")
    )
    other = next(each for each in LANGUAGES if each != language)
    values: dict[str, Any] = {
        "facts": facts,
        "page": page,
        "pages": [(name, file_name(name, language)) for name in PAGES],
        "t": words,
        "tongue": _TONGUES[language],
        "other": (other, _TONGUES[other], file_name(page, other)),
        "charts": charts,
        "whole": max([step.standing_before + step.counts["made"] for step in facts.steps], default=0),
        "whiskers": _Whiskers(words),
        "style": _style(),
    }
    text = _environment().get_template(f"{page}.html.j2").render(values)
    # no browser shows NUL, and some stop there
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")


@cache
def _style() -> str:
    return resources.files(_PACKAGE).joinpath("style.css").read_text(encoding="utf-8")


@cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader(_PACKAGE, "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters: dict[str, Any] = {
        "alarm": told,
        "flat": flat,
        "measure": measure,
        "number": number,
        "percent": percent,
        "points": points,
        "seconds": seconds,
    }
    environment.filters.update(filters)
    return environment


def percent(share: float) -> str:
    """A share as people write it: `93.4 %`."""
    return f"{100 * share:.1f} %"


def flat(values: Mapping[str, Any], before: str = "") -> list[tuple[str, str]]:
    """Nested figures as lines: `unknown tokens · zh`, `0.41`; what is not there is left out."""
    found: list[tuple[str, str]] = []
    for name, value in values.items():
        path = f"{before} · {name}".removeprefix(" · ").replace("_", " ")
        if isinstance(value, Mapping):
            found += flat(value, path)  # pyright: ignore[reportUnknownArgumentType]
        elif isinstance(value, list | tuple):
            listed = cast(Sequence[object], value)
            found.append((path, ", ".join(map(number, listed))))
        elif value is not None:
            found.append((path, number(value)))
    return found


def measure(value: float | None) -> str:
    """A measure of diversity: `0.873`, `41.2`; a dash where it cannot be told."""
    if value is None:
        return "–"
    return f"{value:.3f}" if abs(value) < 10 else f"{value:,.1f}"


def points(difference: float) -> str:
    """A difference of shares in percentage points, with its sign: `+3.2`, `−1.0`."""
    return f"{100 * difference:+.1f}".replace("-", "−")


def seconds(value: float) -> str:
    """A duration: `0.4 s`, `12 s`, `3:05 min`."""
    if value < 10:
        return f"{value:.1f}\N{NO-BREAK SPACE}s"
    whole = round(value)
    return (
        f"{whole}\N{NO-BREAK SPACE}s"
        if whole < 60
        else f"{whole // 60}:{whole % 60:02d}\N{NO-BREAK SPACE}min"
    )


class _Whiskers:
    """Dot-and-whisker charts with their words."""

    def __init__(self, words: Words) -> None:
        self._words = words

    def scores(self, arms: Mapping[str, Mapping[str, Interval]], metric: str) -> charts.WhiskerChart | None:
        """One row per arm."""
        rows = [
            (self.arm(arm), arm, figures[metric], _interval_text(figures[metric]))
            for arm, figures in arms.items()
            if metric in figures
        ]
        return charts.whisker_chart(rows) if rows else None

    def differences(
        self, pairs: Mapping[str, Mapping[str, Interval]], metric: str
    ) -> charts.WhiskerChart | None:
        """One row per pair of arms, in percentage points; "no difference" where 0 lies inside."""
        rows = [
            (self.pair(pair), figures[metric].verdict, figures[metric], _difference_text(figures[metric]))
            for pair, figures in pairs.items()
            if metric in figures
        ]
        return charts.whisker_chart(rows, around_zero=True) if rows else None

    def arm(self, name: str) -> str:
        """An arm's name in words."""
        return self._words(f"arms.{name}") if name in ("before", "control", "after") else name

    def pair(self, name: str) -> str:
        """Two arms' names in words: `after − control`."""
        return " − ".join(self.arm(each) for each in name.split("-"))

    def verdict(self, figure: Interval) -> str:
        """What a difference says in words."""
        return self._words(f"evaluation.{figure.verdict}")


def _interval_text(figure: Interval) -> str:
    return f"{percent(figure.mean)}  ({100 * figure.low:.1f} – {100 * figure.high:.1f})"


def _difference_text(figure: Interval) -> str:
    return f"{points(figure.mean)}  ({points(figure.low)} … {points(figure.high)})"
