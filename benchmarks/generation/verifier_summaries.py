"""Summaries for generation.12: public ones of their source, of another one, in another language, too long.

Chinese ones are replies to requests to sum up; one that is longer than its source is no summary.
"""

from __future__ import annotations

import gzip
import json
import random
import re
from collections.abc import Iterator

from verifier_rows import MOST, Pair, Row, judged, read

from benchmarks.sources.sets import DATA

SETS = {"en": ("dialogsum", "tweetsumm"), "zh": ("alpaca_zh",)}
ASKS = re.compile("总结|概括|摘要|概述|缩写")
HAN = re.compile("[\u4e00-\u9fff]")
LEAST_HAN = 80
"""Characters of a source; a shorter one is an address or a title, of which nothing can be summed up."""


def summed_up(name: str, draw: random.Random) -> Iterator[Pair]:
    """Sources with their summary, or with what is none of theirs."""
    told = _of(name, draw)
    others = _of(SETS["zh" if name in SETS["en"] else "en"][0], draw)
    for at, (source, summary) in enumerate(told[:MOST]):
        kind = draw.random()
        if kind < 0.6:
            wrong = told[(at + 1) % len(told)][1]
        elif kind < 0.8:
            wrong = draw.choice(others)[1]
        else:
            wrong = f"{source}\n{summary}"
        right, false = ((("user", source), ("assistant", text)) for text in (summary, wrong))
        yield Pair(Row(right, {}, "summarisation"), Row(false, {}, "summarisation"))


def _of(name: str, draw: random.Random) -> list[tuple[str, str]]:
    """Sources and summaries of a set, in random order."""
    if name != "alpaca_zh":
        return [(row["turns"][0][1], row["turns"][-1][1]) for row in read(name, draw)]
    with gzip.open(DATA / "alpaca_zh_10k" / "alpaca_zh.jsonl.gz", "rt", encoding="utf-8") as lines:
        found = [
            (row["input"], row["output"])
            for row in map(json.loads, lines)
            if ASKS.search(row["instruction"])
            and len(HAN.findall(row["input"])) >= LEAST_HAN
            and len(row["output"]) < len(row["input"])
            and judged(row["input"])
        ]
    draw.shuffle(found)
    return found
