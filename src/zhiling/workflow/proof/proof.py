"""Training and the proof: before · control · after, several seeds each, on the same test rows.

    before   no tuning: from prompts, as `evaluate.before` says; else the label with the nearest name
    control  tuned on as many labelled source rows, drawn at random before any step
    after    tuned on the run's own train part

The predictions of each arm and seed are stored under the hash of all that shapes them, so an
interrupted proof goes on with the seeds that are missing, and a later run takes equal ones over.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import orjson
import polars as pl

from zhiling.errors import UsageError
from zhiling.evaluation.answered import Told
from zhiling.evaluation.arms import compare_arms
from zhiling.llm.location import content_hash, model_folder
from zhiling.pipeline import registry
from zhiling.pipeline.fingerprint import canonical
from zhiling.pipeline.runner import Listener
from zhiling.pipeline.store import write_bytes, write_json
from zhiling.pipeline.table import RowTable
from zhiling.rows.schema import digest
from zhiling.training import Examples, TrainSettings, train
from zhiling.training.fitted import Fitted
from zhiling.training.prompting.encoder import encoder_of
from zhiling.training.prompting.identity import prompt_identity
from zhiling.training.transfer.distance import backbone_tokenizer, measure
from zhiling.workflow.proof.answer_words import in_words
from zhiling.workflow.proof.answered import STORED, answers_frame, test_rows, told_of
from zhiling.workflow.proof.examples import (
    apart_from,
    control_pool,
    control_rows,
    examples_of,
    test_examples,
    tuned_rows,
)
from zhiling.workflow.proof.explain import ModelOnRows, explain_stage
from zhiling.workflow.proof.few_labels import Unlabelled, few_labels_of
from zhiling.workflow.proof.harm import harm_stage
from zhiling.workflow.proof.model_origin import origin_of
from zhiling.workflow.proof.prompting import before_of, prompting_of
from zhiling.workflow.proof.reading_on import reading_on
from zhiling.workflow.recipe import Recipe
from zhiling.workflow.run import Run
from zhiling.workflow.settings import EvaluateSettings


@dataclass(frozen=True)
class Work:
    """What every arm needs; gathered once for training and evaluation.

    Attributes:
        settings: of the training, the backbone's folder found.
        tested: the rows to be tested on; none where the recipe evaluates nothing.
        parts: the run's own train and dev rows, without those near to a tested one.
        left_out: how many of them were.
    """

    recipe: Recipe
    run: Run
    table: RowTable
    settings: TrainSettings
    tested: Examples
    parts: tuple[pl.DataFrame, pl.DataFrame]
    left_out: int
    tell: Listener

    @classmethod
    def of(cls, recipe: Recipe, run: Run, table: RowTable, tell: Listener) -> Work:
        """Gathers the examples of a run."""
        assert recipe.train is not None
        tested = test_examples(recipe, run, table) if recipe.evaluate else Examples((), (), (), ())
        task = recipe.train.task
        whole = [tuned_rows(run, table, part, task) for part in ("train", "dev")]
        train_rows, dev_rows = (apart_from(rows, tested, recipe.split.near) for rows in whole)
        left_out = sum(rows.height for rows in whole) - train_rows.height - dev_rows.height
        settings = recipe.train.located(recipe.root).model_copy(update={"prompting": prompting_of(recipe)})
        settings = settings.model_copy(update={"few_labels": few_labels_of(recipe)})
        settings = reading_on(settings, recipe, (run, table), tested, tell)
        return cls(recipe, run, table, settings, tested, (train_rows, dev_rows), left_out, tell)

    @cached_property
    def tuned(self) -> tuple[Examples, Examples]:
        """Train and dev examples of the run's own split."""
        examples = examples_of(self.parts[0], replies=self.settings.replies)
        return replace(examples, unlabelled=self.unlabelled.of_train_part()), examples_of(self.parts[1])

    @property
    def unlabelled(self) -> Unlabelled:
        """The rows without a label, where the training learns from them."""
        return Unlabelled(self.recipe, self.run, self.table, self.settings.few_labels, self.tested)

    def control(self) -> dict[int, tuple[Examples, Examples]]:
        """Per seed as many rows as the tuned model had, from the sources as they came."""
        pool = control_pool(self.recipe, self.run, self.table, self.tested)
        sizes = (self.parts[0].height, self.parts[1].height)
        drawn = {seed: control_rows(pool, sizes, seed) for seed in _seeds(self.recipe)}
        if self.settings.context > 1:  # neighbours of a document as they stand in it
            drawn = {seed: (rows.sort("n"), dev.sort("n")) for seed, (rows, dev) in drawn.items()}
        bare = self.unlabelled.of_sources()
        return {
            seed: (
                replace(examples_of(rows, replies=self.settings.replies), unlabelled=bare),
                examples_of(dev),
            )
            for seed, (rows, dev) in drawn.items()
        }


