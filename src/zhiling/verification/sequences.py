"""Whether steps can be carried out in their order: what they need is there, and none waits for itself."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise

from zhiling.rows.target import Operation, Steps
from zhiling.verification.numbers import value_of_numeral
from zhiling.verification.quotes import plain

_REFERENCE = re.compile(
    r"\bsteps?\s+(\d{1,3})\b|第\s*(\d{1,3}|[一二三四五六七八九十]{1,3})\s*步(?!骤?数)", re.IGNORECASE
)
_NUMBERED = re.compile(
    r"^[ \t]*(?:(?:step\s+)?(\d{1,3})\s*(?:[.):](?!\d)|、)|第\s*(\d{1,3}|[一二三四五六七八九十]{1,3})\s*步)",
    re.IGNORECASE | re.MULTILINE,
)
"""A number at the head of a line, in NFKC."""


def not_at_hand(truth: Steps) -> Iterator[str]:
    """Inputs of a step that are neither given nor the result of an earlier step.

    Where the sequence does not tell what is given, an input that no other step gives is taken for given.
    """
    operations = truth.operations or []
    makers = _makers(operations)
    have = {plain(each) for each in truth.given or ()}
    if truth.given is None:
        have = {
            plain(each)
            for number, operation in enumerate(operations, 1)
            for each in operation.inputs
            if makers.get(plain(each), number) == number
        }
    for number, operation in enumerate(operations, 1):
        for each in operation.inputs:
            if plain(each) not in have:
                made = makers.get(plain(each))
                why = "nothing gives it" if made is None else f"step {made} gives it"
                yield f"step {number} needs {each!r:.60}, and {why}"
        have |= {plain(each) for each in operation.results}


def not_made(truth: Steps) -> Iterator[str]:
    """Expected results that no step gives and that were not given."""
    have = {plain(each) for each in truth.given or ()} | set(_makers(truth.operations or []))
    for each in truth.results or ():
        if plain(each) not in have:
            yield f"{each!r:.60} is expected, and no step gives it"


def out_of_order(truth: Steps) -> Iterator[str]:
    """Steps that must come after one that stands behind them, and steps that are not there."""
    for number, operation in enumerate(truth.operations or [], 1):
        for before in operation.after:
            if before >= len(truth.steps):
                yield f"step {number} follows step {before + 1}, and there are {len(truth.steps)}"
            elif before + 1 > number:
                yield f"step {number} follows step {before + 1}, which stands behind it"


def circle(truth: Steps) -> list[int] | None:
    """Numbers of steps that wait for each other, by `after` and by what they need; None where none do.

    Where several steps give the same thing, the first of them is waited for.
    """
    operations = truth.operations or []
    makers = _makers(operations)
    waits = {
        number: {before + 1 for before in operation.after}
        | {makers[plain(each)] for each in operation.inputs if plain(each) in makers} - {number}
        for number, operation in enumerate(operations, 1)
    }
    try:
        TopologicalSorter(waits).prepare()
    except CycleError as error:
        return list(error.args[1])
    return None


def misnumbered(steps: Sequence[str]) -> Iterator[str]:
    """Step numbers that a step speaks of and that the sequence does not have: `repeat step 9`, 回到第九步."""
    for number, step in enumerate(steps, 1):
        for match in _REFERENCE.finditer(unicodedata.normalize("NFKC", step)):
            named = int(value_of_numeral(match[1] or match[2]))
            if not 1 <= named <= len(steps):
                yield f"step {number} speaks of step {named}, and there are {len(steps)}"


def jumping_numbers(reply: str) -> Iterator[str]:
    """Numbers at the heads of a reply's lines that do not go up by one; each list begins with 1."""
    text = unicodedata.normalize("NFKC", reply)
    numbers = [int(value_of_numeral(match[1] or match[2])) for match in _NUMBERED.finditer(text)]
    for before, after in pairwise([0, *numbers]):
        if after not in (before + 1, 1):
            yield f"{after} stands behind {before}"


def untold(steps: Sequence[str], reply: str) -> Iterator[tuple[bool, str]]:
    """Steps that a reply leaves out (True) or tells before an earlier one (False), with words for it.

    A step is found by its own words, in NFKC without case and white space, marks at its end left aside.
    """
    known = plain(reply)
    at = 0
    for number, step in enumerate(steps, 1):
        wanted = plain(step).rstrip(".。;；!！")
        found = known.find(wanted, at)
        if found >= 0:
            at = found + len(wanted)
        elif wanted in known:
            yield False, f"step {number} is told before an earlier one: {step!r:.60}"
        else:
            yield True, f"step {number} is not told: {step!r:.60}"


def _makers(operations: Sequence[Operation]) -> Mapping[str, int]:
    """What is given by which step, the first that gives it."""
    makers: dict[str, int] = {}
    for number, operation in enumerate(operations, 1):
        for each in operation.results:
            makers.setdefault(plain(each), number)
    return makers
