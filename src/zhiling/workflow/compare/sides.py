"""What is compared: a run, a saved model, or a file of predictions, each as answers to rows with a truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import orjson
import polars as pl

from zhiling.errors import DamagedFile, MissingInput, UsageError
from zhiling.evaluation.answered import Told
from zhiling.evaluation.scores import TestRows
from zhiling.pipeline.store import EVALUATE, read_frame
from zhiling.rows.evaluation_file import read_records
from zhiling.training import Examples, Input, load, text_input
from zhiling.workflow.proof.answer_words import in_words
from zhiling.workflow.proof.answered import answers_frame, test_rows, told_of
from zhiling.workflow.proof.examples import CLASSIFICATION, UNKNOWN, source_examples

ROWS = Path("evaluation", "rows.parquet")
SHOWN = 3
"""Ids that an error names."""
_BESIDE_THE_ANSWER = {"id", "text", "messages", "score", "scores"}


@dataclass(frozen=True)
class Side:
    """One of the two."""

    name: str
    rows: TestRows
    told: Told
    inputs: tuple[Input, ...]

    def aligned(self, other: Side) -> Told:
        """Its answers in the order of the other's rows.

        Raises:
            UsageError: the rows of the two are not the same, or one has another truth.
        """
        places = self._places
        lacking = [id for id in other.rows.ids if id not in places]
        further = sorted(places.keys() - set(other.rows.ids))
        if lacking or further:
            raise UsageError(
                f"{other.name} and {self.name} answer different rows: {_some(lacking)} only in the first, "
                f"{_some(further)} only in the second",
                hint="Compare runs with one evaluation file, or give both the same rows: --rows FILE.",
            )
        order = [places[id] for id in other.rows.ids]
        for place, theirs in zip(order, other.rows.truth, strict=True):
            if self.rows.truth[place] != theirs:
                raise UsageError(
                    f"row {self.rows.ids[place]!r} has the truth {theirs!r:.60} in {other.name} and "
                    f"{self.rows.truth[place]!r:.60} in {self.name}",
                    hint="Only answers to the same truth can be compared: evaluate both again.",
                )
        return self.told.take(order)

    def in_words(self, id: str, answer: str | None) -> str:
        """An answer to a row, for people."""
        return "" if answer is None else in_words(answer, self.inputs[self._places[id]])

    @cached_property
    def _places(self) -> Mapping[str, int]:
        return {id: place for place, id in enumerate(self.rows.ids)}


def side_of(path: Path, rows: Path | None = None, arm: str = "after") -> Side:
    """A side: of a run its evaluation, of a model its answers to `rows`, of a file what it holds.

    Args:
        path: a run's folder, a saved model's, or a file of predictions (Parquet, JSONL or CSV). A file has
            `id`, `truth` and `predicted` and may have `text`, `language`, `group` and `source`; with `rows`
            it may be what `zhiling predict --json` printed for them.
        rows: a file with rows of the task, as the source `labelled` reads them.
        arm: of a run.

    Raises:
        MissingInput: it is not there, or a model is to be compared and no rows are given.
        UsageError: a run that was not evaluated, or a file without what is needed.
        DamagedFile: it cannot be read.
    """
    model = path / "model" if (path / "model" / "config.json").is_file() else path
    if path.is_file():
        return _of_file(path, rows)
    if rows is not None and (model / "config.json").is_file():
        return _of_model(path, model, rows)
    if (path / ROWS).is_file():
        return _of_table(str(path), read_frame(path / ROWS, hint=EVALUATE), f"predicted.{arm}")
    if (model / "config.json").is_file():
        raise MissingInput(
            "a saved model holds no test rows", place=str(path), hint="Give rows to answer: --rows FILE."
        )
    raise MissingInput(
        "no evaluated run, no saved model and no file of predictions",
        place=str(path),
        hint="zhiling evaluate makes the first, zhiling train the second.",
    )


def _of_model(path: Path, model: Path, rows: Path) -> Side:
    trained = load(model)
    examples = rows_of(rows, trained.settings.task)
    predicted = trained.answer(examples)
    told = told_of(answers_frame(examples.ids, predicted), predicted.classes)
    return Side(str(path), test_rows(examples), told, examples.inputs)


def rows_of(file: Path, task: str) -> Examples:
    """The rows of a file that have a truth of the task.

    Raises:
        MissingInput: there is no such file.
        UsageError: it holds none.
    """
    if not file.is_file():
        raise MissingInput("no file of rows", place=str(file))
    kind = "reply" if task == "matching" else "auto"  # which no record alone tells
    entry = {"use": "labelled", "path": file.name, "kind": kind}
    examples = source_examples(entry, file.resolve().parent, task)
    if not len(examples):
        raise UsageError(f"no row with a truth of task {task!r}", place=str(file))
    return examples


def _of_file(path: Path, rows: Path | None) -> Side:
    if path.suffix == ".parquet":
        return _of_table(str(path), read_frame(path, hint="Make it anew."), "predicted")
    records = [record for _, record in read_records(path)]
    if rows is None or any("predicted" in record for record in records):
        frame = pl.DataFrame(
            [{key: record.get(key) for key in _COLUMNS} for record in records],
            schema=dict.fromkeys(_COLUMNS, pl.String),
        )
        return _of_table(str(path), frame, "predicted")
    answers = [_spelled(record, f"{path.name}:{number}") for number, record in enumerate(records, 1)]
    examples = rows_of(rows, _task_of(answers))
    if len(answers) != len(examples):
        raise UsageError(
            f"{len(answers)} answers to {len(examples)} rows of {rows.name}", place=str(path),
            hint="Make them anew: zhiling predict --file ROWS --json.",
        )  # fmt: skip
    return Side(str(path), test_rows(examples), Told(answers), examples.inputs)


_COLUMNS = ("id", "text", "language", "truth", "predicted", "group", "source")


def _of_table(name: str, frame: pl.DataFrame, column: str) -> Side:
    """The side of a table of rows; `column` holds the answers, or the only column that is called so."""
    found = [each for each in frame.columns if each.partition(".")[0] == "predicted"]
    chosen = column if column in frame.columns else found[0] if len(found) == 1 else None
    missing = [each for each in ("id", "truth") if each not in frame.columns or frame[each].null_count()]
    if chosen is None or missing or not frame.height:
        raise DamagedFile(
            f"{frame.height} rows, columns {frame.columns}; each row needs `id`, `truth` and {column!r}",
            place=name,
            hint="Rows of `zhiling predict --json` have no truth: give the rows with --rows FILE.",
        )
    repeated = frame["id"].filter(frame["id"].is_duplicated())
    if len(repeated):
        raise UsageError(
            f"{len(repeated)} rows share their id with another: {repeated[0]!r}", place=name,
            hint="Each row needs an id of its own.",
        )  # fmt: skip
    texts = _column(frame, "text", "")
    rows = TestRows(
        _column(frame, "id", ""), texts, _column(frame, "truth", ""), _column(frame, "language", UNKNOWN),
        tuple(group or id for group, id in zip(_column(frame, "group", ""), frame["id"], strict=True)),
        _column(frame, "source", "") if "source" in frame.columns else (),
    )  # fmt: skip
    return Side(name, rows, Told(frame[chosen].to_list()), tuple(map(text_input, texts)))


def _column(frame: pl.DataFrame, name: str, missing: str) -> tuple[str, ...]:
    """A column as texts."""
    if name not in frame.columns:
        return (missing,) * frame.height
    return tuple(frame[name].cast(pl.String).fill_null(missing))


def _spelled(record: Mapping[str, Any], place: str) -> str:
    """An answer that `zhiling predict --json` printed, as its task spells it."""
    told = {key: value for key, value in record.items() if key not in _BESIDE_THE_ANSWER}
    if not told:
        raise UsageError(f"no answer among {sorted(record)}", place=place)
    for alone in ("label", "value"):
        if alone in told:
            return str(told[alone])
    return orjson.dumps(told).decode()


_TASKS = {"spans": "ner", "relations": "relation", "choice": "choice", "labels": "multi_label"}


def _task_of(answers: Sequence[str]) -> str:
    """The task whose targets answers of this shape are."""
    first = answers[0] if answers else ""
    if first.startswith('{"answers"'):
        return "matching" if '"score"' in first else "extractive_qa"
    return next((task for key, task in _TASKS.items() if first.startswith(f'{{"{key}"')), CLASSIFICATION)


def _some(ids: Sequence[str]) -> str:
    """How many, and the first of them."""
    named = ", ".join(ids[:SHOWN])
    return f"{len(ids)} ({named}{', …' if len(ids) > SHOWN else ''})" if ids else "0"
