"""Template: labelled examples become conversations, each in one of many wordings."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, ClassVar, Literal

import polars as pl
from pydantic import Field

from zhiling.errors import UnknownName
from zhiling.pipeline.step import Context, Failure, Made, Make
from zhiling.rows.conversation import flatten, nest
from zhiling.rows.schema import ROW
from zhiling.rows.target import SHAPES as TASKS
from zhiling.rows.templates import Names, Rendered, Unfit, read_files, read_names
from zhiling.rows.templates.forms import TextForm
from zhiling.rows.templates.phrases import Language
from zhiling.rows.templates.wording import Wording
from zhiling.synthesis.labelled_sets import Rows, learn, load
from zhiling.synthesis.prompting import Prompting

_HAN = re.compile(r"[\u3400-\u9fff]")
_WORDING, _LANGUAGE = 0, 1  # draws


class Template(Make):
    """Writes each labelled example as an instruction with its reply, in one of the library's wordings.

    Tasks: classification, ner, relation, qa, translation, summarisation, dialogue, controlled, commonsense,
    code, matching, sequence. Rows of other tasks, rows without truth and rows with media or tool calls pass
    by. Which wording a row gets is drawn from (seed, step, id). The reply is read back exactly: the new
    `target` holds the truth with its places in the new messages, and under `template` the wording, the
    places of the example's texts and the labels that were listed.

    `negatives`: of classification, ner and relation the prompt then lists labels without the right ones, and
    the truth is that none fits; a question (qa) gets the passage of another row that lacks the answer.
    """

    name = "template"
    about = tuple(TASKS)
    effect = "replaces"
    cost: ClassVar[str] = "cheap: about 40 microseconds a row, more with demonstrations"
    limits: ClassVar[str] = (
        "Demonstrations are other rows of the set, never of the row's own group: where a test part must stay "
        "unseen, take them from a source of their own (`shots_from`). Of several right answers the first is "
        "told; tokens and tags, entities of a relation, other spellings of a slot stay with the parent row."
    )

    wordings: tuple[str, ...] = Field(
        (), description="names such as `ner/en/lines`, `*` for any part; none given: all"
    )
    own_wordings: tuple[str, ...] = Field((), description="files with wordings of your own, as the library's")
    languages: tuple[Language, ...] = Field(
        (), description="languages to draw from; none given: the row's own, else English"
    )
    label_names: str | None = Field(
        None,
        description="YAML: label → name, or `en, zh, definition_en, definition_zh`; else labels as they are",
    )
    max_labels: int | None = Field(
        None, ge=2, description="list at most so many labels, the right ones among them; null: all"
    )
    negatives: float = Field(0.0, ge=0, le=1, description="share of rows for which no listed label is right")
    shots: int = Field(0, ge=0, le=32, description="demonstrations in front of each row")
    shots_place: Literal["turns", "inline"] = Field(
        "turns", description="demonstrations as earlier turns, or inside the prompt"
    )
    shots_from: str | None = Field(
        None, description="id of the source that demonstrations come from; null: the row's own"
    )

    def reads(self) -> tuple[str, ...]:
        """The example, and what a new row takes over."""
        return ("messages", "alternatives", "target", "task", "language", "tools", "extra", "source", "group")

    def files(self) -> tuple[str, ...]:
        """Own wordings and label names."""
        return (*self.own_wordings, *((self.label_names,) if self.label_names else ()))

    def applies(self, rows: pl.DataFrame) -> pl.Series:
        """Labelled rows of a task with templates, of texts alone, that no template has written yet."""
        lines = flatten(rows["messages"])
        media = pl.col("media").list.len().fill_null(0) > 0
        busy = lines.filter(media | pl.col("tool_calls").is_not_null())["row"].unique().implode()
        wordless = [task for task, shapes in TASKS.items() if not shapes]
        has_truth = pl.col("target").is_not_null() | pl.col("task").is_in(wordless)
        return (
            rows.with_row_index("row")
            .select(
                pl.col("task").is_in(list(TASKS)).fill_null(False)
                & has_truth
                & ~pl.col("target").str.contains('"template":', literal=True).fill_null(False)
                & ~pl.col("row").is_in(busy)
            )
            .to_series()
        )

    def fit(self, rows: pl.DataFrame, context: Context, folder: Path) -> None:
        """Labels of each set, bounds of its scores, and rows to show as demonstrations."""
        self._check_wordings(context)
        wanted = self.shots > 0 or self.negatives > 0
        learn(rows.filter(self.applies(rows)), context, folder, demonstrations=wanted)

    def make(self, rows: pl.DataFrame, context: Context) -> Made:
        """One conversation a row; a row that no chosen wording can tell exactly is a failure."""
        prompting = self._prompting(rows, context)
        draws = context.uniform(rows["id"], _WORDING).tolist()
        languages = self._languages(rows, context)
        kept: list[int] = []
        made: list[tuple[Wording, Rendered]] = []
        failures: list[Failure] = []
        for row, found in enumerate(Rows(rows)):
            try:
                if isinstance(found, Unfit):
                    raise found
                made.append(prompting.render(found, languages[row], row, draws[row]))
                kept.append(row)
            except Unfit as error:
                failures.append(Failure(rows["id"][row], error.cls, str(error), place="target"))
        return Made(_frame(rows[kept], made), failures)

    def _check_wordings(self, context: Context) -> None:
        library = read_files(context.root / path for path in self.own_wordings)
        known = [wording.name for task in TASKS for wording in library.of_task(task)] if self.wordings else []
        for pattern in self.wordings:
            if not any(fnmatchcase(name, pattern) for name in known):
                raise UnknownName("wording", pattern, known)

    def _prompting(self, rows: pl.DataFrame, context: Context) -> Prompting:
        state = context.fitted
        library = read_files(context.root / path for path in self.own_wordings)
        wordings = [
            wording
            for task in rows["task"].unique().sort().to_list()
            for wording in library.of_task(task)
            if not self.wordings or any(fnmatchcase(wording.name, pattern) for pattern in self.wordings)
        ]
        names: dict[Language, Names] = {"en": Names(), "zh": Names()}
        if self.label_names is not None:
            names = {language: read_names(context.root / self.label_names, language) for language in names}
        return Prompting(self, context, rows["id"], load(state, self.shots_from), wordings, names)

    def _languages(self, rows: pl.DataFrame, context: Context) -> Sequence[Language]:
        if self.languages:
            drawn = context.uniform(rows["id"], _LANGUAGE).tolist()
            return [self.languages[int(draw * len(self.languages))] for draw in drawn]
        known = rows["language"].cast(pl.String).to_list()
        if None not in known:
            return [_language(tag) for tag in known]
        texts = flatten(rows["messages"]).group_by("row").agg(pl.col("text").str.join(" "))
        text_of = dict(texts.iter_rows())
        return [
            _language(tag) if tag is not None else ("zh" if _HAN.search(text_of.get(row) or "") else "en")
            for row, tag in enumerate(known)
        ]


def _language(tag: str) -> Language:
    return "zh" if tag.partition("-")[0].lower() in ("zh", "cmn", "yue") else "en"


def _frame(parents: pl.DataFrame, made: Sequence[tuple[Wording, Rendered]]) -> pl.DataFrame:
    """The new rows; what a prompt does not touch comes from the parent."""
    turns = [turn for _, rendered in made for turn in rendered.messages]
    flat = pl.DataFrame(
        {"role": [role for role, _ in turns], "text": [text for _, text in turns]},
        schema={"role": pl.String, "text": pl.String},
    )
    return parents.select(
        nest(flat, [len(rendered.messages) for _, rendered in made]).alias("messages"),
        pl.Series("alternatives", _alternatives(parents["alternatives"], made), dtype=ROW["alternatives"]),
        pl.Series("target", [rendered.target for _, rendered in made], dtype=pl.String),
        pl.col("tools", "extra").cast(pl.String),
        pl.concat_list("id").alias("parents"),
    )


def _alternatives(alternatives: pl.Series, made: Sequence[tuple[Wording, Rendered]]) -> Any:
    """Other replies of one's own words get the same fixed text around them."""
    if alternatives.null_count() == len(alternatives):
        return alternatives
    values: list[Any] = alternatives.to_list()
    for answers, (wording, _) in zip(values, made, strict=True):
        if answers and isinstance(wording.form, TextForm) and any(wording.ends):
            for message in (message for answer in answers for message in answer["messages"]):
                if message["role"] == "assistant":
                    message["text"] = wording.form.write([(message["text"] or "",)])
    return values
