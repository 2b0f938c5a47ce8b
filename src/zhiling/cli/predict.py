"""`zhiling predict`: answers for a text, a file or standard input."""

from __future__ import annotations

import itertools
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zhiling.cli.console import AsJson, find_run, print_json
from zhiling.cli.evaluate import told_notes
from zhiling.cli.explanations import explain_answers

if TYPE_CHECKING:
    from zhiling.rows.templates.example import Turn
    from zhiling.training import Input, Predictions

_BATCH = 256


def predict_command(
    text: Annotated[str | None, typer.Argument(help="A text; `-` reads lines from standard input.")] = None,
    model: Annotated[
        Path | None, typer.Option("--model", help="A model's folder, or a run's; the newest run's.")
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(
            "--file", help="JSONL or CSV with a text field (or the fields of the task), or plain text lines."
        ),
    ] = None,
    field: Annotated[str, typer.Option("--field", help="The text field of the file.")] = "text",
    top: Annotated[int, typer.Option(min=1, help="How many labels per text.")] = 3,
    explain: Annotated[
        bool, typer.Option("--explain", help="Tell which words and which training rows speak for the answer.")
    ] = False,
    label: Annotated[
        str | None, typer.Option("--label", help="With --explain: what speaks for this label instead.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Print each text's answer: the best labels with their scores, entities, a piece of a passage."""
    from zhiling.errors import UsageError
    from zhiling.training import load, load_tuned

    if (text is None) == (file is None):
        raise UsageError("give either a text or --file", hint='zhiling predict "Where is my parcel?"')
    if label is not None and not explain:
        raise UsageError("--label says what --explain explains", hint="give --explain too")
    folder = model or find_run(None).path
    saved = folder / "model" if (folder / "model").is_dir() else folder
    if explain:
        inputs = _batches(_inputs(text, file, field))
        explain_answers(load_tuned(saved), folder, inputs, label, as_json=as_json)
        return
    trained = load(saved)
    notes: Counter[str] = Counter()
    for inputs in _batches(_inputs(text, file, field)):
        predictions = trained.predict(inputs)
        notes.update(predictions.notes)
        for row, turns in enumerate(inputs):
            if as_json:
                print_json(_told(turns) | _answer(predictions, row, top))
            else:
                typer.echo(_line(predictions, row, turns, top))
    if notes:
        typer.echo(told_notes(notes), err=True)


def _told(turns: Input) -> dict[str, Any]:
    """An input as it is printed: its text, or its messages where it has several."""
    if len(turns) == 1:
        return {"text": turns[0].text}
    return {"messages": [{key: value for key, value in turn._asdict().items() if value} for turn in turns]}


def _answer(predictions: Predictions, row: int, top: int) -> dict[str, Any]:
    """The best answer of a row; the scores of the best labels, or how sure the model is of the one answer."""
    import orjson

    answer = predictions.answers[row]
    if not predictions.classes:
        told = orjson.loads(answer)
        return {
            **(told if isinstance(told, dict) else {"value": told}),
            "score": _short(predictions.best_scores[row]),
        }
    labels = {"label": answer} if answer in predictions.classes else orjson.loads(answer)
    return {**labels, "scores": _best(predictions, row, top)}


def _short(score: Any) -> float:
    return round(float(score), 6)


def _line(predictions: Predictions, row: int, turns: Input, top: int) -> str:
    """An input with its answer, for people: the best labels, or the answer in words."""
    from zhiling.training.inputs import shown_text
    from zhiling.workflow.answer_words import in_words

    if predictions.classes:
        best = _best(predictions, row, top)
        answer = ", ".join(f"{label} {score:.2f}" for label, score in best.items())
    else:
        answer = in_words(predictions.answers[row], turns)
    return f"{shown_text(turns)}\n  {answer}"


def _best(predictions: Predictions, row: int, top: int) -> dict[str, float]:
    """The best labels of a row with their scores."""
    order: list[int] = (-predictions.scores[row]).argsort(kind="stable")[:top].tolist()
    return {predictions.classes[column]: _short(predictions.scores[row, column]) for column in order}


def _inputs(text: str | None, file: Path | None, field: str) -> Iterator[Input]:
    """The inputs of the command line, of standard input or of a file."""
    from zhiling.errors import MissingInput
    from zhiling.rows.evaluation_file import read_records
    from zhiling.training import text_input

    if file is None:
        lines = (line.rstrip("\n") for line in sys.stdin) if text == "-" else [text or ""]
        yield from map(text_input, lines)
    elif not file.is_file():
        raise MissingInput(f"no file at {str(file)!r}")
    elif {".jsonl", ".json", ".csv"} & set(file.suffixes):
        yield from (_of_record(record, field, f"{file}:{number}") for number, record in read_records(file))
    else:
        with file.open(encoding="utf-8") as stream:
            yield from (text_input(line.rstrip("\n")) for line in stream)


def _of_record(record: Mapping[str, Any], field: str, place: str) -> Input:
    """A record's text, its messages, or its fields by the names that messages have (`first`, `question`, …).

    Raises:
        UsageError: it has none of them.
    """
    from zhiling.errors import UsageError
    from zhiling.rows.target import CHOICE, CONTEXT, FIRST, QUESTION, SECOND
    from zhiling.rows.templates.example import Turn

    if isinstance(record.get(field), str):
        return (Turn("user", record[field]), *_given(record))
    if isinstance(record.get("messages"), list):
        return tuple(
            Turn(
                str(each.get("role") or "user"),
                str(each.get("text") or each.get("content") or ""),
                each.get("name"),
            )
            for each in record["messages"]
        )
    found = [
        Turn("document" if name == CONTEXT else "user", record[name], name)
        for name in (CONTEXT, FIRST, SECOND, QUESTION)
        if isinstance(record.get(name), str)
    ]
    found += [Turn("user", str(option), CHOICE) for option in record.get("choices") or ()]
    if not found:
        raise UsageError(
            f"a record has no text in field {field!r}", place=place,
            hint=f"it has {sorted(record)}; --field names another; or give first and second, question and "
            "choices, context and question, or messages",
        )  # fmt: skip
    return tuple(found)


def _given(record: Mapping[str, Any]) -> Iterator[Turn]:
    """The entities that a record gives beside its text: `[{"start": 0, "end": 3, "label": "person"}, …]`."""
    import orjson

    from zhiling.rows.templates.example import Turn
    from zhiling.training.inputs import GIVEN

    if isinstance(record.get("entities"), list):
        yield Turn(GIVEN, orjson.dumps({"spans": record["entities"]}).decode())


def _batches(inputs: Iterator[Input]) -> Iterator[list[Input]]:
    while batch := list(itertools.islice(inputs, _BATCH)):
        yield batch
