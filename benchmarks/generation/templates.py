"""generation.10: answer templates mined from the system's replies of SGD: precise slots, covered replies.

    OMP_NUM_THREADS=1 python benchmarks/generation/templates.py [dev]

Dialogues go to two halves by the hash of their id. On the first (`dev`) patterns, likeness and rows a
template were chosen; templates are then mined from the replies of the other half alone, and its dialogue acts
tell which values stand in each reply. A slot is right where it is one of these values, case and a leading
"the" apart.
"""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1]), str(HERE.parent)]

from record import record, row  # noqa: E402

from benchmarks.sources.sets import DATA  # noqa: E402
from zhiling.synthesis.answer_templates import AnswerTemplates  # noqa: E402
from zhiling.synthesis.template_mining import Templates, mine  # noqa: E402

RESAMPLED = 2000


class Reply(NamedTuple):
    """A reply of the system with the values of its acts."""

    dialogue: str
    text: str
    values: frozenset[str]


class Counts(NamedTuple):
    """Of one dialogue: replies, covered ones, slots, right ones, values in covered replies, found ones."""

    replies: int
    covered: int
    slots: int
    right: int
    values: int
    found: int


def replies(half: int) -> list[Reply]:
    """The system's replies of the dialogues of one half."""
    found: list[Reply] = []
    with gzip.open(DATA / "sgd" / "train.jsonl.gz", "rt", encoding="utf-8") as lines:
        for dialogue in map(json.loads, lines):
            name = dialogue["dialogue_id"]
            if blake2b(name.encode(), digest_size=1).digest()[0] % 2 == half:
                found += [_reply(name, turn) for turn in dialogue["turns"] if turn["speaker"] == "SYSTEM"]
    return found


def _reply(dialogue: str, turn: dict) -> Reply:
    values = (value for frame in turn["frames"] for action in frame["actions"] for value in action["values"])
    return Reply(dialogue, turn["utterance"], frozenset(map(_plain, values)))


def _plain(value: str) -> str:
    return value.casefold().removeprefix("the ").strip()


def count(said: Sequence[Reply], templates: Templates) -> Counts:
    """What the templates find in some replies."""
    covered = slots = right = values = found = 0
    for reply in said:
        match = templates.match(reply.text)
        if match is None:
            continue
        told = [_plain(slot.value) for slot in match.slots]
        standing = {value for value in reply.values if value in reply.text.casefold()}
        covered += 1
        slots += len(told)
        right += sum(value in reply.values for value in told)
        values += len(standing)
        found += len(standing.intersection(told))
    return Counts(len(said), covered, slots, right, values, found)


def main() -> None:
    """Measures and records every figure."""
    if not DATA.exists():
        raise SystemExit(f"{DATA} is not here: nothing can be measured")
    half = 0 if sys.argv[1:] == ["dev"] else 1
    said = replies(half)
    step = AnswerTemplates()
    templates = mine([reply.text for reply in said], step.near, step.least_rows)
    by_dialogue: dict[str, list[Reply]] = {}
    for reply in said:
        by_dialogue.setdefault(reply.dialogue, []).append(reply)
    parts = np.array([count(each, templates) for each in by_dialogue.values()])
    draws = np.random.default_rng(0).integers(0, len(parts), (RESAMPLED, len(parts)))
    sums, resampled = Counts(*parts.sum(axis=0).tolist()), parts[draws].sum(axis=1).T
    shares = {name: getattr(sums, name) for name in Counts._fields} | {"templates": len(templates.mined)}
    print(shares, file=sys.stderr)
    if half == 0:
        print(sums.right / sums.slots, sums.covered / sums.replies, sums.found / sums.values)
        return
    totals = Counts(*resampled)
    rows = [
        _row("a", "slots of mined templates that are a value of the reply", (totals.right, totals.slots),
             (sums.right, sums.slots), 0.95, {"templates": len(templates.mined)}),
        _row("b", "replies that have a template", (totals.covered, totals.replies),
             (sums.covered, sums.replies), 0.6,
             {"values found in covered replies": round(sums.found / sums.values, 4)}),
    ]  # fmt: skip
    print(record("generation", rows), file=sys.stderr)


def _row(letter: str, what: str, drawn: tuple, sums: tuple[int, int], goal: float, beside: dict) -> dict:
    low, high = np.percentile(drawn[0] / drawn[1], [2.5, 97.5])
    return row(
        f"generation.10{letter}", what, round(sums[0] / sums[1], 4), goal, "higher",
        low=round(float(low), 4), high=round(float(high), 4), n=sums[1], unit="share", data="sgd",
        beside=beside, note="half of the dialogues, settings chosen on the other; dialogues resampled, 95 %",
    )  # fmt: skip


if __name__ == "__main__":
    main()
