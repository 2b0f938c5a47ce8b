"""Why a model answers as it does: which words speak for an answer, which rows it learnt from lie nearest."""

from __future__ import annotations

import dataclasses
import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from zhiling.errors import MissingExtra, UsageError
from zhiling.evaluation.answered import right
from zhiling.evaluation.slices import ErrorSlice, error_slices
from zhiling.pipeline import registry
from zhiling.pipeline.runner import Listener
from zhiling.pipeline.store import write_json
from zhiling.pipeline.table import RowTable
from zhiling.training import Examples, Input, Predictions, load_tuned
from zhiling.training.inputs import shown_text
from zhiling.workflow.proof.answer_words import in_words
from zhiling.workflow.proof.examples import examples_of, tuned_rows
from zhiling.workflow.recipe import Recipe
from zhiling.workflow.run import Run
from zhiling.workflow.settings import ExplainSettings

if TYPE_CHECKING:
    from zhiling.training.trained import Trained

TEXT_LIMIT = 300
MOST_NGRAMS = 12
MOST_MISTAKES = 3
VECTORS_PER_PART = 2048


@dataclass(frozen=True)
class ModelOnRows:
    """A run's model with the rows that it answers and those that it learnt from.

    Attributes:
        tested: the rows to be answered.
        learnt: the training rows, as `examples.of_task` gives them.
    """

    recipe: Recipe
    run: Run
    table: RowTable
    tested: Examples
    learnt: pl.DataFrame
    tell: Listener


