"""`zhiling predict`: answers for a text, a file or standard input."""

from __future__ import annotations

import itertools
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zhiling.cli.console import AsJson, find_run
from zhiling.cli.evaluate import told_notes
from zhiling.cli.explanations import explain_answers

if TYPE_CHECKING:
    from zhiling.rows.templates.example import Turn
    from zhiling.training import Input, Predictions

_CHUNK = 8192
"""Inputs read, answered and written at once: texts of like length share a batch, equal ones are read once."""


class Precision(StrEnum):
    """At which a tuned encoder reads."""

    AUTO = "auto"
    FP32 = "fp32"
    BF16 = "bf16"


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
    top: Annotated[int, typer.Option(min=1, help="How many labels, or ranked candidates, per text.")] = 3,
    explain: Annotated[
        bool, typer.Option("--explain", help="Tell which words and which training rows speak for the answer.")
    ] = False,
    label: Annotated[
        str | None, typer.Option("--label", help="With --explain: what speaks for this label instead.")
    ] = None,
    answers: Annotated[
        Path | None,
        typer.Option(
            "--answers",
            help="With task matching: other candidates; text lines, or JSONL with `reply`.",
        ),
    ] = None,
    precision: Annotated[
        Precision,
        typer.Option(help="auto: bf16 where a trial finds it faster; scores differ in the third digit."),
    ] = Precision.AUTO,
    as_json: AsJson = False,
) -> None:
    """Print each text's answer: the best labels with their scores, entities, a piece of a passage."""
    from zhiling.errors import UsageError
    from zhiling.training import choosing_from, load, load_tuned

    if (text is None) == (file is None):
        raise UsageError("give either a text or --file", hint='zhiling predict "Where is my parcel?"')
    if label is not None and not explain:
        raise UsageError("--label says what --explain explains", hint="give --explain too")
    folder = model or find_run(None).path
    saved = folder / "model" if (folder / "model").is_dir() else folder
    if explain:
        inputs = _chunks(text, file, field)
        explain_answers(load_tuned(saved), folder, inputs, label, as_json=as_json)
        return
    trained = load(saved, precision=precision.value)
    if answers is not None:
        trained = choosing_from(trained, list(_candidates(answers)))
    notes: Counter[str] = Counter()
    for inputs in _chunks(text, file, field):
        predictions = trained.predict(inputs)
        notes.update(predictions.notes)
        lines = [_written(predictions, row, turns, top, as_json=as_json) for row, turns in enumerate(inputs)]
        sys.stdout.write("".join(f"{line}\n" for line in lines))
        sys.stdout.flush()
    if notes:
        typer.echo(told_notes(notes), err=True)


def _written(predictions: Predictions, row: int, turns: Input, top: int, *, as_json: bool) -> str:
    """An input with its answer: for people, or as JSON."""
    import orjson

    if not as_json:
        return _line(predictions, row, turns, top)
    return orjson.dumps(_told(turns) | _answer(predictions, row, top)).decode()


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
        if ranking := _ranking(answer, top):
            told["answers"] = ranking
        return {
            **(told if isinstance(told, dict) else {"value": told}),
            "score": _short(predictions.best_scores[row]),
        }
    labels = {"label": answer} if answer in predictions.classes else orjson.loads(answer)
    return {**labels, "scores": _best(predictions, row, top)}


def _ranking(answer: str, top: int) -> list[dict[str, Any]]:
    """The best candidates with their scores; none where the answer ranks nothing."""
    import orjson

    if not answer.startswith('{"answers":'):
        return []
    return [each for each in orjson.loads(answer)["answers"] if "score" in each][:top]


def _short(score: Any) -> float:
    return round(float(score), 6)


def _line(predictions: Predictions, row: int, turns: Input, top: int) -> str:
    """An input with its answer, for people: the best labels, or the answer in words."""
    from zhiling.training.inputs import shown_text
    from zhiling.workflow.proof.answer_words import in_words

    if ranking := _ranking(predictions.answers[row], top):
        answer = "\n  ".join(f"{each['score']:.2f} {each['text']}" for each in ranking)
    elif predictions.classes:
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


def _candidates(file: Path) -> Iterator[str]:
    """The candidates of a file: its lines, or the replies (else texts) of its records."""
    from zhiling.errors import MissingInput
    from zhiling.rows.evaluation_file import read_records

    if not file.is_file():
        raise MissingInput(f"no file at {str(file)!r}")
    if {".jsonl", ".json", ".csv"} & set(file.suffixes):
        yield from (str(record.get("reply") or record.get("text") or "") for _, record in read_records(file))
    else:
        yield from file.read_text(encoding="utf-8").splitlines()


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


def _chunks(text: str | None, file: Path | None, field: str) -> Iterator[list[Input]]:
    """The inputs in chunks; one by one where a person types them."""
    size = 1 if file is None and sys.stdin.isatty() else _CHUNK
    inputs = _inputs(text, file, field)
    while batch := list(itertools.islice(inputs, size)):
        yield batch
