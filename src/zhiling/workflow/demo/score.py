"""What a run made of the planted defects: planted, found and wrongly removed, per kind."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from zhiling.rows.evaluation_file import read_records

_LINE = re.compile(r"^(?P<path>.*?):(?P<line>\d+)")


@dataclass(frozen=True)
class Finder:
    """How a run shows that it found a kind of defect.

    Attributes:
        found: ids of steps, reasons or verdicts; a defect is found where one of its rows has one of them.
        own: those of `found` by which clean rows count as wrongly removed.
        absent: the planted value may also stand in no kept text.
    """

    found: frozenset[str] = frozenset()
    own: frozenset[str] = frozenset()
    absent: bool = False


@dataclass(frozen=True)
class Score:
    """What a run made of one kind of defect.

    Attributes:
        defect: the kind.
        planted: how many were planted.
        missed: truth lines of those that were not found, by place.
        wrong: places of rows removed (personal data: rewritten) for this kind in conversations without it.
        wrong_but_defective: how many of these belong to a conversation with another planted defect.
    """

    defect: str
    planted: int
    missed: tuple[str, ...] = ()
    wrong: tuple[str, ...] = ()
    wrong_but_defective: int = 0

    @property
    def found(self) -> int:
        """How many of the planted defects were found."""
        return self.planted - len(self.missed)

    @property
    def wrongly_removed(self) -> int:
        """Number of rows removed for this kind in conversations without it."""
        return len(self.wrong)


def _finder(*own: str, also: Iterable[str] = (), absent: bool = False) -> Finder:
    return Finder(frozenset((*own, *also)), frozenset(own), absent)


FINDERS: Mapping[str, Finder] = {
    "exact_duplicates": _finder("exact", also=("near",)),
    "near_duplicates": _finder("near", also=("exact",)),
    "wrong_pairings": _finder("paired"),
    "wrong_labels": _finder("labels"),
    "personal_data": Finder(own=frozenset(("private",)), absent=True),
    "evaluation_rows": _finder("unseen"),
    "injections": _finder("safe", absent=True),
    "truncated_replies": _finder("whole"),
    "unreadable_lines": _finder("bad"),
}
"""Kind of defect → the steps of the demo's recipe that look for it; `bad`: unreadable items."""

COPIES = frozenset(("exact_duplicates", "near_duplicates"))
"""Kinds where the original may leave in place of the copy."""


@dataclass
class _Truth:
    """The truth file, by kind of defect."""

    lines: dict[str, list[dict[str, str]]] = field(default_factory=dict)

    def conversations(self, defects: Iterable[str]) -> set[str]:
        """Conversations that carry one of these defects, and the originals of copies."""
        named: set[str] = set()
        for defect in defects:
            for line in self.lines.get(defect, []):
                named |= {line["conversation"], line["of"]} if defect in COPIES else {line["conversation"]}
        return named - {""}

    def places(self, defect: str) -> set[str]:
        """The lines of these defects, the first lines of their conversations, the pages that carry one."""
        lines = self.lines.get(defect, [])
        return {_place(line) for line in lines} | {line["start"] for line in lines if line["conversation"]}


def score(
    truth: Path,
    fates: pl.DataFrame,
    kept: Sequence[str] | pl.Series,
    finders: Mapping[str, Finder] = FINDERS,
) -> list[Score]:
    """A line per kind of defect, in the order of `finders`; kinds that were not planted are there too.

    A defect is found where a row of its conversation left by one of the finder's steps. Of a copy, the
    original may leave instead. Unreadable lines are found by their place, those in manual pages by the page.
    Personal data are found where the planted value stands in no kept text; an injection must be judged by its
    step *and* stand in none.

    A row counts as wrongly removed where a step of the kind's own removed it and its conversation has no
    defect that this step looks for. Those with a defect of another kind are told in `wrong_but_defective`.

    Args:
        truth: the file that `plant.build` wrote.
        fates: one line per rejected, replaced, failed or bad row of the run: `conversation`, `locator`,
            `verdict`, `reason` and `step` (all strings; `conversation` null where there is none).
        kept: the text of each kept row, all messages joined; material too.
        finders: kind of defect → how it is found.
    """
    planted = _Truth()
    for _, line in read_records(truth):
        planted.lines.setdefault(line["defect"], []).append(line)
    joined = "\0".join(kept)
    rows = [_fate(row) for row in fates.iter_rows(named=True)]
    return [_score(defect, finder, planted, rows, joined, finders) for defect, finder in finders.items()]


@dataclass(frozen=True)
class _Fate:
    """How a row left: by which step, reason and verdict, and what it belongs to."""

    conversation: str
    locator: str
    names: frozenset[str]

    @property
    def places(self) -> frozenset[str]:
        """The row's line and its file."""
        found = _LINE.match(self.locator)
        return frozenset((found[0], found["path"])) if found else frozenset((self.locator,))


def _fate(row: Mapping[str, Any]) -> _Fate:
    names = frozenset(name for name in (row["step"], row["reason"], row["verdict"]) if name)
    return _Fate(row["conversation"] or "", row["locator"] or "", names)


def _score(
    defect: str,
    finder: Finder,
    truth: _Truth,
    fates: Sequence[_Fate],
    kept: str,
    finders: Mapping[str, Finder],
) -> Score:
    lines = truth.lines.get(defect, [])
    removed = [fate for fate in fates if fate.names & finder.found]
    left = {fate.conversation for fate in removed} - {""}
    places = frozenset[str]().union(*(fate.places for fate in removed))
    missed = [line["locator"] for line in lines if not _is_found(line, finder, left, places, kept)]
    family = [other for other, each in finders.items() if each.found & finder.own or other == defect]
    rightly, anywhere = truth.conversations(family), truth.places(defect)
    defective = truth.conversations(truth.lines)
    wrong = [
        fate
        for fate in fates
        if fate.names & finder.own and fate.conversation not in rightly and not fate.places & anywhere
    ]
    return Score(
        defect,
        len(lines),
        tuple(missed),
        tuple(fate.locator for fate in wrong),
        sum(fate.conversation in defective for fate in wrong),
    )


def _is_found(
    line: Mapping[str, str], finder: Finder, left: set[str], places: frozenset[str], kept: str
) -> bool:
    if finder.absent and line["of"] in kept:
        return False
    if not finder.found:
        return True
    if line["defect"] in COPIES:
        return bool({line["conversation"], line["of"]} & left)
    if line["defect"] == "unreadable_lines" or not line["conversation"]:
        return _place(line) in places
    return line["conversation"] in left


def _place(line: Mapping[str, str]) -> str:
    """Where a truth line is found again: its line, or the page, since a passage is told by its first line."""
    return line["locator"] if line["conversation"] else line["locator"].rpartition(":")[0]
