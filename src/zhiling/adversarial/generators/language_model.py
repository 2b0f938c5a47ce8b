"""A small language model that writes labelled sentences and learns from those that were accepted."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import polars as pl
from pydantic import Field, field_validator

from zhiling.adversarial.generators.causal_model import LanguageModel, LanguageModelSettings
from zhiling.adversarial.generators.updates.rule import Judged, UpdateRule
from zhiling.errors import UsageError
from zhiling.pipeline import registry
from zhiling.pipeline.step import Context, Failure, Made, Make
from zhiling.rows import target
from zhiling.rows.conversation import flatten, user_text
from zhiling.rows.templates import Turn, Unfit
from zhiling.synthesis.labelled_sets import Rows
from zhiling.synthesis.made_rows import MadeRow, frame
from zhiling.text.normalise import normalise

COPIED = "copied"
_FIT, _UPDATE, _SAMPLE = 0, 1, 2  # draws; each try samples with one of its own, from the last on
_SEEDS = 2**31
_NO_UPDATE = "none"
_MESSAGES = {
    "empty": "the model wrote nothing for label {label!r}",
    "truncated": "the model did not end its text for label {label!r} within `longest`: {text!r:.80}",
    "lost_characters": "the model wrote bytes that are no character for label {label!r}: {text!r:.80}",
    COPIED: "the model wrote a text that it learnt from, for label {label!r}: {text!r:.80}",
}


@dataclass(frozen=True)
class _Anchor:
    """A labelled sentence: the row's id, its text and truth."""

    id: str
    text: str
    truth: target.Labels

    @property
    def label(self) -> str:
        """Its only label."""
        return self.truth.labels[0]


@dataclass(frozen=True)
class _Slot:
    """A row that is to be written: the anchor that it descends from, and its number among those of it."""

    anchor: _Anchor
    number: int


