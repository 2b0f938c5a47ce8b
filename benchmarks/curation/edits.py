"""curation.edits.STEP.REASON: do the rules act on the rows that people edited in the Chinese Alpaca set?

    python benchmarks/curation/edits.py

Truth: 487 of 10,021 rows were changed by hand (one was removed). Those flagged as HTML entities are told
apart: for the other reasons they are neither right nor wrong, so they are left out. Lift is the share of
edited rows among those that a step acts on, over their share among all rows: 1 is chance. People edited what
they came across, so a row that nobody edited may be bad: precision and lift are lower bounds. `structure`'s
`mangled_code` was written after a look at the even rows; it is judged on the odd ones, and so is the whole.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import polars as pl

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.path.insert(0, str(HERE.parent))

from record import record, row  # noqa: E402
from rules import CONTEXT, DATA, instruction, lines  # noqa: E402
from sides import share  # noqa: E402

from zhiling.curation.damage import mended  # noqa: E402
from zhiling.pipeline import registry  # noqa: E402
from zhiling.pipeline.step import Decide  # noqa: E402
from zhiling.rows.conversation import dialogue  # noqa: E402
from zhiling.rows.schema import conform  # noqa: E402

STEPS = (
    "length", "links_only", "repetition", "structure", "truncated", "boilerplate", "reply_language", "script",
)  # fmt: skip
FEWEST = 5
"""Rows that a reason needs to be told: fewer say nothing."""
LOOKED_AT = ("structure", "mangled_code")
SET = "alpaca_zh_10k edit labels"
Result = dict[str, Any]


def main() -> None:
    """Measures and records every figure."""
    if not DATA.exists():
        raise SystemExit(f"{DATA} is not here: nothing can be measured")
    flags = {each["id"]: each["flags"] for each in lines("alpaca_zh_10k/edit_labels")}
    records = list(lines("alpaca_zh_10k/alpaca_zh"))
    entity = [each["id"] in flags and "html_entity" in flags[each["id"]] for each in records]
    edited = [each["id"] in flags for each in records]
    pairs = [instruction(each) for each in records]
    results = [*entities(pairs, edited, entity), *reasons(pairs, edited, entity)]
    print(record("curation", results), file=sys.stderr)
    for each in results:
        print(f"{each['id']}: {each['value']} [{each['low']}, {each['high']}] n {each['n']} {each['beside']}")


def entities(pairs: list[tuple[str, str]], edited: list[bool], entity: list[bool]) -> Iterator[Result]:
    """`repair` on the rows that were edited for HTML entities."""
    acted = [any(mended(text).text != text for text in pair) for pair in pairs]
    found = [hit for hit, wanted in zip(acted, entity, strict=True) if wanted]
    right = [wanted for hit, wanted in zip(acted, edited, strict=True) if hit]
    about: Result = {"step": "repair", "data": SET}
    yield share(
        "curation.edits.repair.recall",
        "`repair`: rows edited for entities that it mends",
        0.9,
        found,
        **about,
    )
    yield share(
        "curation.edits.repair.precision", "`repair`: mended rows that people edited", 0.95, right, **about
    )


def reasons(pairs: list[tuple[str, str]], edited: list[bool], entity: list[bool]) -> Iterator[Result]:
    """Lift of each reason of the rules, and what all of them find."""
    questions, replies = (pl.Series([pair[side] for pair in pairs], dtype=pl.String) for side in (0, 1))
    rows = conform(pl.DataFrame({"messages": dialogue({"user": questions, "assistant": replies})}))
    judged = [place for place, is_entity in enumerate(entity) if not is_entity]
    everywhere: set[int] = set()
    for name in STEPS:
        acted = found(name, rows)
        everywhere |= set().union(*acted.values())
        for reason, hits in sorted(acted.items()):
            odd = (name, reason) == LOOKED_AT
            chosen = [place for place in judged if place % 2 or not odd]
            if len(hits & set(chosen)) >= FEWEST:
                yield lift(f"{name}.{reason}", name, hits, chosen, edited)
    odd_rows = [place for place in judged if place % 2]
    yield lift("any", "", everywhere, odd_rows, edited)
    wanted = [place in everywhere for place in odd_rows if edited[place]]
    note = "the others are words translated too far or not at all, inputs that say there is none, wrong facts"
    what = "rows edited for anything but entities that a rule rejects"
    yield share("curation.edits.recall", what, 0.25, wanted, data=SET, note=note)


def found(name: str, rows: pl.DataFrame) -> dict[str, set[int]]:
    """Reason → places of the rows that a step rejects for it."""
    step: Decide = registry.load("step", name)()
    applies = step.applies(rows)
    answer = step.decide(rows, CONTEXT).with_row_index("place")
    if applies is not None:
        answer = answer.filter(applies)
    rejected = answer.filter(pl.col("verdict") == "reject").group_by("reason").agg("place")
    return {reason: set(places) for reason, places in rejected.iter_rows()}


def lift(id: str, step: str, hits: set[int], among: Iterable[int], edited: list[bool]) -> Result:
    """The share of edited rows among hits over that among all, with the interval of the first."""
    among = list(among)
    base = sum(edited[place] for place in among) / len(among)
    acted = [edited[place] for place in among if place in hits]
    told = share(id, "", 0.0, acted)
    recall = sum(acted) / sum(edited[place] for place in among)
    who = f"`{step}`, {id.partition('.')[2].replace('_', ' ')}" if step else "all rules"
    made = row(
        f"curation.edits.{id}", f"{who}: edited rows among those rejected over all",
        round(told["value"] / base, 2), 1.0, "higher",
        low=round(told["low"] / base, 2), high=round(told["high"] / base, 2), n=len(acted), unit="times",
        beside={"precision": round(told["value"], 3), "recall": round(recall, 3)}, data=SET,
        note="a lower bound: rows that nobody edited may be bad",
    )  # fmt: skip
    return {**made, "step": step} if step else made


if __name__ == "__main__":
    main()
