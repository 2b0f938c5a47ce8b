"""`zhiling predict`: labels for a text, a file or standard input."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from zhiling.cli.console import AsJson, find_run, print_json

_BATCH = 256


def predict_command(
    text: Annotated[str | None, typer.Argument(help="A text; `-` reads lines from standard input.")] = None,
    model: Annotated[
        Path | None, typer.Option("--model", help="A model's folder, or a run's; the newest run's.")
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--file", help="JSONL or CSV with a text field, or plain text lines.")
    ] = None,
    field: Annotated[str, typer.Option("--field", help="The text field of the file.")] = "text",
    top: Annotated[int, typer.Option(min=1, help="How many labels per text.")] = 3,
    as_json: AsJson = False,
) -> None:
    """Print each text's best labels with their scores."""
    from zhiling.errors import UsageError
    from zhiling.training import load

    if (text is None) == (file is None):
        raise UsageError("give either a text or --file", hint='zhiling predict "Where is my parcel?"')
    folder = model or find_run(None).path
    trained = load(folder / "model" if (folder / "model").is_dir() else folder)
    for texts in _batches(_texts(text, file, field)):
        predictions = trained.predict(texts)
        order = (-predictions.scores).argsort(axis=1, kind="stable")[:, :top]
        for row, each in enumerate(texts):
            columns: list[int] = order[row].tolist()
            best = {predictions.classes[i]: round(float(predictions.scores[row, i]), 6) for i in columns}
            if as_json:
                print_json({"text": each, "label": predictions.answers[row], "scores": best})
            else:
                told = ", ".join(f"{label} {score:.2f}" for label, score in best.items())
                typer.echo(f"{each}\n  {told}")


def _texts(text: str | None, file: Path | None, field: str) -> Iterator[str]:
    from zhiling.errors import MissingInput
    from zhiling.rows.evaluation_file import read_texts

    if file is None:
        yield from (line.rstrip("\n") for line in sys.stdin) if text == "-" else [text or ""]
    elif not file.is_file():
        raise MissingInput(f"no file at {str(file)!r}")
    elif {".jsonl", ".json", ".csv"} & set(file.suffixes):
        yield from (each for _, each in read_texts(file, (field,)))
    else:
        with file.open(encoding="utf-8") as stream:
            yield from (line.rstrip("\n") for line in stream)


def _batches(texts: Iterator[str]) -> Iterator[list[str]]:
    while batch := list(itertools.islice(texts, _BATCH)):
        yield batch
