"""Code rows: functions of Python files as programming tasks, with tests from their examples."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib import resources
from itertools import groupby
from typing import ClassVar

import polars as pl
from pydantic import Field

from zhiling.pipeline.step import Context, Made, Make
from zhiling.rows import target
from zhiling.rows.templates import Turn
from zhiling.rows.templates.phrases import Language, read_yaml
from zhiling.synthesis.functions import Task, tasks
from zhiling.synthesis.made_rows import MadeRow, frame
from zhiling.synthesis.passage_rows import PassageRow, is_passage, language_of, passage_rows


class CodeRows(Make):
    """Writes functions of Python files as programming tasks: what it does and how it is called; its code.

    Takes the passages that the source `documents` makes of `.py` files. The prompt is the docstring without
    its examples, and the signature; the reply is the function without its docstring, with the imports that it
    needs; the target holds tests: the examples of the docstring (`>>>`) that tell a value, and the file's
    functions `test_…` without parameters that call this one alone. Functions that need anything else of their
    file, methods, decorated functions and functions without docstring are left alone.
    """

    name = "code_rows"
    about = ("code",)
    scope = "group"
    material = True
    cost: ClassVar[str] = "cheap: about 2 milliseconds a function; nothing is run"
    limits: ClassVar[str] = (
        "Nothing is run, so a test may fail: check the rows by a step that runs them in a sandbox. Examples "
        "that print, raise or leave out (...) become no tests. Tests in other files are not found."
    )

    tests: bool = Field(default=False, description="whether only functions with a test become rows")
    max_characters: int = Field(default=3000, ge=1, description="characters of a reply at most")

    def reads(self) -> tuple[str, ...]:
        """The passages, and which belong to one file."""
        return ("messages", "task", "language", "extra", "group")

    def applies(self, rows: pl.DataFrame) -> pl.Series:
        """Passages of Python files."""
        python = rows["group"].cast(pl.String).str.contains(r"\.py(\.gz)?$").fill_null(value=False)
        return is_passage(rows) & python

    def make(self, rows: pl.DataFrame, context: Context) -> Made:
        """One row for each function that can stand alone."""
        made: list[MadeRow] = []
        for _, file in groupby(passage_rows(rows), key=lambda each: each.group):
            pieces = list(file)
            for piece, task in zip(pieces, tasks(map(_source, pieces)), strict=True):
                if (
                    task is not None
                    and len(task.code) <= self.max_characters
                    and (task.tests or not self.tests)
                ):
                    made.append(_row(piece, task, context))
        return Made(frame(made))


def _source(piece: PassageRow) -> str:
    """The code of a passage, without the name above it; of a part of a function nothing."""
    passage = piece.passage
    if passage.parts > 1:
        return ""
    return passage.text.removeprefix(passage.headings[-1]).lstrip("\n") if passage.headings else passage.text


@cache
def _wordings() -> dict[Language, Sequence[str]]:
    file = resources.files("zhiling.synthesis").joinpath("code_wordings.yaml")
    return read_yaml(file.read_text("utf-8"))


def _row(piece: PassageRow, task: Task, context: Context) -> MadeRow:
    wordings = _wordings()[language_of(task.purpose, None)]
    draw = context.uniform(pl.Series([piece.id]))[0]
    asked = wordings[int(draw * len(wordings))].format(purpose=task.purpose, signature=task.signature)
    truth = target.Tests(tests=list(task.tests))
    return MadeRow("code", [Turn("user", asked), Turn("assistant", task.code)], truth, [piece.id])
