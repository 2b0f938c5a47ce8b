"""A run's rows as labelled examples: for the tuned model, for the control, and to be tested on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from zhiling.errors import UsageError
from zhiling.pipeline import registry
from zhiling.pipeline.fingerprint import matching
from zhiling.pipeline.step import Batch, Source
from zhiling.pipeline.table import RowTable
from zhiling.rows.conversation import reply_text, shown_text
from zhiling.rows.evaluation_file import read_records
from zhiling.rows.schema import digest
from zhiling.rows.split_texts import WINDOW
from zhiling.rows.templates.example import Turn
from zhiling.text.jaccard import similar_pairs
from zhiling.text.normalise import normalise
from zhiling.text.overlap import first_with_equal_set
from zhiling.text.shingles import shingles
from zhiling.training import Examples, Input, task_class, text_input
from zhiling.training.inputs import GIVEN
from zhiling.workflow.proof.repeats import TRAIN, repeated
from zhiling.workflow.recipe import Recipe
from zhiling.workflow.run import Run
from zhiling.workflow.settings import EvaluateSettings

if TYPE_CHECKING:
    from zhiling.training.tasks.task import Task

UNKNOWN = "und"
CLASSIFICATION = "classification"


def tuned_rows(run: Run, table: RowTable, part: str, task: str = CLASSIFICATION) -> pl.DataFrame:
    """Labelled rows of one split part, see `labelled`; of the train part as often as a mixture wants them."""
    rows = labelled(table, part_numbers(run, part), task)
    return repeated(rows, run.folder.manifest, table) if part == TRAIN else rows


def part_numbers(run: Run, part: str) -> NDArray[np.int64]:
    """The numbers of the rows of a split part, in order."""
    assigned = run.folder.read_frame("split.parquet", ["n", "split"])
    return assigned.filter(pl.col("split") == part)["n"].sort().to_numpy().astype(np.int64)


def labelled(table: RowTable, numbers: NDArray[np.int64], task: str = CLASSIFICATION) -> pl.DataFrame:
    """Those of these rows whose target is one of the task's, and that show a text: `of_task`, with `n`."""
    return of_task(table.read(["id", "messages", "target", "language", "group", "source"], numbers), task)


def of_task(rows: pl.DataFrame, task: str) -> pl.DataFrame:
    """The rows that a task can be learnt from.

    Columns: `id, messages, text, reply, label, given, language, group, source`. `label` is the target as the
    task spells it, `text` what a reader is shown, `reply` the last reply, `given` what an input holds beside
    its messages (see `Task.given`).
    """
    chosen = task_class(task)
    documents: list[str | None] = rows["target"].to_list()
    labels = _truths(chosen, documents, rows["messages"])
    given = [None if document is None else chosen.given(document) for document in documents]
    found = rows.with_columns(
        shown_text(rows["messages"]).alias("text"), reply_text(rows["messages"]).alias("reply"),
        pl.Series("label", labels, dtype=pl.String), pl.col("language").fill_null(UNKNOWN),
        pl.Series("given", [None if turn is None else turn.text for turn in given], dtype=pl.String),
    ).drop("target")  # fmt: skip
    return found.filter(pl.col("label").is_not_null() & (pl.col("text").str.strip_chars() != ""))


def _truths(task: type[Task], documents: Sequence[str | None], messages: pl.Series) -> list[str | None]:
    """The truth of each row, as the task spells it."""
    if not task.truth_in_messages:
        return [task.of_row(document, ()) for document in documents]
    return [
        task.of_row(document, _turns(row))
        for document, row in zip(documents, messages.to_list(), strict=True)
    ]


def _turns(messages: Sequence[Mapping[str, Any]]) -> Input:
    """A row's messages."""
    return tuple(Turn(each["role"], each["text"] or "", each["name"]) for each in messages)


def examples_of(rows: pl.DataFrame, *, replies: bool = False) -> Examples:
    """Rows of `of_task` as examples; with `replies` each reply is one more, under the same label."""
    messages = rows["messages"].to_list()
    inputs = [
        (
            *_turns(row),
            *([] if given is None else [Turn(GIVEN, given)]),
        )
        for row, given in zip(messages, rows["given"].to_list(), strict=True)
    ]
    found = Examples(
        tuple(rows["id"]), tuple(inputs), tuple(rows["label"]), tuple(rows["language"]), tuple(rows["group"]),
        tuple(rows["source"]),
    )  # fmt: skip
    told = rows.filter(pl.col("reply").str.strip_chars() != "") if replies else rows.clear()
    return Examples(
        (*found.ids, *(f"{row}#reply" for row in told["id"])),
        (*found.inputs, *map(text_input, told["reply"])),
        (*found.targets, *told["label"]),
        (*found.languages, *told["language"]),
        (*found.groups, *told["group"]),
        (*found.sources, *told["source"]),
    )


def test_examples(recipe: Recipe, run: Run, table: RowTable) -> Examples:
    """The rows to be tested on: the evaluation file, else the run's own test part.

    Raises:
        UsageError: there are none.
    """
    settings = recipe.evaluate
    task = recipe.train.task if recipe.train else CLASSIFICATION
    if settings is not None and settings.from_file:
        examples = file_examples(settings, recipe.root, task)
        where = settings.data or "the source of `evaluate`"
    else:
        examples = examples_of(tuned_rows(run, table, "test", task))
        where = "the test part"
    if not len(examples):
        raise UsageError(
            f"no labelled rows to evaluate on in {where}", hint="name an evaluation file: evaluate: {data: …}"
        )
    return examples


