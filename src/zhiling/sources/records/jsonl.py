"""JSON Lines: one object a line; a line that is none is told with its column and why."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from zhiling.pipeline.step import Bad
from zhiling.sources.files.lines import Block, excerpt
from zhiling.sources.records.json_text import inexact, parsed
from zhiling.sources.records.records import FrameItems, Records
from zhiling.sources.records.regular_json import regular_frame


def json_records(blocks: Iterator[Block | Bad], place: str) -> Iterator[Records]:
    """The objects of each block with their line numbers; blank lines are passed over."""
    for block in blocks:
        if isinstance(block, Bad):
            yield Records(place, [], [], [block])
            continue
        frame = regular_frame(block.data)
        if frame is None:
            yield careful_records(block, place)
        else:
            yield Records(place, block.numbers, FrameItems(frame))


def careful_records(block: Block, place: str) -> Records:
    """The objects of a block, line by line: what every faster way must give too."""
    items: list[dict[str, Any]] = []
    found: list[tuple[int, bytes]] = []
    bad: list[Bad] = []
    for number, line in zip(block.numbers, block.lines, strict=True):
        item = parsed(line, f"{place}:{number}", column=block.begins is None)
        if not isinstance(item, Bad):
            items.append(item)
            found.append((number, line))
        elif line.strip():
            bad.append(item)
    problems = inexact([line for _, line in found], items)
    for index, problem in problems.items():
        number, line = found[index]
        bad.append(Bad(f"{place}:{number}", problem.cls, problem.message, excerpt(line)))
    good = [index for index in range(len(items)) if index not in problems]
    return Records(place, [found[index][0] for index in good], [items[index] for index in good], bad)
