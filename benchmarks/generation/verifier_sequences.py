"""Sequences for generation.12: numbered lists of public replies, and procedures written here."""

from __future__ import annotations

import gzip
import json
import random
import re
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

from verifier_constraints import WORDS
from verifier_rows import MOST, Pair, Row, judged

from benchmarks.sources.sets import DATA

LISTS = {
    "en": ("alpagasus_dolly_3k/dolly_3k", "alpaca_en_10k/alpaca_en"),
    "zh": ("alpaca_zh_10k/alpaca_zh",),
}
ITEM = re.compile(r"(?m)^(\d{1,2})([.、)][ \t]*)(\S.{3,})$")
SAID = {
    "en": ("Make the {result} from the {inputs}.", " and the "),
    "zh": ("用{inputs}做出{result}。", "和"),
}


def lists(language: str, draw: random.Random) -> Iterator[Pair]:
    """Numbered lists of replies; two items change places, one is left out, or a number jumps."""
    replies: list[str] = []
    for name in LISTS[language]:
        with gzip.open(DATA / f"{name}.jsonl.gz", "rt", encoding="utf-8") as file:
            replies += [json.loads(line)["output"] for line in file]
    draw.shuffle(replies)
    pairs: list[Pair] = []
    for reply in replies:
        items = list(ITEM.finditer(reply))
        steps = [item[3].strip() for item in items]
        if not judged(reply) or not 3 <= len(items) <= 15 or len(set(steps)) < len(steps):
            continue
        if [int(item[1]) for item in items] != list(range(1, len(items) + 1)):
            continue
        wrong = _disturbed(reply, items, draw)
        clean, faulty = (
            Row((("user", "?"), ("assistant", text)), {"steps": steps}, "sequence") for text in (reply, wrong)
        )
        pairs.append(Pair(clean, faulty))
    yield from pairs[:MOST]


def _disturbed(reply: str, items: list[re.Match[str]], draw: random.Random) -> str:
    first, second = sorted(draw.sample(range(len(items)), 2))
    lines = [f"{item[1]}{item[2]}{item[3]}" for item in items]
    kind = draw.randrange(3)
    if kind == 0:
        one, other = items[first], items[second]
        lines[first] = f"{one[1]}{one[2]}{other[3]}"
        lines[second] = f"{other[1]}{other[2]}{one[3]}"
    elif kind == 1:
        lines[second] = ""
    else:
        lines[second] = f"{int(items[second][1]) + draw.randrange(1, 4)}{items[second][2]}{items[second][3]}"
    for item, line in zip(reversed(items), reversed(lines), strict=True):
        reply = reply[: item.start()] + line + reply[item.end() :]
    return reply


def procedures(language: str, draw: random.Random) -> Iterator[Pair]:
    """Steps that need what earlier ones give; one is at the wrong place, missing, or waits for itself."""
    for _ in range(MOST):
        right = _procedure(language, draw)
        wrong = deepcopy(right)
        draw.choice([_swap, _leave_out, _rename, _wait, _expect])(wrong, draw)
        clean, faulty = (Row((("user", "?"),), target, "sequence") for target in (right, wrong))
        yield Pair(clean, faulty)


def _procedure(language: str, draw: random.Random) -> dict[str, Any]:
    names = draw.sample(WORDS[language], 16)
    count = draw.randrange(4, 9)
    given, made = names[:4], names[4 : 4 + count]
    pattern, glue = SAID[language]
    steps: list[str] = []
    operations: list[dict[str, Any]] = []
    for number, result in enumerate(made):
        needs = [made[number - 1]] if number else [given[0]]
        needs += draw.sample([*given[1:], *made[: max(0, number - 1)]], draw.randrange(2))
        after = [draw.randrange(number)] if number and draw.random() < 0.3 else []
        steps.append(pattern.format(result=result, inputs=glue.join(needs)))
        operations.append({"inputs": needs, "results": [result], "after": after})
    return {"steps": steps, "operations": operations, "given": given, "results": [made[-1]]}


def _swap(target: dict[str, Any], draw: random.Random) -> None:
    """Two neighbours change places; what follows them is told by their new places."""
    first = draw.randrange(len(target["steps"]) - 1)
    for key in ("steps", "operations"):
        target[key][first : first + 2] = target[key][first : first + 2][::-1]
    moved = {first: first + 1, first + 1: first}
    for operation in target["operations"]:
        operation["after"] = [moved.get(place, place) for place in operation["after"]]


def _leave_out(target: dict[str, Any], draw: random.Random) -> None:
    """A step is left out, whose result later ones need or the end expects."""
    gone = draw.randrange(len(target["steps"]))
    for key in ("steps", "operations"):
        del target[key][gone]
    for operation in target["operations"]:
        operation["after"] = [place - (place > gone) for place in operation["after"] if place != gone]


def _rename(target: dict[str, Any], draw: random.Random) -> None:
    """A step gives something else."""
    draw.choice(target["operations"])["results"] = ["xylophone"]


def _wait(target: dict[str, Any], draw: random.Random) -> None:
    """A step follows a later one."""
    number = draw.randrange(len(target["steps"]) - 1)
    target["operations"][number]["after"].append(draw.randrange(number + 1, len(target["steps"])))


def _expect(target: dict[str, Any], draw: random.Random) -> None:
    """The end expects what nothing gives."""
    target["results"].append(draw.choice(("xylophone", "木琴")))
