"""Labels of numbered paragraphs in Word, as a reader sees them: `1.`, `2.1`, `(a)`, `第三章`, or a bullet.

Source: ECMA-376-1, 17.9 (numbering) and 17.18.59 (number formats).
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from zhiling.sources.pages.office.package import attribute, child, children, descendants, whole_number

BULLET = "-"
MAX_LEVEL = 8
_PLACE = re.compile(r"%([1-9])")
_ROMAN = (
    (1000, "M"), (900, "CM"), (500, "D"), (400, "CD"), (100, "C"), (90, "XC"), (50, "L"), (40, "XL"),
    (10, "X"), (9, "IX"), (5, "V"), (4, "IV"), (1, "I"),
)  # fmt: skip
_HAN = "零一二三四五六七八九"
_STEMS = "甲乙丙丁戊己庚辛壬癸"
_BRANCHES = "子丑寅卯辰巳午未申酉戌亥"


@dataclass(frozen=True)
class Level:
    """One level of a list: how its numbers look, where they start, the text around them (`%1.%2`)."""

    format: str
    text: str
    start: int


class Numbering:
    """The lists of a document; `label` counts them on, so paragraphs are asked about in their order."""

    def __init__(self, root: Any) -> None:
        self._levels: dict[str, dict[int, Level]] = {}  # list id → its levels
        self._abstract: dict[str, str] = {}  # list id → abstract list; those that share one count together
        self._counts: dict[str, dict[int, int]] = defaultdict(dict)  # abstract list → level → last number
        self._restarts: dict[str, dict[int, int]] = {}  # list id → levels that it starts anew, and at what
        abstract = {attribute(each, "abstractNumId"): each for each in children(root, "abstractNum")}
        for number in children(root, "num"):
            id, base = attribute(number, "numId"), attribute(child(number, "abstractNumId"), "val")
            self._abstract[id] = base
            self._levels[id] = _levels(abstract.get(base))
            self._restarts[id] = self._overridden(id, number)

    def label(self, list_id: str, level: int) -> str:
        """The label of the next paragraph of this list and level; BULLET; empty where it has none."""
        levels = self._levels.get(list_id, {})
        if level not in levels:
            return BULLET if list_id in self._levels else ""
        counts = self._counts[self._abstract[list_id]]
        restart = self._restarts[list_id].pop(level, None)
        counts[level] = restart if restart is not None else counts.get(level, levels[level].start - 1) + 1
        for above in (each for each in levels if each < level):
            counts.setdefault(above, levels[above].start)  # a level that is skipped counts as used
        for deeper in [each for each in counts if each > level]:
            del counts[deeper]
        if levels[level].format == "bullet":
            return BULLET
        if levels[level].format == "none":
            return ""
        return _PLACE.sub(
            lambda match: _shown(levels, counts, int(match[1]) - 1, level), levels[level].text
        ).strip()

    def _overridden(self, id: str, number: Any) -> dict[int, int]:
        starts: dict[int, int] = {}
        for override in children(number, "lvlOverride"):
            level = whole_number(attribute(override, "ilvl"))
            start = child(override, "startOverride")
            if child(override, "lvl") is not None:
                self._levels[id][level] = _level(child(override, "lvl"))
            if start is not None:
                starts[level] = whole_number(attribute(start, "val"), 1)
        return starts


def _levels(abstract: Any) -> dict[int, Level]:
    return {whole_number(attribute(each, "ilvl")): _level(each) for each in children(abstract, "lvl")}


def _level(element: Any) -> Level:
    format = attribute(child(element, "numFmt"), "val")
    if not format:  # newer formats stand in an AlternateContent, before the fallback
        format = next((attribute(each, "val") for each in descendants(element, "numFmt")), "decimal")
    text = attribute(child(element, "lvlText"), "val")
    return Level(format, text, whole_number(attribute(child(element, "start"), "val"), 0))


def _shown(levels: dict[int, Level], counts: dict[int, int], wanted: int, level: int) -> str:
    """The number of one level inside the label of a deeper one."""
    if wanted not in levels or wanted > level:
        return ""
    format = "decimal" if wanted < level and levels[level].format == "decimal" else levels[wanted].format
    return spelled(counts.get(wanted, levels[wanted].start), format)


def spelled(number: int, format: str) -> str:
    """A number in one of Word's formats; digits where the format is not known."""
    spell = _SPELLED.get(format)
    return spell(number) if spell and number > 0 else str(number)


def _letters(number: int) -> str:
    return chr(ord("a") + (number - 1) % 26) * min((number - 1) // 26 + 1, 10)


def _roman(number: int) -> str:
    if number > 5000:
        return str(number)
    parts: list[str] = []
    for value, sign in _ROMAN:
        parts.append(sign * (number // value))
        number %= value
    return "".join(parts)


def _han(number: int) -> str:
    if number > 9999:
        return str(number)
    parts: list[str] = []
    for value, unit in ((1000, "千"), (100, "百"), (10, "十"), (1, "")):
        digit, number = divmod(number, value)
        if digit:
            parts.append(_HAN[digit] + unit)
        elif parts and number and parts[-1] != "零":
            parts.append("零")
    return "".join(parts).removeprefix("一") if parts[:1] == ["一十"] else "".join(parts)


def _circled(number: int) -> str:
    return chr(0x2460 + number - 1) if number <= 20 else str(number)


_SPELLED: dict[str, Callable[[int], str]] = {
    "lowerLetter": _letters,
    "upperLetter": lambda number: _letters(number).upper(),
    "lowerRoman": lambda number: _roman(number).lower(),
    "upperRoman": _roman,
    "decimalZero": lambda number: f"{number:02}",
    "decimalEnclosedCircle": _circled,
    "decimalEnclosedCircleChinese": _circled,
    "chineseCounting": _han,
    "chineseCountingThousand": _han,
    "taiwaneseCounting": _han,
    "taiwaneseCountingThousand": _han,
    "japaneseCounting": _han,
    "ideographTraditional": lambda number: _STEMS[(number - 1) % 10],
    "ideographZodiac": lambda number: _BRANCHES[(number - 1) % 12],
}