def file_examples(settings: EvaluateSettings, root: Path, task: str = CLASSIFICATION) -> Examples:
    """The rows of the evaluation file, or of the evaluation's own source.

    Raises:
        MissingInput: it is not there.
        UsageError: a record without a text or label, an item that cannot be read, or no record.
    """
    if settings.source is not None:
        return source_examples(settings.source, root, task)
    assert settings.data is not None
    ids: list[str] = []
    inputs: list[Input] = []
    columns: tuple[list[str], list[str]] = ([], [])
    for file in matching([settings.data], root, what="evaluate.data"):
        for number, record in read_records(file):
            place = f"{file.name}:{number}"
            missing = [
                name for name in (settings.text, settings.label) if not isinstance(record.get(name), str)
            ]
            if missing:
                raise UsageError(
                    f"fields {missing} are missing or no text", place=place, hint=f"it has {sorted(record)}"
                )
            ids.append(digest(place.encode(), record[settings.text].encode()))
            inputs.append(text_input(record[settings.text]))
            columns[0].append(record[settings.label])
            columns[1].append(str(record.get(settings.language) or UNKNOWN))
    return Examples(tuple(ids), tuple(inputs), tuple(columns[0]), tuple(columns[1]))


def source_examples(entry: Mapping[str, Any], root: Path, task: str) -> Examples:
    """The rows of a source that only tests read."""
    rows: list[pl.DataFrame] = []
    for batch in source_batches(entry, root):
        if batch.bad:
            first = batch.bad[0]
            raise UsageError(
                f"{first.cls}: {first.message}", place=first.place, hint="what is tested on must be whole"
            )
        rows.append(as_rows(batch.rows))
    whole = pl.concat(rows, how="diagonal_relaxed")
    return examples_of(of_task(whole, task))


def source_batches(entry: Mapping[str, Any], root: Path) -> Iterator[Batch]:
    """What the source of `evaluate` reads."""
    settings = dict(entry)
    source: Source = registry.load("source", str(settings.pop("use", "labelled"))).model_validate(settings)
    return source.read(matching(list(source.paths()), root, what="evaluate.source"), root)


def as_rows(batch: pl.DataFrame) -> pl.DataFrame:
    """A source's batch with the columns that `of_task` reads."""
    ids = [digest(place.encode()) for place in batch["locator"].to_list()]
    absent = [name for name in ("target", "language", "group", "source") if name not in batch.columns]
    return batch.with_columns(
        pl.Series("id", ids, dtype=pl.String), *(pl.lit(None, dtype=pl.String).alias(name) for name in absent)
    ).select("id", "messages", "target", "language", "group", "source")


def control_pool(recipe: Recipe, run: Run, table: RowTable, tested: Examples) -> pl.DataFrame:
    """Labelled source rows as they came, before any step: none equal or near a test row or of its group."""
    rows = labelled(table, table.sources(), recipe.train.task if recipe.train else CLASSIFICATION)
    groups = tested_groups(recipe, run, table)
    rows = rows.filter(~pl.col("group").is_in(groups.implode()).fill_null(False))
    return apart_from(rows, tested, recipe.split.near).sort("id")


def tested_groups(recipe: Recipe, run: Run, table: RowTable) -> pl.Series:
    """The groups of the rows that are tested on; none where a file is."""
    if recipe.evaluate is not None and recipe.evaluate.from_file:
        return pl.Series("group", [], dtype=pl.String)
    return table.read(["group"], part_numbers(run, "test"))["group"].drop_nulls()


def apart_from(rows: pl.DataFrame, tested: Examples, near: float | None) -> pl.DataFrame:
    """Rows whose text is not equal or near (as the split means it) to a text that is tested on."""
    touched = _near(rows["text"].to_list(), tested.texts, near or 1.0)
    return rows.filter(pl.Series(~touched, dtype=pl.Boolean))


def _near(texts: Sequence[str], tested: Sequence[str], threshold: float) -> NDArray[np.bool_]:
    """Which texts have a character 5-gram Jaccard of at least the threshold to a tested one."""
    grams = shingles(
        normalise(pl.Series("text", [*texts, *tested], dtype=pl.String)), WINDOW, unit="character"
    )
    first = first_with_equal_set(grams)
    pairs = similar_pairs(grams, threshold)
    left, right = first[pairs.left], first[pairs.right]
    marked = np.zeros(len(first), dtype=np.bool_)
    marked[first[len(texts) :]] = True
    touched = marked.copy()
    touched[left[marked[right]]] = True
    touched[right[marked[left]]] = True
    return touched[first[: len(texts)]]


def control_rows(pool: pl.DataFrame, sizes: tuple[int, int], seed: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Train and dev rows drawn at random from the pool, as many as the tuned model had.

    Whole groups are drawn first, so that no conversation stands in both; a group that is only partly
    needed is cut.
    """
    generator = np.random.default_rng([seed, 20260])
    owner = pool.select(pl.col("group").fill_null(pl.col("id")).alias("owner"))
    groups = owner.unique().sort("owner")
    shuffled = groups[generator.permutation(groups.height)].with_row_index("place")
    order = owner.with_row_index("row").join(shuffled, on="owner").sort("place", "row")
    rows = pool[order["row"].to_numpy()]
    places = order["place"].to_numpy()
    train = rows.head(sizes[0])
    rest = rows.filter(pl.Series(places > (places[len(train) - 1] if len(train) else -1)))
    return train, rest.head(sizes[1])
