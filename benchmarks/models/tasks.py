"""models.9: other tasks beside a linear model on n-grams and the nearest training example.

    SEEDS=3 OMP_NUM_THREADS=1 python benchmarks/models/tasks.py [facts] [given] [slots] [options] [complaints]

Parts are cut by a hash of the text (of dialogues: of their id): two tenths are answered once (four of the
exams), one tenth chooses the epoch. A training that is stopped goes on where it was; answers are kept under
benchmarks/.work, and a figure is recorded when all its seeds are there.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1]), str(HERE.parent), str(HERE)]

from record import record, row  # noqa: E402

from benchmarks.models import tasks_baselines as baselines  # noqa: E402
from benchmarks.models import tasks_rows as rows_of  # noqa: E402
from zhiling.evaluation.statistics import paired_bootstrap  # noqa: E402
from zhiling.pipeline import registry  # noqa: E402
from zhiling.training import TrainSettings, train  # noqa: E402

WORK = HERE.parent / ".work" / "tasks"
ENCODER: dict[str, Any] = {"features": "encoder", "backbone": baselines.BACKBONE, "precision": "auto"}
TUNED: dict[str, Any] = {**ENCODER, "method": "full", "batch_size": 16, "encoder_learning_rate": 2e-4}
OURS, LINEAR, NEAREST = "zhiling", "n-gram linear", "nearest neighbour"
SEEDS = int(os.environ.get("SEEDS", "3"))
DIALOGUES = "sgd: 1,024 dialogues in windows of four turns; the subject is what was offered last"
Answers = dict[str, list[list[str]]]
"""Side → one sequence of answers per seed."""


@dataclass(frozen=True)
class Compared:
    """One figure: what is learnt, how, and what it is measured by."""

    id: str
    what: str
    metric: str
    settings: dict[str, Any]
    data: str
    note: str
    seeds: tuple[int, ...] = (0, 1, 2)


FIGURES = {
    "facts": Compared(
        "models.9a", "triples of dialogues, with their entities: F1", "triple_f1",
        {**TUNED, "task": "relation", "epochs": 3, "max_tokens": 192}, DIALOGUES,
        f"both baselines tag words first; {NEAREST}: by the untuned encoder's states, then by what stands "
        "between two entities of these types",
    ),
    "given": Compared(
        "models.9a.given", "triples of dialogues, entities given: F1", "triple_f1",
        {**TUNED, "task": "relation_classification", "epochs": 3, "max_tokens": 192}, DIALOGUES,
        f"{NEAREST}: what stands between the two entities, among training pairs of the same types",
    ),
    "slots": Compared(
        "models.9b", "slots of requests: entity F1", "entity_f1",
        {**TUNED, "task": "ner", "epochs": 3},
        "restaurant8k: 3,000 requests to learn from, in the order of the file",
        "nearest neighbour: each word as the training word with the nearest state of the untuned encoder",
    ),
    "options": Compared(
        "models.9c", "exams, four options: accuracy", "accuracy",
        {**ENCODER, "task": "choice", "method": "frozen", "epochs": 30, "learning_rate": 3e-4,
         "max_tokens": 96},
        "mmlu: dev and val, 57 subjects",
        "nearest neighbour: the option with the highest cosine to its question",
    ),
    "complaints": Compared(
        "models.9d", "labels of complaints: micro F1", "micro_f1",
        {**ENCODER, "features": "both", "task": "multi_label", "method": "frozen", "epochs": 60,
         "patience": 60, "batch_size": 8},
        "our own rows of examples/multi_label, in both languages, in five folds",
        "each row is answered by a model of the four other folds; the last epoch is taken",
    ),
}  # fmt: skip


def main() -> None:
    """Measures and records the figures."""
    WORK.mkdir(parents=True, exist_ok=True)
    for name in sys.argv[1:] or FIGURES:
        record("models", [_row(FIGURES[name], *MEASURED[name](FIGURES[name]))])


def _row(figure: Compared, answers: Answers, truth: Sequence[str]) -> dict[str, Any]:
    """The least lead over a baseline, with its interval: the goal is that its low end is above 0."""
    metric = registry.load("metric", figure.metric)()
    found = paired_bootstrap(metric, answers, truth, seed=0, resamples=2000)
    leads = {side: found.difference(OURS, side) for side in (LINEAR, NEAREST)}
    least = min(leads.values(), key=lambda lead: lead.low)
    beside = {side: _told(found.interval(side)) for side in answers}
    unit = "accuracy" if figure.metric == "accuracy" else "F1"
    return row(
        figure.id, f"{figure.what}: lead over the better baseline", round(least.mean, 4), 0.0, "higher",
        low=round(least.low, 4), high=round(least.high, 4), n=len(truth), unit=unit, beside=beside,
        met=least.low > 0, data=figure.data, note=f"{figure.note}; seeds {len(answers[OURS])}",
    )  # fmt: skip


def _told(interval: Any) -> str:
    return f"{interval.mean:.3f} [{interval.low:.3f}, {interval.high:.3f}]"


def _kept(name: str, make: Callable[[], list[str]]) -> list[str]:
    """Answers from disk where they were made before."""
    file = WORK / f"{name}.json"
    if not file.is_file():
        file.write_text(json.dumps(make(), ensure_ascii=False), encoding="utf-8")
    return json.loads(file.read_text(encoding="utf-8"))


def _tuned(figure: Compared, parts: rows_of.Parts, seed: int) -> list[str]:
    """Answers of a model that was tuned with this seed; a stopped training goes on."""
    settings = TrainSettings.model_validate(figure.settings)
    key = hashlib.blake2b(repr((settings, seed, parts.train.ids)).encode(), digest_size=8).hexdigest()
    metric = registry.load("metric", figure.metric)()

    def answers() -> list[str]:
        trained = train(
            settings, (parts.train, parts.dev), seed=seed, evaluate=metric.score,
            checkpoint=(WORK / f"{key}.pt", key),
            progress=lambda epoch: print(figure.id, seed, epoch, flush=True),
        )  # fmt: skip
        (WORK / f"{key}.pt").unlink(missing_ok=True)
        return list(trained.predict(parts.test.inputs).answers)

    return _kept(key, answers)


def _seeds(figure: Compared, parts: rows_of.Parts) -> list[list[str]]:
    return [_tuned(figure, parts, seed) for seed in figure.seeds[:SEEDS]]


def facts(figure: Compared) -> tuple[Answers, Sequence[str]]:
    """Entities and the relations between them."""
    parts = rows_of.facts()

    def by(words: Any, pairs: Any, model: Callable[[], Any]) -> list[str]:
        found = baselines.Tagger(parts.train, words, model()).entities(parts.test.inputs)
        return baselines.Pairs(parts.train, pairs, model()).answers(parts.test.inputs, found)

    def nearest() -> list[str]:
        return by(baselines.states_of_words(), baselines.vectors_of_pairs(), baselines.Nearest)

    def linear() -> list[str]:
        return by(baselines.grams_of_words, baselines.grams_of_pairs, baselines.linear)

    answers = {
        LINEAR: [_kept("facts-linear", linear)],
        NEAREST: [_kept("facts-nearest", nearest)],
        OURS: _seeds(figure, parts),
    }
    return answers, parts.test.targets


def given(figure: Compared) -> tuple[Answers, Sequence[str]]:
    """Relations between entities that are given to all sides."""
    parts = rows_of.Parts(*map(rows_of.with_given, rows_of.facts()))
    known = [baselines.entities_of(*each) for each in zip(parts.test.inputs, parts.test.targets, strict=True)]

    def by(read: Any, model: Any) -> list[str]:
        return baselines.Pairs(parts.train, read, model).answers(parts.test.inputs, known)

    answers = {
        LINEAR: [_kept("given-linear", lambda: by(baselines.grams_of_pairs, baselines.linear()))],
        NEAREST: [_kept("given-nearest", lambda: by(baselines.vectors_of_pairs(), baselines.Nearest()))],
        OURS: _seeds(figure, parts),
    }
    return answers, parts.test.targets


def slots(figure: Compared) -> tuple[Answers, Sequence[str]]:
    """Entities of requests."""
    parts = rows_of.slots()

    def by(read: Any, model: Any) -> list[str]:
        found = baselines.Tagger(parts.train, read, model).entities(parts.test.inputs)
        return [baselines.spans_answer(*each) for each in zip(parts.test.inputs, found, strict=True)]

    answers = {
        LINEAR: [_kept("slots-linear", lambda: by(baselines.grams_of_words, baselines.linear()))],
        NEAREST: [_kept("slots-nearest", lambda: by(baselines.states_of_words(), baselines.Nearest()))],
        OURS: _seeds(figure, parts),
    }
    return answers, parts.test.targets


def options(figure: Compared) -> tuple[Answers, Sequence[str]]:
    """The right option of exams."""
    parts = rows_of.options()
    answers = {
        LINEAR: [_kept("options-linear", lambda: baselines.linear_options(parts.train, parts.test))],
        NEAREST: [_kept("options-nearest", lambda: baselines.nearest_options(parts.test))],
        OURS: _seeds(figure, parts),
    }
    return answers, parts.test.targets


def complaints(figure: Compared) -> tuple[Answers, Sequence[str]]:
    """Labels of our own rows, fold by fold."""
    rows = rows_of.complaints()
    folds = [rows_of.bucket(f"{turns[0].text}") % FOLDS for turns, _ in rows]
    sides: dict[str, list[dict[int, str]]] = {
        LINEAR: [{}], NEAREST: [{}], OURS: [{} for _ in figure.seeds[:SEEDS]]
    }  # fmt: skip
    for fold in range(FOLDS):
        places = [place for place, own in enumerate(folds) if own == fold]
        train_rows = rows_of.examples([(str(p), each) for p, each in enumerate(rows) if folds[p] != fold])
        test_rows = rows_of.examples([(str(place), rows[place]) for place in places])
        told = {
            LINEAR: [baselines.linear_labels(train_rows, test_rows)],
            NEAREST: [baselines.nearest_labels(train_rows, test_rows)],
            OURS: _seeds(figure, rows_of.Parts(train_rows, train_rows, test_rows)),
        }
        for side, seeds in told.items():
            for kept, answers in zip(sides[side], seeds, strict=True):
                kept.update(zip(places, answers, strict=True))
    whole = {side: [[kept[p] for p in range(len(rows))] for kept in seeds] for side, seeds in sides.items()}
    return whole, [target for _, target in rows]


FOLDS = 5
MEASURED = {"facts": facts, "given": given, "slots": slots, "options": options, "complaints": complaints}


if __name__ == "__main__":
    main()