@dataclass(frozen=True)
class Explanation:
    """Why one answer.

    Attributes:
        answer: in words.
        score: how sure the model is, in [0, 1].
        attribution: see `zhiling.training.explaining.attribution`; None where `note` says why there is none.
        nearest: training rows (id, source, place, answer in words, text, cosine), the nearest first.
    """

    answer: str
    score: float
    attribution: dict[str, Any] | None
    note: str
    nearest: tuple[dict[str, Any], ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON."""
        return dataclasses.asdict(self)


@dataclass(frozen=True)
class LearntRows:
    """Training rows with what the model's head reads of each.

    Attributes:
        rows: id, source, locator, answer, text, vector (rows of length 1, in half precision).
        whole: how many training rows there are; more than `rows` where a part was drawn.
    """

    rows: pl.DataFrame
    whole: int

    @classmethod
    def of(cls, run: Run, trained: Trained, table: RowTable, learnt: pl.DataFrame, most: int) -> LearntRows:
        """The rows from the run's folder, or read by the model now and written there."""
        file = _file(run, most)
        distinct = learnt.unique("id", keep="first", maintain_order=True)
        if (run.path / file).is_file():
            return cls(run.folder.read_frame(file), distinct.height)
        drawn = np.random.default_rng([trained.seed, distinct.height]).permutation(distinct.height)[:most]
        rows = _told(distinct[np.sort(drawn)], table, trained)
        run.folder.write_frame(file, rows)
        return cls(rows, distinct.height)

    def nearest(self, vectors: np.ndarray, count: int) -> list[tuple[dict[str, Any], ...]]:
        """The nearest training rows of each vector, as `Explanation.nearest` tells them."""
        from zhiling.training.explaining.neighbours import nearest

        parts = (
            self.rows["vector"].slice(start, VECTORS_PER_PART).to_numpy().astype(np.float32)
            for start in range(0, self.rows.height, VECTORS_PER_PART)
        )
        places, cosines = nearest(vectors, parts, count)
        told = self.rows.drop("vector")
        return [
            tuple(
                {**told.row(int(place), named=True), "cosine": round(float(cosine), 4)}
                for place, cosine in zip(each, near, strict=True)
            )
            for each, near in zip(places, cosines, strict=True)
        ]


def _file(run: Run, most: int) -> str:
    """Where the vectors of this very model lie."""
    mark = hashlib.blake2b((run.path / "model" / "config.json").read_bytes(), digest_size=6).hexdigest()
    return f"evaluation/learnt-{mark}-{most}.parquet"


def _told(learnt: pl.DataFrame, table: RowTable, trained: Trained) -> pl.DataFrame:
    """The columns of `LearntRows.rows`."""
    from zhiling.training.explaining.neighbours import head_vectors

    origin = table.read(["source", "locator"], learnt["n"].to_numpy().astype(np.int64))
    examples = examples_of(learnt)
    answers = [
        in_words(answer, turns) for answer, turns in zip(examples.targets, examples.inputs, strict=True)
    ]
    vectors = head_vectors(trained, examples.inputs).astype(np.float16)
    return pl.DataFrame(
        {
            "id": learnt["id"], "source": origin["source"], "locator": origin["locator"],
            "answer": pl.Series(answers, dtype=pl.String), "text": learnt["text"].str.head(TEXT_LIMIT),
            "vector": pl.Series(vectors, dtype=pl.Array(pl.Float16, vectors.shape[1])),
        }
    )  # fmt: skip


@dataclass(frozen=True)
class Explainer:
    """A model that tells why.

    Attributes:
        learnt: the rows that it learnt from; None where the model stands outside its run.
        neighbours: how many of them are told.
    """

    trained: Trained
    learnt: LearntRows | None
    neighbours: int

    @classmethod
    def of_run(cls, run: Run, trained: Trained, settings: ExplainSettings) -> Explainer:
        """The newest model of a run, with all rows of its train part."""
        table = run.table()
        rows = tuned_rows(run, table, "train", trained.task.name)
        learnt = LearntRows.of(run, trained, table, rows, settings.train_rows)
        return cls(trained, learnt, settings.neighbours)

    def explain(
        self, inputs: Sequence[Input], *, label: str | None = None, told: Predictions | None = None
    ) -> list[Explanation]:
        """Why the model answers each input as it does.

        Args:
            inputs: what it answers.
            label: the one that is explained; unset: its answer.
            told: its answers, where they are known; else each input is answered by itself.

        Raises:
            UsageError: the model has no such label.
        """
        from zhiling.training.explaining.neighbours import head_vectors

        told = told or self.trained.predict(inputs)
        near: list[tuple[dict[str, Any], ...]] = [()] * len(inputs)
        if self.learnt is not None and len(inputs):
            near = self.learnt.nearest(head_vectors(self.trained, inputs), self.neighbours)
        return [self._one(turns, told, place, near[place], label) for place, turns in enumerate(inputs)]

    def _one(
        self, turns: Input, told: Predictions, place: int, near: tuple[dict[str, Any], ...], label: str | None
    ) -> Explanation:
        attribution, note = None, ""
        try:
            attribution = attributed(self.trained, turns, label)
        except (UsageError, MissingExtra) as error:
            if label is not None:
                raise
            note = error.message
        answer = in_words(told.answers[place], turns)
        return Explanation(answer, round(float(told.best_scores[place]), 6), attribution, note, near)


def attributed(trained: Trained, turns: Input, label: str | None = None) -> dict[str, Any]:
    """The attribution of one answer as plain JSON; of n-grams those with the largest effect.

    Raises:
        UsageError: the task, or the text, has none.
        MissingExtra: captum is not installed.
    """
    from zhiling.training.explaining.attribution import explain

    found = dataclasses.asdict(explain(trained, turns, label=label))
    ngrams = found["ngrams"]
    return _rounded(found) | {
        "explained": in_words(found["explained"], turns),
        "ngrams": [_rounded(each) for each in ngrams[:MOST_NGRAMS]],
        "ngrams_total": round(sum(each["score"] for each in ngrams), 6),
        "words": [_rounded(each) for each in found["words"]],
    }


def _rounded(values: dict[str, Any]) -> dict[str, Any]:
    return {name: round(each, 6) if isinstance(each, float) else each for name, each in values.items()}


def explain_stage(on: ModelOnRows) -> None:
    """Writes `evaluation/explanations.json` and `evaluation/slices.json`, where the recipe asks for them."""
    settings = on.recipe.evaluate.explain if on.recipe.evaluate else None
    folder = on.run.path / "evaluation"
    prompted = on.recipe.train is not None and on.recipe.train.prompting is not None
    if settings is None or prompted:  # prompts have no head whose vectors could be compared
        for name in ("explanations", "slices"):
            (folder / f"{name}.json").unlink(missing_ok=True)
        return
    on.tell({"event": "stage", "stage": "explain"})
    trained = load_tuned(on.run.path / "model")
    answered = _Answered.of(on, trained)
    write_json(folder / "slices.json", _slices(answered, settings, on.recipe.seed))
    learnt = LearntRows.of(on.run, trained, on.table, on.learnt, settings.train_rows)
    chosen = answered.chosen(settings.rows)
    found = Explainer(trained, learnt, settings.neighbours).explain(
        [on.tested.inputs[place] for place in chosen], told=answered.told.take(chosen)
    )
    rows = [{**answered.row(place), **each.as_dict()} for place, each in zip(chosen, found, strict=True)]
    content = {"rows": rows, "train_rows": learnt.whole, "looked_through": learnt.rows.height}
    write_json(folder / "explanations.json", content)


@dataclass(frozen=True)
class _Answered:
    """The tested rows with the model's answers.

    Attributes:
        losses: how wrong each is, in [0, 1], by the metric that chose the model.
    """

    trained: Trained
    tested: Examples
    told: Predictions
    losses: tuple[float, ...]

    @classmethod
    def of(cls, on: ModelOnRows, trained: Trained) -> _Answered:
        assert on.recipe.evaluate is not None
        metric = registry.load("metric", on.recipe.evaluate.metrics[0])()
        told = trained.answer(on.tested)
        losses = [
            1 - (right(metric, true, answer) or 0.0)
            for true, answer in zip(on.tested.targets, told.answers, strict=True)
        ]
        return cls(trained, on.tested, told, tuple(losses))

    def chosen(self, count: int) -> list[int]:
        """Rows worth explaining: the wrong answers that the model is surest of, then its least sure ones."""
        sure = self.told.best_scores
        order = sorted(
            range(len(sure)),
            key=lambda row: (0, -sure[row]) if self.losses[row] > 0 else (1, sure[row]),
        )
        return order[:count]

    def words(self, place: int) -> tuple[str, str]:
        """Truth and answer in words."""
        turns = self.tested.inputs[place]
        return in_words(self.tested.targets[place], turns), in_words(self.told.answers[place], turns)

    def row(self, place: int) -> dict[str, Any]:
        """A row as the pages show it."""
        truth, answer = self.words(place)
        return {
            "id": self.tested.ids[place], "text": shown_text(self.tested.inputs[place])[:TEXT_LIMIT],
            "language": self.tested.languages[place], "truth": truth, "answer": answer,
            "right": self.losses[place] == 0,
        }  # fmt: skip


def _slices(answered: _Answered, settings: ExplainSettings, seed: int) -> dict[str, Any]:
    """The content of `slices.json`; of many rows a part that is drawn."""
    from zhiling.training.explaining.neighbours import head_vectors

    whole = len(answered.tested)
    drawn = np.random.default_rng([seed, whole]).permutation(whole)[: settings.test_rows]
    places: list[int] = np.sort(drawn).tolist()
    inputs = [answered.tested.inputs[place] for place in places]
    found = error_slices(
        head_vectors(answered.trained, inputs), [answered.losses[place] for place in places],
        [shown_text(turns) for turns in inputs], seed=seed,
    )  # fmt: skip
    slices = [_slice(each, answered, places) for each in found.slices]
    return {"n": found.n, "of": whole, "rate": found.rate, "tried": found.tried, "slices": slices}


def _slice(found: ErrorSlice, answered: _Answered, places: Sequence[int]) -> dict[str, Any]:
    wrong = [places[row] for row in found.rows if answered.losses[places[row]] > 0]
    mistakes = Counter(answered.words(place) for place in wrong).most_common(MOST_MISTAKES)
    return {
        "rows": len(found.rows), "rate": dataclasses.asdict(found.rate), "p": found.p,
        "terms": list(found.terms),
        "mistakes": [
            {"truth": truth, "answer": answer, "rows": count} for (truth, answer), count in mistakes
        ],
        "examples": [answered.row(places[row]) for row in found.examples],
    }  # fmt: skip