def train_stage(work: Work) -> None:
    """Trains on the run's train part (once per seed of the evaluation) and saves the best model on dev.

    Raises:
        UsageError: too few labelled rows in the train or dev part.
    """
    recipe, run = work.recipe, work.run
    examples, dev = work.tuned
    if not len(examples) or not len(dev):
        raise UsageError(
            f"{len(examples)} labelled rows to train on and {len(dev)} in the dev part",
            hint="map a `label` in a source, and give `split` a dev share",
        )
    best: dict[str, Any] | None = None
    for seed in _seeds(recipe):
        result = _arm(work, "after", seed, (examples, dev))
        if best is None or result["dev_score"] > best["dev_score"]:
            best = result
    assert best is not None
    _keep_model(run, best["key"])
    run.folder.manifest.results["train"] = {
        "rows": len(examples), "dev_rows": len(dev), "labels": len(set(examples.targets)),
        "near_test_left_out": work.left_out, "transfer": _distance(work),
        **{name: best[name] for name in ("seed", "dev_score", "unseen")},
        "choice": best.get("choice", {}),
    }  # fmt: skip
    run.folder.save()


def _distance(work: Work) -> dict[str, Any] | None:
    """How far the rows to be tested on are from those learnt from; None where nothing is tested."""
    tokenizer = None
    if work.settings.backbone:
        tokenizer = backbone_tokenizer(model_folder(work.settings.backbone))
    found = measure(
        work.parts[0]["text"].to_list(), work.tested.texts, work.tested.languages, tokenizer=tokenizer,
        encode=encoder_of(before_of(work.recipe, work.settings)).encode, seed=work.recipe.seed,
    )  # fmt: skip
    return found.as_json() if found else None


def evaluation_stage(work: Work) -> None:
    """Runs the other arms and writes `evaluation/scores.json` and `evaluation/rows.parquet`."""
    recipe, run = work.recipe, work.run
    assert recipe.evaluate is not None
    predictions: dict[str, dict[int, Told]] = {}
    notes: dict[str, dict[str, int]] = {}
    for arm in recipe.evaluate.arms:
        parts = work.control() if arm == "control" else dict.fromkeys(_seeds(recipe), work.tuned)
        if arm == "before" and recipe.evaluate.before.choose != "random":  # which no seed decides
            parts = {recipe.seed: parts[recipe.seed]}
        told = {seed: _arm(work, arm, seed, examples) for seed, examples in parts.items()}
        answers = {seed: _told(run, facts) for seed, facts in told.items()}
        predictions[arm] = {seed: answers.get(seed, answers[recipe.seed]) for seed in _seeds(recipe)}
        notes[arm] = _summed(facts.get("notes", {}) for facts in told.values())
    _write_scores(work, recipe.evaluate, predictions)
    results = run.folder.manifest.results["evaluation"]
    results["notes"] = {arm: found for arm, found in notes.items() if found}
    run.folder.save()
    model = ModelOnRows(recipe, run, work.table, work.tested, work.parts[0], work.tell)
    explain_stage(model)
    harm_stage(model, lambda: _untuned(work))


def _untuned(work: Work) -> Fitted:
    """The model of the arm before any tuning; nobody asks for its score on dev."""
    from zhiling.training.prompting.prompted import prompt

    return prompt(before_of(work.recipe, work.settings), work.tuned, seed=work.recipe.seed, evaluate=None)