class LanguageModelGenerator(LanguageModelSettings, Make):
    """Writes new sentences for the labels of labelled ones (task `classification`) with a model of its own.

    A byte-level decoder is trained from drawn weights: on all texts it is given, `utterance` rows among them,
    without labels, then on the labelled ones with their label in front. Each label is written for `per_label`
    times; what is empty, does not end or equals a text that was learnt from (but for case, punctuation and
    space) is sampled again, `tries` times at most, and then is a failed attempt. Rows that were accepted
    before (`context.reference`) are learnt too, where `update` is `raft`: they are the best of what it wrote.
    Each round trains anew, so a round hangs on its rows, seed and number alone.

    Rows with several labels or none, and rows without text, pass by.
    """

    name = "language_model"
    about = ("classification",)
    scope = "table"
    material = True
    recalls = True
    cost: ClassVar[str] = (
        "no call; with the defaults one thread of the CPU for about 0.1 s a step of 64 short texts and 2 ms "
        "a text that is written, whatever the number of rows"
    )
    limits: ClassVar[str] = (
        "A model of this size from a few rows a label writes much that belongs to no label, or to another: "
        "on CLINC150, five rows a label, its rows made a classifier worse, the best of eight and those after "
        "two updates, too (adversarial.5). It knows nothing beyond the texts it is given, and may repeat "
        "itself: put checks, a discriminator and deduplication behind it. A made row names one labelled row "
        "of its label as parent and has its licence, though all texts shaped the model. Other processors may "
        "give other weights."
    )
    source: ClassVar[str] = (
        "Radford et al. 2019 (GPT-2); Keskar et al. 2019 (CTRL); Anaby-Tavor et al. 2020 (LAMBADA); Dong et "
        "al. 2023 (RAFT)"
    )

    per_label: int = Field(default=10, ge=1, le=10_000, description="new rows a label at most")
    temperature: float = Field(
        default=0.8, gt=0, le=10, description="1: as the model believes; lower: likelier, more alike"
    )
    top_p: float = Field(
        default=0.95,
        gt=0,
        le=1,
        description="the likeliest tokens with this probability are drawn from",
    )
    tries: int = Field(default=4, ge=1, le=100, description="samples for one row at most")
    update: str = Field(
        default="raft",
        description="how it learns from rows accepted before: raft, or a rule of a plug-in; none: not at all",
        examples=["none"],
    )

    @field_validator("update")
    @classmethod
    def _is_known(cls, name: str) -> str:
        if name == _NO_UPDATE:
            return name
        try:
            registry.load("update", name)
        except UsageError as error:
            hint = f"{error.hint}; `{_NO_UPDATE}` learns from the given rows alone"
            raise ValueError(f"{error.message}: {hint}") from error
        return name

    def reads(self) -> tuple[str, ...]:
        """Labelled sentences and utterances."""
        return ("messages", "target", "task", "source", "group")

    def applies(self, rows: pl.DataFrame) -> pl.Series:
        """Single messages of users with text: those with one label and no template, and utterances."""
        lines = flatten(rows["messages"])
        told = pl.col("media").list.len().fill_null(0) > 0
        alone = (pl.len() == 1) & (pl.col("role") == "user").all() & ~told.any()
        says = (pl.col("text").fill_null("").str.strip_chars() != "").all()
        single = lines.group_by("row").agg((alone & says).alias("alone")).filter("alone")["row"].implode()
        templated = pl.col("target").str.contains('"template":', literal=True).fill_null(value=False)
        one_label = target.LABEL.is_not_null() & pl.col("target").str.json_path_match("$.labels[1]").is_null()
        labelled = (pl.col("task") == "classification") & one_label & ~templated
        wanted = (labelled | (pl.col("task") == "utterance")).fill_null(value=False)
        return rows.with_row_index("row").select(wanted & pl.col("row").is_in(single)).to_series()

    def make(self, rows: pl.DataFrame, context: Context) -> Made:
        """At most `per_label` rows for each label."""
        rows = rows.sort("id")
        anchors, broken = _anchors(rows)
        if not anchors:
            raise UsageError(
                f"step {context.step_id!r} writes for labels, and none of its {rows.height} rows has one",
                hint="give it rows of task 'classification' with one label each",
            )
        texts = user_text(rows.filter(pl.col("task") == "utterance")["messages"]).to_list()
        accepted = self._accepted(rows, context)
        model = self._model(anchors, accepted, texts, context)
        learnt = [*(each.text for each in anchors), *texts, *(each.text for each in accepted)]
        made, failed = self._written(model, _slots(anchors, self.per_label), learnt, context)
        return Made(frame(made), [*broken, *failed])

    def _accepted(self, rows: pl.DataFrame, context: Context) -> list[_Anchor]:
        """Labelled rows of earlier rounds; a row that is given anyway is no accepted one."""
        before = context.reference
        if before is None or self.update == _NO_UPDATE:
            return []
        before = before.filter(self.applies(before))
        return _anchors(before.filter(~pl.col("id").is_in(rows["id"].implode())).sort("id"))[0]

    def _model(
        self, anchors: Sequence[_Anchor], accepted: Sequence[_Anchor], texts: Sequence[str], context: Context
    ) -> LanguageModel:
        fit, update = (int(context.generator(draw).integers(_SEEDS)) for draw in (_FIT, _UPDATE))
        labels = [*(each.label for each in anchors), *[None] * len(texts)]
        model = LanguageModel.fit([*(each.text for each in anchors), *texts], labels, self, fit)
        known = [each for each in accepted if each.label in model.labels]
        if not known:
            return model
        rule: UpdateRule = registry.load("update", self.update)()
        return rule.update(model, _judged(known), _judged(anchors), update)

    def _written(
        self, model: LanguageModel, slots: Sequence[_Slot], learnt: Sequence[str], context: Context
    ) -> tuple[list[MadeRow], list[Failure]]:
        """A row for each slot, or why there is none."""
        known = set(normalise(pl.Series(learnt, dtype=pl.String)).to_list())
        pending, made, failed = list(slots), list[tuple[_Slot, str]](), list[Failure]()
        for number in range(self.tries):
            seed = int(context.generator(_SAMPLE + number).integers(_SEEDS))
            labels = [slot.anchor.label for slot in pending]
            samples = model.sample(labels, temperature=self.temperature, top_p=self.top_p, seed=seed)
            forms = normalise(pl.Series([each.text for each in samples], dtype=pl.String)).to_list()
            again, failed = list[_Slot](), list[Failure]()
            for slot, sample, form in zip(pending, samples, forms, strict=True):
                fault = sample.fault or (COPIED if form in known else None)
                if fault is None:
                    made.append((slot, sample.text))
                    continue
                again.append(slot)
                told = _MESSAGES[fault].format(label=slot.anchor.label, text=sample.text)
                failed.append(Failure(slot.anchor.id, str(fault), told))
            pending = again
            if not pending:
                break
        return [_row(slot, text) for slot, text in made], failed


def _anchors(rows: pl.DataFrame) -> tuple[list[_Anchor], list[Failure]]:
    """The labelled rows among these, and those whose target cannot be read."""
    rows = rows.filter(pl.col("task") == "classification")
    found: list[_Anchor] = []
    failed: list[Failure] = []
    for id, row in zip(rows["id"].to_list(), Rows(rows), strict=True):
        if isinstance(row, Unfit):
            failed.append(Failure(id, row.cls, str(row)))
        elif isinstance(row.example.truth, target.Labels):
            found.append(_Anchor(id, row.example.turns[0].text, row.example.truth))
    return found, failed


def _slots(anchors: Sequence[_Anchor], per_label: int) -> list[_Slot]:
    """So many rows for each label, its anchors taking turns as parents."""
    of_label: defaultdict[str, list[_Anchor]] = defaultdict(list)
    for each in anchors:
        of_label[each.label].append(each)
    return list(_turns(sorted(of_label.items()), per_label))


def _turns(of_label: Sequence[tuple[str, Sequence[_Anchor]]], per_label: int) -> Iterator[_Slot]:
    for _, own in of_label:
        yield from (_Slot(own[number % len(own)], number // len(own)) for number in range(per_label))


def _judged(rows: Sequence[_Anchor]) -> Judged:
    """Rows that stand for themselves: each was accepted, or is real."""
    return Judged([each.text for each in rows], [each.label for each in rows], np.ones(len(rows)))


def _row(slot: _Slot, text: str) -> MadeRow:
    anchor = slot.anchor
    return MadeRow("classification", [Turn("user", text)], anchor.truth, [anchor.id], slot.number)
