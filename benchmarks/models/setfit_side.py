"""SetFit on labelled rows, in its own environment: prints `{"accuracy": …, "cpu_s": …, …}` as JSON.

    python setfit_side.py ENCODER TRAIN.jsonl TEST.jsonl MAX_STEPS SEED

ENCODER is a folder of sentence-transformers; a line of the files is `{"text": …, "label": …}`. All settings
but the number of steps are SetFit's defaults: batches of 16 pairs, 2e-5, a logistic regression as head.
CPU seconds are the user's, of all threads, of tuning and head alone.
"""

from __future__ import annotations

import json
import os
import random
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from datasets import Dataset
from setfit import SetFitModel, Trainer, TrainingArguments


def main(encoder: str, train: str, test: str, max_steps: int, seed: int) -> None:
    """Tunes on the first file, answers the second."""
    random.seed(seed)
    np.random.seed(seed)  # SetFit draws its pairs from this state
    torch.manual_seed(seed)
    rows, tested = read(train), read(test)
    labels = sorted({row["label"] for row in rows})
    model = SetFitModel.from_pretrained(encoder, labels=labels)
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            output_dir=folder, max_steps=max_steps, seed=seed, save_strategy="no", logging_strategy="no",
            report_to="none", show_progress_bar=False,
        )  # fmt: skip
        columns = {name: [row[name] for row in rows] for name in ("text", "label")}
        trainer = Trainer(model=model, args=arguments, train_dataset=Dataset.from_dict(columns))
        before = os.times().user
        trainer.train()
        cost = os.times().user - before
    told = list(model.predict([row["text"] for row in tested]))
    right = [answer == row["label"] for answer, row in zip(told, tested, strict=True)]
    print(
        json.dumps({"accuracy": float(np.mean(right)), "cpu_s": cost, "n": len(right), "rows": len(rows)}),
        flush=True,
    )


def read(file: str) -> list[dict[str, str]]:
    """The lines of a file."""
    return [json.loads(line) for line in Path(file).read_text(encoding="utf-8").splitlines()]


if __name__ == "__main__":
    main(*sys.argv[1:4], int(sys.argv[4]), int(sys.argv[5]))
