"""JSON Lines: one object a line; a line that is none is told with its column and why."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import orjson

from zhiling.pipeline.step import Bad
from zhiling.sources.files import Block, excerpt
from zhiling.sources.json_values import noun
from zhiling.sources.records import Records


def json_records(blocks: Iterator[Block | Bad], place: str) -> Iterator[Records]:
    """The objects of each block with their line numbers; blank lines are passed over."""
    loads = orjson.loads
    for block in blocks:
        if isinstance(block, Bad):
            yield Records(place, [], [], [block])
            continue
        items: list[dict[str, Any]] = []
        lines: list[int] = []
        bad: list[Bad] = []
        for number, line in enumerate(block.lines, block.first):
            try:
                item = loads(line)
            except orjson.JSONDecodeError as error:
                if line.strip():
                    bad.append(_broken(error, place, number, line))
                continue
            if isinstance(item, dict):
                items.append(cast(dict[str, Any], item))
                lines.append(number)
            else:
                message = f"the line holds {noun(item)}; one object a line is needed: {{…}}"
                bad.append(Bad(f"{place}:{number}", "not_an_object", message, excerpt(line)))
        yield Records(place, lines, items, bad)


def _broken(error: orjson.JSONDecodeError, place: str, number: int, line: bytes) -> Bad:
    message = f"{error.msg}; the line must be one JSON object"
    return Bad(f"{place}:{number}:{error.colno}", "broken_json", message, excerpt(line))
