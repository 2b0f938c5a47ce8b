"""Tables of a page by the rules drawn around their cells.

Rules that touch form a grid. Where no rule parts two fields of it, they are one cell (a merged one). A
character belongs to the cell in which its middle lies.
Deviation: a table without rules is text; its lines stay lines.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

from zhiling.sources.pages.markdown_table import table
from zhiling.sources.pages.pdf.flow import joined
from zhiling.sources.pages.pdf.page import Character, Segment, lines

NEAR = 3.0  # points: rules that are nearer are one
MAX_FIELDS = 10_000
MAX_GRIDS = 50  # of a page; in the others the text stays text
MAX_COMPARISONS = 2_000_000  # of strokes with each other; beyond, the page is a drawing

Field = tuple[int, int]
"""Row and column in a grid, from 0."""


@dataclass(frozen=True)
class Grid:
    """The rules of a table: where they stand, and which fields they part.

    Attributes:
        xs: of the upright rules, from left to right.
        ys: of the level rules, from the top down.
        upright: all upright strokes.
        level: all level strokes.
    """

    xs: list[float]
    ys: list[float]
    upright: list[Segment]
    level: list[Segment]

    def field_of(self, character: Character) -> Field | None:
        """Row and column of a character; None where it stands outside."""
        x, y = (character.left + character.right) / 2, (character.bottom + character.top) / 2
        if not (self.xs[0] <= x < self.xs[-1] and self.ys[-1] < y <= self.ys[0]):
            return None
        column = bisect_right(self.xs, x) - 1
        row = bisect_right([-each for each in self.ys], -y) - 1
        return row, column

    def cells(self) -> dict[Field, Field]:
        """Each field → the top-left field of its cell."""
        middles_y = [
            -(above + below) / 2 for above, below in pairwise(self.ys)
        ]  # falling, so rising with a minus
        middles_x = [(left + right) / 2 for left, right in pairwise(self.xs)]
        left_rules = [
            _covered(middles_y, [(-each.y1, -each.y0) for each in self.upright if _at(each.x0, x)])
            for x in self.xs[:-1]
        ]
        upper_rules = [
            _covered(middles_x, [(each.x0, each.x1) for each in self.level if _at(each.y0, y)])
            for y in self.ys[:-1]
        ]
        owners: dict[Field, Field] = {}
        for row in range(len(middles_y)):
            for column in range(len(middles_x)):
                if column and not left_rules[column][row]:
                    owners[row, column] = owners[row, column - 1]
                elif row and not upper_rules[row][column]:
                    owners[row, column] = owners[row - 1, column]
                else:
                    owners[row, column] = row, column
        return owners


def grids(segments: Iterable[Segment]) -> list[Grid]:
    """The grids of at least two fields that these strokes form, from the top down."""
    listed = list(segments)
    upright = [each for each in listed if each.y1 - each.y0 > NEAR]
    level = [each for each in listed if each.y1 - each.y0 <= NEAR < each.x1 - each.x0]
    found: list[Grid] = []
    for group_upright, group_level in _connected(upright, level):
        xs = _distinct(each.x0 for each in group_upright)
        ys = _distinct(each.y0 for each in group_level)[::-1]
        fields = (len(xs) - 1) * (len(ys) - 1)
        if len(xs) > 1 and len(ys) > 1 and 1 < fields <= MAX_FIELDS:
            found.append(Grid(xs, ys, group_upright, group_level))
    return sorted(found, key=lambda grid: -grid.ys[0])[:MAX_GRIDS]


def _connected(
    upright: Sequence[Segment], level: Sequence[Segment]
) -> list[tuple[list[Segment], list[Segment]]]:
    """Strokes in groups that touch each other."""
    parents = list(range(len(upright) + len(level)))

    def root(index: int) -> int:
        while parents[index] != index:
            parents[index] = parents[parents[index]]
            index = parents[index]
        return index

    ordered = sorted(range(len(level)), key=lambda index: level[index].y0)
    heights = [level[index].y0 for index in ordered]
    compared = 0
    for number, stroke in enumerate(upright):
        start, end = bisect_right(heights, stroke.y0 - NEAR), bisect_right(heights, stroke.y1 + NEAR)
        compared += end - start
        if compared > MAX_COMPARISONS:
            return []
        for index in ordered[start:end]:
            if level[index].x0 - NEAR <= stroke.x0 <= level[index].x1 + NEAR:
                parents[root(number)] = root(len(upright) + index)
    groups: dict[int, tuple[list[Segment], list[Segment]]] = {}
    for number, stroke in enumerate(upright):
        groups.setdefault(root(number), ([], []))[0].append(stroke)
    for number, stroke in enumerate(level):
        groups.setdefault(root(len(upright) + number), ([], []))[1].append(stroke)
    return list(groups.values())


def _at(one: float, other: float) -> bool:
    return abs(one - other) <= NEAR


def _distinct(places: Iterable[float]) -> list[float]:
    """The places in rising order, those that are near each other once."""
    kept: list[float] = []
    for place in sorted(places):
        if not kept or place - kept[-1] > NEAR:
            kept.append(place)
    return kept


def _covered(places: Sequence[float], strokes: Iterable[tuple[float, float]]) -> list[bool]:
    """Which of these places, in rising order, a stroke passes."""
    changes = [0] * (len(places) + 1)
    for start, end in strokes:
        first, behind = bisect_left(places, start), bisect_right(places, end)
        if first < behind:
            changes[first] += 1
            changes[behind] -= 1
    return [count > 0 for count in accumulate(changes)][:-1]


def written(grid: Grid, characters: Iterable[tuple[Field, Character]]) -> str:
    """The table in Markdown, from its characters and their fields."""
    owners = grid.cells()
    gathered: dict[Field, list[Character]] = {}
    for place, character in characters:
        gathered.setdefault(owners[place], []).append(character)
    rows = [
        [joined(list(lines(gathered.get((row, column), [])))) for column in range(len(grid.xs) - 1)]
        for row in range(len(grid.ys) - 1)
    ]
    used = [index for index in range(len(grid.xs) - 1) if any(row[index] for row in rows)]
    return table([[row[index] for index in used] for row in rows])
