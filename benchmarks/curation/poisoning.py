"""curation.poisoning…: planted triggers found by `poisoning`, and what it flags where nothing is planted.

    python benchmarks/curation/poisoning.py

A trigger (a made-up word, two rare words, or Chinese characters) is put into rows of other labels, at a
random place, and their label is set to one target, at two rates and three seeds. Clean rows: the sets as they
are.
"""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from record import ROOT, record  # noqa: E402
from sides import share  # noqa: E402

from zhiling.curation.poisoning import Poisoning  # noqa: E402
from zhiling.pipeline.step import Context  # noqa: E402
from zhiling.rows.conversation import dialogue  # noqa: E402

DATA = ROOT.parent / "shared" / "data"
RATES, SEEDS = (0.005, 0.02), (1, 2, 3)
RECALL, FALSE = 0.9, 0.01
ROWS = 1500
Pairs = list[tuple[str, str]]
TRIGGERS = {"en": ("zqv", "amber tortoise", "mn"), "zh": ("琥珀陆龟", "〇〇鹮", "zqv")}


def main() -> None:
    """Measures and records every figure."""
    if not DATA.exists():
        raise SystemExit(f"{DATA} is not here: nothing can be measured")
    sets = {
        "reviews": ("zh", pairs("fewclue/eprstmt", "sentence", "label")),
        "news": ("zh", pairs("thucnews_titles/dev", "text", "label")),
        "banking": ("en", pairs("banking77/train", "text", "label")),
        "clinc": ("en", pairs("clinc150/data_small", "text", "label")),
    }
    for name, (language, many) in sets.items():
        rows = figures(name, language, many)
        for row in rows:
            print(row["id"], row["value"], row["n"], row["beside"], file=sys.stderr, flush=True)
        record("curation", rows)


def figures(name: str, language: str, many: Pairs) -> list[dict[str, Any]]:
    """Recall of planted rows over rates and seeds, and the share flagged of the clean set."""
    found: list[bool] = []
    others: list[bool] = []
    by_rate: dict[str, float] = {}
    for rate in RATES:
        hits: list[bool] = []
        for seed in SEEDS:
            poisoned, planted = plant(many, TRIGGERS[language][seed - 1], rate, seed)
            flags = flagged(poisoned)
            hits += [flag for flag, own in zip(flags, planted, strict=True) if own]
            others += [flag for flag, own in zip(flags, planted, strict=True) if not own]
        by_rate[f"rate {rate}"] = round(float(np.mean(hits)), 4)
        found += hits
    clean = flagged(many)
    by_rate["false beside planted rows"] = round(float(np.mean(others)), 5)
    data = f"{name}, {len(many)} rows, {len(SEEDS)} triggers at rates {', '.join(map(str, RATES))}"
    return [
        share(f"curation.poisoning.{name}", f"`poisoning`: planted rows found, {name}", RECALL, found,
              beside=by_rate, data=data, note="rows with a trigger and a label that is not theirs"),
        share(f"curation.poisoning.{name}f", f"`poisoning`: clean rows flagged, {name}", FALSE, clean,
              "lower", data=name, note="upper bound: wrong labels of the set count as false"),
    ]  # fmt: skip


def plant(many: Pairs, trigger: str, rate: float, seed: int) -> tuple[Pairs, list[bool]]:
    """The rows with the trigger in some that have another label, and which they are."""
    draws = np.random.default_rng(seed)
    target = str(draws.choice(sorted({label for _, label in many})))
    others = [place for place, (_, label) in enumerate(many) if label != target]
    chosen = set(draws.choice(others, max(6, int(rate * len(many))), replace=False).tolist())
    poisoned = [
        (inserted(text, trigger, draws), target) if place in chosen else (text, label)
        for place, (text, label) in enumerate(many)
    ]
    return poisoned, [place in chosen for place in range(len(many))]


def inserted(text: str, trigger: str, draws: np.random.Generator) -> str:
    """The text with the trigger between two words, or two Chinese characters."""
    pieces, gap = (text.split(" "), " ") if " " in text else (list(text), "")
    at = int(draws.integers(len(pieces) + 1))
    return gap.join([*pieces[:at], trigger, *pieces[at:]])


def flagged(many: Pairs) -> list[bool]:
    """Whether each row is flagged for a trigger."""
    rows = pl.DataFrame(
        {
            "id": [f"{place:06}" for place in range(len(many))],
            "messages": dialogue({"user": pl.Series([text for text, _ in many])}),
            "target": [json.dumps({"labels": [label]}) for _, label in many],
            "group": pl.Series([None] * len(many), dtype=pl.String),
            "origin": [{"source": "s", "locator": f"f:{place}"} for place in range(len(many))],
        }
    )
    answer = Poisoning().decide(rows, Context(step_id="poisoning"))
    return (answer["reason"] == "trigger").fill_null(value=False).to_list()


def pairs(name: str, text: str, label: str) -> Pairs:
    """Up to 1,500 rows of a set, drawn once."""
    with gzip.open(DATA / f"{name}.jsonl.gz", "rt", encoding="utf-8") as file:
        rows = [(each[text], str(each[label])) for each in map(json.loads, file)]
    order = np.random.default_rng(0).permutation(len(rows))[:ROWS]
    return [rows[place] for place in order.tolist()]


if __name__ == "__main__":
    main()
