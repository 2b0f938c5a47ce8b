"""curation.standing: a second day's rows against an index of what was released, in English and Chinese.

    python benchmarks/curation/standing_index.py

Of the rows of alpaca_en and alpaca_zh 8,000 each are released, and 1,000 others come on the second day, with
1,000 copies of released rows: a quarter as they are, the others with one to four words (characters of
Chinese) replaced or dropped. Wanted are the copies with an exact Jaccard similarity of .8 or more, by plain
Python; the false share is that of all rows whose named row does not reach .8. The cost of a look-up is
counted in instructions of SQLite's machine, with the index as it is and six times as large.
"""

from __future__ import annotations

import gzip
import json
import random
import re
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

import polars as pl

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from sides import share  # noqa: E402

sys.path.insert(0, str(HERE.parent / "spine"))
from record import record, row  # noqa: E402
from reference import similarities  # noqa: E402

from zhiling.curation.buckets import SHORT_SHINGLES  # noqa: E402
from zhiling.curation.released import Released  # noqa: E402
from zhiling.rows.conversation import dialogue  # noqa: E402

DATA = HERE.parents[1].parent / "shared" / "data"
FILES = {"en": "alpaca_en_10k/alpaca_en.jsonl.gz", "zh": "alpaca_zh_10k/alpaca_zh.jsonl.gz"}
RELEASED, NEW, COPIES, SEEDS, THRESHOLD = 8_000, 1_000, 1_000, (1, 2, 3), 0.8
EDITED = 0.5
"""Least similarity of edited copies of short texts."""
GROWTH = 5
PIECE = re.compile(r"\s+|[A-Za-z0-9']+|.", re.DOTALL)


def texts(language: str) -> list[str]:
    """Question and answer of each row, distinct."""
    with gzip.open(DATA / FILES[language], "rt", encoding="utf-8") as lines:
        records = [json.loads(line) for line in lines]
    return list(
        dict.fromkeys("\n".join(each[f] for f in ("instruction", "input", "output")) for each in records)
    )


def edited(text: str, draw: random.Random, words: list[str]) -> str:
    """The text with one to four words or characters replaced or dropped."""
    pieces = PIECE.findall(text)
    for _ in range(draw.randint(1, 4)):
        pieces[draw.randrange(len(pieces))] = draw.choice((draw.choice(words), ""))
    return "".join(pieces)


def frame(rows: list[str], name: str) -> pl.DataFrame:
    """Rows of one user turn, with ids."""
    ids = [f"{name}{number}" for number in range(len(rows))]
    return pl.DataFrame({"id": ids, "messages": dialogue({"user": pl.Series(rows, dtype=pl.String)})})


def operations(index: Released, rows: pl.DataFrame) -> int:
    """Instructions of SQLite's machine that a look-up takes, to a hundred."""
    counted = 0

    def count() -> int:
        nonlocal counted
        counted += 100
        return 0

    connection = index._connect()
    connection.set_progress_handler(count, 100)
    index.nearest(rows["messages"])
    connection.set_progress_handler(None, 0)
    return counted


def day(language: str, seed: int, folder: Path) -> dict[str, Any]:
    """Hits among the wanted copies, false removals among the other rows, and how the cost grew."""
    draw = random.Random(seed)
    rows = draw.sample(texts(language), RELEASED + NEW)
    released, new = rows[:RELEASED], rows[RELEASED:]
    words = PIECE.findall(" ".join(new[:50]))
    originals = draw.sample(range(RELEASED), COPIES)
    copies = [
        released[each] if place < COPIES // 4 else edited(released[each], draw, words)
        for place, each in enumerate(originals)
    ]
    both = frame(copies + new, "new")
    with Released(folder / f"{language}{seed}.sqlite") as index:
        index.add("day-1", "mark", [frame(released, "")])
        found = index.nearest(both["messages"])
        further = index.nearest(both["messages"], least=EDITED).related.to_list()
        before = operations(index, both)
        for number in range(GROWTH):
            grown = [edited(" ".join(draw.sample(words, 40)), draw, words) for _ in range(RELEASED)]
            index.add(f"grown-{number}", "mark", [frame(grown, "")])
        after = operations(index, both)
    told = found.related.to_list()
    planted = [(place, COPIES + NEW + each) for place, each in enumerate(originals)]
    everything = copies + new + released
    alike = similarities(everything, planted)
    wanted = [value >= THRESHOLD for value in alike]
    short = [place for place in range(COPIES) if EDITED <= alike[place] < THRESHOLD and _short(copies[place])]
    named = [(place, COPIES + NEW + int(each.partition(":")[2])) for place, each in enumerate(told) if each]
    wrong = {
        pair[0]
        for pair, value in zip(named, similarities(everything, named), strict=True)
        if value < THRESHOLD - 1e-9
    }
    return {
        "hits": [told[place] is not None for place in range(COPIES) if wanted[place]],
        "false": [place in wrong for place in range(COPIES + NEW)],
        "edited": [further[place] is not None for place in short],
        "natural": [each is not None for each in further[COPIES:]],
        "growth": after / before,
    }


def _short(text: str) -> bool:
    """Whether the index looks for copies of this text below .8; a margin on the sure side."""
    return len(re.findall(r"[A-Za-z0-9']+|[\u4e00-\u9fff]", text)) <= SHORT_SHINGLES


def main() -> None:
    """Measure and record."""
    lines: list[dict[str, Any]] = []
    growth: list[float] = []
    for language, file in FILES.items():
        with tempfile.TemporaryDirectory() as folder:
            days = [day(language, seed, Path(folder)) for seed in SEEDS]
        data = f"{file.partition('/')[0]}, {RELEASED} rows released, {len(SEEDS)} seeds"
        hits, false = ([each for one in days for each in one[name]] for name in ("hits", "false"))
        growth += [one["growth"] for one in days]
        about = {"step": "known", "data": data}
        name = f"curation.standing.{language}"
        lines.append(
            share(f"{name}.found", f"repeats of released rows found, {language}", 0.99, hits, **about)
        )
        lines.append(
            share(f"{name}.false", f"removed without being near, {language}", 0.001, false, "lower", **about)
        )
        edits, natural = ([each for one in days for each in one[kind]] for kind in ("edited", "natural"))
        lines.append(
            share(
                f"{name}.edited", f"edited copies of short texts found at `jaccard: 0.5`, {language}", 0.99,
                edits, note="similarity of .5 to .8, which the default leaves", **about,
            )
        )  # fmt: skip
        lines.append(
            share(
                f"{name}.natural", f"other rows of the same set removed at `jaccard: 0.5`, {language}", 0.02,
                natural, "lower", note="upper bound: the set repeats itself, each counts as false", **about,
            )
        )  # fmt: skip
    lines.append(
        row(
            "curation.standing.growth",
            f"cost of a look-up with {GROWTH + 1} times the index over that with the index",
            round(statistics.median(growth), 4), 1.1, "lower",
            low=round(min(growth), 4), high=round(max(growth), 4), n=len(growth), unit="times",
            data="alpaca_en_10k, alpaca_zh_10k", note="instructions of SQLite; extremes of all seeds",
        )
    )  # fmt: skip
    path = record("curation", lines)
    for line in lines:
        print(f"{line['id']}  {line['what']}: {line['value']} [{line['low']}, {line['high']}] n {line['n']}")
    print(f"-> {path}")


if __name__ == "__main__":
    main()