def _summed(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """Counts of all seeds together."""
    found: Counter[str] = Counter()
    for each in counts:
        found.update(each)
    return dict(found)


def _seeds(recipe: Recipe) -> list[int]:
    count = recipe.evaluate.seeds if recipe.evaluate else 1
    return [recipe.seed + offset for offset in range(count)]


def _arm(work: Work, arm: str, seed: int, parts: tuple[Examples, Examples]) -> dict[str, Any]:
    """One model of one arm, from disk where it was trained before; its facts."""
    settings = before_of(work.recipe, work.settings) if arm == "before" else work.settings
    key = arm_key(settings, (_metric_name(work.recipe), seed), parts, work.tested)
    folder = work.run.path / "evaluation" / "arms" / key[:16]
    if not (folder / "facts.json").is_file() and not _carried(work, folder):
        _train_one(work, settings, (arm, seed), parts, folder)
    work.tell({"event": "arm", "arm": arm, "seed": seed})
    return {**orjson.loads((folder / "facts.json").read_bytes()), "key": key}


def arm_key(
    settings: TrainSettings, chosen: tuple[str, int], parts: tuple[Examples, Examples], tested: Examples
) -> str:
    """The hash of all that shapes an arm's answers.

    Args:
        settings: of the training, the identities of encoder, language model and prompts with them.
        chosen: the metric that chooses the epoch, and the seed.
        parts: train and dev examples.
        tested: the rows to be answered.
    """
    return digest(
        canonical(
            [
                settings.model_dump(mode="json"),
                _backbone_identity(settings),
                prompt_identity(settings),
                sorted(STORED),
                *chosen,
            ]
        ),
        *(canonical([e.ids, e.as_lists(), e.targets, e.groups]) for e in (*parts, tested)),
        *(canonical(e.unlabelled_as_lists()) for e in parts if e.unlabelled),
    )


def _metric_name(recipe: Recipe) -> str:
    """The metric that chooses the epoch."""
    if recipe.train and recipe.train.metric:
        return recipe.train.metric
    return recipe.evaluate.metrics[0] if recipe.evaluate else "accuracy"


def _backbone_identity(settings: TrainSettings) -> str | None:
    return content_hash(model_folder(settings.backbone)) if settings.backbone else None


def _carried(work: Work, folder: Path) -> bool:
    """Copies an equal model of an earlier run."""
    for run in reversed(work.run.project.run_paths()):
        found = run / "evaluation" / "arms" / folder.name
        if run != work.run.path and (found / "facts.json").is_file():
            shutil.copytree(found, folder, dirs_exist_ok=True)
            return True
    return False


def _train_one(
    work: Work,
    settings: TrainSettings,
    name: tuple[str, int],
    parts: tuple[Examples, Examples],
    folder: Path,
) -> None:
    """Trains the model of an arm and a seed, and stores its answers and facts."""
    arm, seed = name
    metric = registry.load("metric", _metric_name(work.recipe))()
    state = folder / "training.pt"
    trained = train(
        settings, parts, seed=seed, evaluate=metric.score, checkpoint=(state, folder.name),
        progress=lambda epoch: work.tell({"event": "epoch", "arm": arm, "seed": seed, **epoch.__dict__}),
    )  # fmt: skip
    if arm == "after":
        origin = origin_of(work.recipe, work.table, work.parts[0])
        trained.save(folder / "model", {"dev_score": trained.dev_score, "seed": seed}, origin)
    predicted = trained.answer(work.tested)
    frame = answers_frame(work.tested.ids, predicted)
    work.run.folder.write_frame(str((folder / "predictions.parquet").relative_to(work.run.path)), frame)
    history = [record.__dict__ for record in trained.history]
    facts = {"arm": arm, "seed": seed, "dev_score": trained.dev_score, "unseen": dict(trained.unseen),
             "rows": len(parts[0]), "epochs": history,
             "classes": predicted.classes, "notes": dict(predicted.notes),
             "choice": dict(trained.choice)}  # fmt: skip
    write_bytes(folder / "facts.json", orjson.dumps(facts, option=orjson.OPT_SERIALIZE_NUMPY))
    state.unlink(missing_ok=True)


def _keep_model(run: Run, key: str) -> None:
    """Puts the chosen model at `model/`, whole or not at all."""
    source, target = run.path / "evaluation" / "arms" / key[:16] / "model", run.path / "model"
    fresh = run.path / ".model.tmp"
    shutil.rmtree(fresh, ignore_errors=True)
    shutil.copytree(source, fresh)
    shutil.rmtree(target, ignore_errors=True)
    fresh.replace(target)


def _told(run: Run, facts: dict[str, Any]) -> Told:
    """The stored answers of the arm and seed that these facts are of."""
    frame = run.folder.read_frame(f"evaluation/arms/{facts['key'][:16]}/predictions.parquet")
    return told_of(frame, facts["classes"])


def _write_scores(work: Work, settings: EvaluateSettings, predictions: dict[str, dict[int, Told]]) -> None:
    tested = work.tested
    rows = test_rows(tested)
    found = compare_arms(
        predictions, rows, metrics=settings.metrics, seed=work.recipe.seed, resamples=settings.resamples
    )
    work.run.folder.write_frame("evaluation/rows.parquet", with_words(found.rows, tested))
    write_json(work.run.path / "evaluation" / "scores.json", found.scores.as_json())
    results = work.run.folder.manifest.results
    results["evaluation"] = {"scores": "evaluation/scores.json", "rows": "evaluation/rows.parquet"}
    work.run.folder.save()


def with_words(rows: pl.DataFrame, tested: Examples) -> pl.DataFrame:
    """The rows with `words.truth` and `words.<arm>`: what a reader of the report is shown."""
    columns = {"truth": "truth"} | {
        name.removeprefix("predicted."): name for name in rows.columns if name.startswith("predicted.")
    }
    words = [
        pl.Series(
            f"words.{name}",
            [
                None if answer is None else in_words(answer, turns)
                for answer, turns in zip(rows[column].to_list(), tested.inputs, strict=True)
            ],
            dtype=pl.String,
        )
        for name, column in columns.items()
    ]
    return rows.with_columns(words)
