"""A comparison as a page that opens from disk and asks no host for anything, English and Chinese."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import resources
from typing import Any

from zhiling.evaluation.scores import Interval
from zhiling.pipeline.store import write_bytes
from zhiling.workflow.adversarial import text
from zhiling.workflow.adversarial.arms import CONTROLS
from zhiling.workflow.adversarial.compare import Comparison
from zhiling.workflow.inspect.words import LANGUAGES, Words, number
from zhiling.workflow.report import charts
from zhiling.workflow.report.model_facts import Interval as Figure
from zhiling.workflow.report.pages import points

_REPORT = "zhiling.workflow.report"
_TONGUES = {"en": "en", "zh": "zh-Hans"}
FILES = {"en": "comparison.html", "zh": "comparison.zh.html"}


def write_pages(found: Comparison) -> None:
    """Writes `comparison.html` and `comparison.zh.html` into the comparison's folder."""
    for language in LANGUAGES:
        write_bytes(found.folder / FILES[language], render(found, language).encode())


def render(found: Comparison, language: str) -> str:
    """The page in one language.

    Raises:
        UnknownName: a language other than `en` and `zh`.
    """
    from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

    words = text.words_of(language)
    other = next(each for each in LANGUAGES if each != language)
    environment = Environment(
        loader=ChoiceLoader([PackageLoader("zhiling.workflow.adversarial", "."), PackageLoader(_REPORT)]),
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters.update({"number": number, "points": points})
    values: dict[str, Any] = {
        "t": words, "charts": charts, "recipe": found.recipe, "tongue": _TONGUES[language],
        "other": (other, _TONGUES[other], FILES[other]),
        "style": resources.files(_REPORT).joinpath("style.css").read_text(encoding="utf-8"),
        "title": text.title(found, words), "header": text.header(words), "lines": text.lines(found, words),
        "notes": list(text.notes(found, words)),
        "accuracy": _accuracy(found, words), "differences": list(_differences(found, words)),
    }  # fmt: skip
    page = environment.get_template("comparison.html.j2").render(values)
    return page.replace("\0", "\N{REPLACEMENT CHARACTER}")  # no browser shows NUL, and some stop there


def _accuracy(found: Comparison, words: Words) -> charts.WhiskerChart:
    """A row an arm; what was drawn beside the modes stands in grey."""
    kinds = {"mode": "after", "control": "control"}
    return charts.whisker_chart(
        [
            (
                words(f"arms.{arm.arm}"),
                kinds.get(arm.kind, "before"),
                _figure(arm.accuracy),
                text.interval(arm.accuracy),
            )
            for arm in found.arms
            if arm.accuracy is not None
        ]
    )


def _differences(found: Comparison, words: Words) -> Iterator[tuple[str, charts.WhiskerChart]]:
    """A chart a control: what each arm has more."""
    for control in CONTROLS:
        rows = [
            (
                words(f"arms.{arm.arm}"),
                each.verdict.replace(" ", "_"),
                _figure(each),
                text.interval(each, sign=True),
            )
            for arm in found.arms
            if (each := arm.differences.get(control)) is not None
        ]
        if rows:
            yield control, charts.whisker_chart(rows, around_zero=True)


def _figure(found: Interval) -> Figure:
    return Figure(found.mean, found.low, found.high)
