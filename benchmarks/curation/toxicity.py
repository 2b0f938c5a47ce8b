"""curation.toxicity…: how many natural rows `toxicity` flags, with the curve over its bound.

    python benchmarks/curation/toxicity.py

There is no public truth here: the figures are upper bounds of false alarms (some rows are coarse indeed), and
`beside` holds the share above each bound.
"""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from record import ROOT, record  # noqa: E402
from sides import share  # noqa: E402

from zhiling.curation.toxicity import Toxicity  # noqa: E402
from zhiling.pipeline.step import Context  # noqa: E402
from zhiling.rows.conversation import dialogue  # noqa: E402

DATA = ROOT.parent / "shared" / "data"
BOUNDS = (0.3, 0.5, 0.7, 0.9)
MOST_FALSE = 0.01
Text = Callable[[dict[str, Any]], str]


def main() -> None:
    """Measures and records every figure."""
    if not DATA.exists():
        raise SystemExit(f"{DATA} is not here: nothing can be measured")
    instruction: Text = lambda each: f"{each['instruction']}\n{each['input']}\n{each['output']}"  # noqa: E731
    text: Text = lambda each: each["text"]  # noqa: E731
    rows = [
        flagged("en", "alpaca_en_10k/alpaca_en", instruction),
        flagged("zh", "alpaca_zh_10k/alpaca_zh", instruction),
        flagged("chats", "tweetsumm/dialogs_with_summaries", text),
        flagged("news", "thucnews_titles/dev", text),
        flagged("web", "llama_factory_demo/c4_demo", text),
    ]
    print(record("curation", rows), file=sys.stderr)


def flagged(part: str, name: str, text: Text) -> dict[str, Any]:
    """The share of a set's rows above the default bound."""
    with gzip.open(DATA / f"{name}.jsonl.gz", "rt", encoding="utf-8") as file:
        texts = pl.Series([text(json.loads(line)) for line in file], dtype=pl.String)
    rows = pl.DataFrame({"messages": dialogue({"user": texts})})
    score = Toxicity().decide(rows, Context(step_id="toxicity"))["score"]
    curve = {f"above {bound}": round(float((score > bound).mean() or 0), 5) for bound in BOUNDS}
    hits = (score > Toxicity().at_most).to_list()
    what = f"`toxicity`: flagged of natural rows, {part}"
    note = "upper bound of false alarms; no public truth here, so recall is not measured"
    return share(
        f"curation.toxicity.{part}", what, MOST_FALSE, hits, "lower", beside=curve, data=name, note=note
    )


if __name__ == "__main__":
    main()
