"""The demo as a whole: a desk with planted defects and without, three new questions, a desk of few labels."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import polars as pl

from zhiling.pipeline.ledger import TERMINAL
from zhiling.pipeline.runner import Listener
from zhiling.rows.conversation import all_text, reply_text, user_text
from zhiling.rows.evaluation_file import read_texts
from zhiling.rows.target import LABEL
from zhiling.training import load
from zhiling.workflow.adversarial.compare import Comparison, compare
from zhiling.workflow.adversarial.draw import Wanted
from zhiling.workflow.adversarial.trials import Options
from zhiling.workflow.demo import locate
from zhiling.workflow.demo.plant import TRUTH, build
from zhiling.workflow.demo.score import Score, score
from zhiling.workflow.recipe import Recipe
from zhiling.workflow.run import Run, encoder_of

ONLY_SCORES = ("evaluate.explain=null", "evaluate.counterfactual=null")
"""Of the clean desk only its scores are told, so nothing else is measured there."""


@dataclass(frozen=True)
class Answer:
    """What the tuned model and the kept rows say to a new question.

    Attributes:
        question: what was asked.
        label: the intent, and its score from 0 to 1.
        reply: the reply of the nearest kept row with that intent, its place, and the cosine to its question.
    """

    question: str
    label: str
    score: float
    reply: str
    place: str
    similarity: float


@dataclass(frozen=True)
class Built:
    """One build of the desk: the run and what the proof says."""

    run: Run
    scores: dict[str, Any]


@dataclass(frozen=True)
class Played:
    """All that the demo shows."""

    planted: Built
    clean: Built
    found: list[Score]
    answers: list[Answer]
    few_labels: Comparison


FEW_LABELS_ARMS, FEW_LABELS_SEEDS = ("loop", "label_propagation"), 5


def play(folder: Path, *, seed: int, listen: Listener) -> Played:
    """Builds both desks under `folder` and runs the recipe on each; finished runs are taken as they stand."""
    planted = _built(folder / "desk", seed, defects=True, listen=listen)
    clean = _built(folder / "desk-clean", seed, defects=False, listen=listen)
    found = score(folder / "desk" / TRUTH, fates(planted.run), _kept_texts(planted.run))
    questions = [text for _, text in read_texts(folder / "desk" / "questions.jsonl", ("text",))]
    return Played(planted, clean, found, answer(planted.run, questions), _few_labels(folder, listen))


def _few_labels(folder: Path, listen: Listener) -> Comparison:
    """28 labelled sentences and a log: what an adversarial loop makes of it beside a filter once."""
    root = folder / "few-labels"
    shutil.copytree(locate("adversarial"), root, ignore=shutil.ignore_patterns("runs"), dirs_exist_ok=True)
    listen({"event": "stage", "stage": f"comparing {root.name}"})
    wanted = Wanted(test_file=root / "test.jsonl", truth=str(root / "truth.jsonl"))
    options = Options(FEW_LABELS_ARMS, FEW_LABELS_SEEDS, wanted=wanted)
    return compare(Recipe.load(root / "recipe.yaml"), options, listen)


def _built(folder: Path, seed: int, *, defects: bool, listen: Listener) -> Built:
    mark = folder / ".seed"
    if not mark.is_file() or mark.read_text(encoding="utf-8") != str(seed):
        shutil.rmtree(folder, ignore_errors=True)
        build(locate(), folder, seed=seed, defects=defects)
        mark.write_text(str(seed), encoding="utf-8")
    listen({"event": "stage", "stage": f"building {folder.name}"})
    run = Recipe.load(folder / "recipe.yaml", overrides=() if defects else ONLY_SCORES).run(listen=listen)
    return Built(run, orjson.loads((run.path / "evaluation" / "scores.json").read_bytes()))


def fates(run: Run) -> pl.DataFrame:
    """Items rejected, failed, replaced or unreadable: `conversation, locator, verdict, reason, step`."""
    table = run.table()
    lines = [
        run.folder.read_frame(part.ledger, ["n", "verdict", "reason"])
        .filter(pl.col("verdict").is_in([str(verdict) for verdict in TERMINAL]))
        .with_columns(pl.lit(stage.id).alias("step"))
        for stage in run.folder.manifest.stages
        for part in stage.parts
        if part.ledger
    ]
    left = pl.concat(lines).sort("n")
    places = table.read(["group", "locator"], left["n"].to_numpy().astype(np.int64))
    columns = ("conversation", "locator", "verdict", "reason", "step")
    rows = left.join(places, on="n", maintain_order="left").rename({"group": "conversation"}).select(columns)
    if not (run.path / "bad.parquet").is_file():
        return rows
    bad = run.folder.read_frame("bad.parquet").select(
        pl.lit(None, dtype=pl.String).alias("conversation"), pl.col("place").alias("locator"),
        pl.lit("bad").alias("verdict"), pl.col("class").alias("reason"), pl.col("source").alias("step"),
    )  # fmt: skip
    return pl.concat([rows, bad])


def _kept_texts(run: Run) -> pl.Series:
    table = run.table()
    return all_text(table.read(["messages"], table.kept())["messages"])


def answer(run: Run, questions: Sequence[str]) -> list[Answer]:
    """The intent of each question, and the reply of the nearest kept row of that intent."""
    rows = run.rows()
    rows = rows.with_columns(
        user_text(rows["messages"]).alias("question"), reply_text(rows["messages"]).alias("reply"),
        LABEL.alias("label"),
    ).filter(pl.col("reply") != "")  # fmt: skip
    predicted = load(run.path / "model").predict(questions)
    encode, _ = encoder_of(Recipe.load(run.project.root / "recipe.yaml"))
    assert encode is not None
    cosines = encode().encode(questions) @ encode().encode(rows["question"].to_list()).T
    labels = np.array(rows["label"].to_list(), dtype=object)
    answers: list[Answer] = []
    for index, question in enumerate(questions):
        label = predicted.answers[index]
        near = np.where(labels == label, cosines[index], -1.0)
        row = rows.row(int(near.argmax()), named=True)
        score, similarity = float(predicted.best_scores[index]), float(near.max())
        answers.append(Answer(question, label, score, row["reply"], row["origin"]["locator"], similarity))
    return answers
