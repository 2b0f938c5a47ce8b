"""Charts and diagrams of Office files as text: a chart as the table that it draws, a diagram as a list.

Source: ECMA-376-1, 21.2 (charts, whose values are cached in the file) and 21.4 (diagrams).
"""

from __future__ import annotations

from typing import Any

from zhiling.sources.pages.markdown_table import literal, table
from zhiling.sources.pages.office.package import (
    Package,
    attribute,
    child,
    children,
    descendants,
    local,
    whole_number,
)
from zhiling.sources.pages.reading import Unreadable

MAX_POINTS = 10_000


def drawn(package: Package, part: str, element: Any) -> tuple[list[str], list[Unreadable]]:
    """Charts and diagrams that a drawing of this part refers to, as paragraphs; and what cannot be read."""
    related = package.related(part)
    found: list[str] = []
    problems: list[Unreadable] = []
    for reference in descendants(element, "chart", "relIds"):
        id = attribute(reference, "id" if local(reference) == "chart" else "dm")
        target = related.get(id, ("", ""))[1]
        try:
            root = package.tree(target)
        except Unreadable as problem:
            problems.append(problem.at(target))
        else:
            found += chart(root) if local(reference) == "chart" else diagram(root)
    return found, problems


def chart(root: Any) -> list[str]:
    """The title, where it has one, and a table: categories down, series across."""
    series = [_series(each) for each in descendants(root, "ser")]
    title = text_of(child(root, "chart", "title"))
    categories: dict[int, str] = {}
    for _, names, values in series:
        for index in sorted({*names, *values}):
            categories.setdefault(index, names.get(index, ""))
    rows = [["", *(name for name, _, _ in series)]]
    rows += [
        [name, *(values.get(index, "") for _, _, values in series)]
        for index, name in sorted(categories.items())
    ]
    return [each for each in (literal(title), table(rows) if series else "") if each]


def _series(element: Any) -> tuple[str, dict[int, str], dict[int, str]]:
    """Name, categories and values of a series; a scatter chart has x and y instead."""
    names = child(element, "cat") if child(element, "cat") is not None else child(element, "xVal")
    values = child(element, "val") if child(element, "val") is not None else child(element, "yVal")
    name = " ".join(_points(child(element, "tx")).values()) or "".join(
        each.text or "" for each in children(child(element, "tx"), "v")
    )
    return name, _points(names), _points(values)


def _points(element: Any) -> dict[int, str]:
    """Index → cached text; of several levels of categories the innermost."""
    cache = next(descendants(element, "strCache", "numCache", "lvl", "strLit", "numLit"), None)
    found: dict[int, str] = {}
    for point in children(cache, "pt"):
        value = child(point, "v")
        if value is not None and len(found) < MAX_POINTS:
            found[whole_number(attribute(point, "idx"))] = _short(value.text or "")
    return found


def _short(value: str) -> str:
    """A number without the noise of binary fractions (`4.3` for `4.2999999999999998`)."""
    try:
        return f"{float(value):.15g}" if len(value) > 15 else value
    except ValueError:
        return value


def diagram(root: Any) -> list[str]:
    """The texts of a diagram (SmartArt) as a list."""
    texts = [text_of(each) for each in descendants(root, "pt")]
    return ["\n".join(f"- {text}" for text in texts if text)] if any(texts) else []


def text_of(element: Any) -> str:
    """All runs of text below an element of DrawingML, its paragraphs joined by spaces."""
    paragraphs = (
        "".join(each.text or "" for each in descendants(each, "t")) for each in descendants(element, "p")
    )
    return " ".join(" ".join(paragraphs).split())
