"""From an input to what a language model reads: instruction, demonstrations, input; worded by templates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from zhiling.errors import UsageError
from zhiling.rows import target as targets
from zhiling.rows.templates.example import CHOICES, Example
from zhiling.rows.templates.library import Library, read_files
from zhiling.rows.templates.names import Listing, Names
from zhiling.rows.templates.phrases import Language
from zhiling.rows.templates.read import Reading
from zhiling.rows.templates.render import Setting, render
from zhiling.rows.templates.spelling import Unparsed
from zhiling.rows.templates.view import Unfit, View
from zhiling.rows.templates.wording import Wording
from zhiling.training.inputs import Input
from zhiling.training.prompting.language import language_of
from zhiling.training.prompting.language_model import Turns
from zhiling.training.prompting.way import Known, is_pair

UNTOLD = "demonstrations that no reply of this wording tells"

_FORMS: dict[str, tuple[str, str]] = {
    "classification": ("classification", "labels"),
    "ordinal": ("classification", "labels"),
    "multi_label": ("classification", "labels"),
    "regression": ("classification", "score"),
    "choice": ("qa", "choice"),
    "extractive_qa": ("qa", "answers"),
    "ner": ("ner", "entities"),
    "relation": ("relation", "relations"),
}
"""Task → task of its wordings, and the shape that a reply tells its truth in."""

PAIRED = "matching"
"""Task of the wordings for pairs."""


def truth_of(task: str, target: str) -> BaseModel:
    """A target as the record has it."""
    if task in ("classification", "ordinal"):
        return targets.Labels(labels=[target])
    if task == "multi_label":
        return targets.Labels(labels=targets.Labels.model_validate_json(target).labels, multi=True)
    if task == "regression":
        return targets.Score(score=float(target))
    shape = {
        "choice": targets.Choice,
        "extractive_qa": targets.Answers,
        "ner": targets.Entities,
        "relation": targets.Relations,
    }[task]
    return shape.model_validate_json(target)


@dataclass(frozen=True)
class Asked:
    """What is asked about one input.

    Attributes:
        turns: system message, demonstrations and the input, in turns, up to the reply.
        wording: how it is worded.
        listing: the labels that it lists.
        shots: numbers of the demonstrations that it shows, the least near first.
    """

    turns: Turns
    wording: Wording
    listing: Listing
    shots: tuple[int, ...]


@dataclass(frozen=True)
class Prompts:
    """Prompts of one task."""

    known: Known
    _memory: dict[tuple[str, str], Any] = field(default_factory=dict[tuple[str, str], Any])

    def __post_init__(self) -> None:
        if self.known.task not in _FORMS:
            raise UsageError(
                f"no wording asks a language model for task {self.known.task!r}",
                hint=f"Tasks with wordings: {', '.join(_FORMS)}. Without `model` the encoder answers.",
            )

    @cached_property
    def library(self) -> Library:
        """Built-in wordings and those of the user."""
        return read_files(map(Path, self.known.settings.own_wordings))

    def asked(self, turns: Input, shots: Sequence[int]) -> Asked:
        """The prompt of an input, with these demonstrations.

        Raises:
            UsageError: no wording shows this input.
        """
        language = self.known.settings.language or language_of(turns)
        wording = self._wording(turns, language)
        listing = self._listing(language)
        found = {number: self._demonstration(number, wording, listing) for number in shots}
        told = {number: example for number, example in found.items() if example is not None}
        self.known.notes[UNTOLD] += len(found) - len(told)
        ids = self.known.demonstrations.pool.ids
        setting = self._setting(listing, [(ids[number], example) for number, example in told.items()])
        try:
            rendered = render(self._example(turns, self._any_truth(turns)), wording, setting)
        except Unfit as error:
            raise UsageError(f"wording {wording.name!r} cannot ask this input: {error}") from error
        return Asked(rendered.messages[:-1], wording, listing, tuple(told))

    def reply(self, asked: Asked, turns: Input, truth: BaseModel) -> str:
        """How a reply tells this truth."""
        options = [turn.text for turn in turns if turn.name == targets.CHOICE]
        view = View(words=asked.listing.words, options=options)
        return asked.wording.form.write(asked.wording.kind.records(truth, view))

    def read(self, asked: Asked, turns: Input, reply: str) -> BaseModel | Unparsed:
        """The truth that a reply tells of an input, with places in its messages."""
        template = targets.Template(
            wording=asked.wording.name, fields=[], placed=True, multi=self.known.task == "multi_label",
            labels=list(asked.listing.labels) if asked.wording.lists_labels else None,
            words=list(asked.listing.words.values()) if asked.wording.lists_labels else None,
        )  # fmt: skip
        found = Reading(asked.wording, template, turns).parse(reply)
        assert not isinstance(found, str)
        return found

    def _demonstration(self, number: int, wording: Wording, listing: Listing) -> Example | None:
        """A row of the pool as it is shown; None where this wording cannot tell it exactly."""
        key = (number, wording.name)
        if key not in self._examples:
            pool = self.known.demonstrations.pool
            example = self._example(pool.inputs[number], truth_of(self.known.task, pool.targets[number]))
            try:
                render(example, wording, self._setting(listing, ()))
            except Unfit:
                self._examples[key] = None
            else:
                self._examples[key] = example
        return self._examples[key]

    @cached_property
    def _examples(self) -> dict[tuple[int, str], Example | None]:
        return {}

    def _example(self, turns: Input, truth: BaseModel) -> Example:
        return Example(self._form(turns)[0], [turn for turn in turns if turn.role != "assistant"], truth)

    def _form(self, turns: Input) -> tuple[str, str]:
        task, shape = _FORMS[self.known.task]
        return (PAIRED if task == "classification" and is_pair(turns) else task), shape

    def _any_truth(self, turns: Input) -> BaseModel:
        """Some truth of the task's shape: it stands in the reply alone, which is not shown."""
        shape = self._form(turns)[1]
        anything: Mapping[str, BaseModel] = {
            "labels": targets.Labels(labels=list(self.known.verbaliser.labels[:1]), multi=self._multi),
            "score": targets.Score(score=0.0),
            "choice": targets.Choice(choice=0),
            "answers": targets.Answers(answers=[]),
            "entities": targets.Entities(spans=[]),
            "relations": targets.Relations(relations=[]),
        }
        return anything[shape]

    @property
    def _multi(self) -> bool:
        return self.known.task == "multi_label"

    def _setting(self, listing: Listing, shots: Sequence[tuple[str, Example]]) -> Setting:
        numbers = self.known.numbers
        return Setting(
            listing=listing, shots=shots, memory=self._memory,
            empty=self.known.task in ("multi_label", "ner", "relation", "extractive_qa"),
            bounds=(numbers[0], numbers[-1]) if numbers else None,
        )  # fmt: skip

    def _listing(self, language: Language) -> Listing:
        found = self._listings.get(language)
        if found is None:
            names = self.known.verbaliser.told.get(language, Names())
            found = self._listings[language] = Listing(self.known.verbaliser.labels, names)
        return found

    @cached_property
    def _listings(self) -> dict[str, Listing]:
        return {}

    def _wording(self, turns: Input, language: Language) -> Wording:
        """The wording of the settings, else the first that shows all messages of the input."""
        task, shape = self._form(turns)
        wanted = self.known.settings.wording
        shown = frozenset(CHOICES if name == targets.CHOICE else name for name in self._fields(task, turns))
        fitting = [
            each
            for each in self.library.of_task(task)
            if each.language == language and each.shape == shape and each.covers(shown)
        ]
        if wanted is not None:
            fitting = [each for each in fitting if each.id == wanted]
        if not fitting:
            raise UsageError(
                f"no wording {wanted or ''} of task {task!r} in {language!r} tells {shape} "
                f"and shows exactly {sorted(shown)}",
                hint="`zhiling steps template` lists the wordings; own ones stand in prompting.own_wordings.",
            )
        return fitting[0]

    def _fields(self, task: str, turns: Input) -> frozenset[str]:
        example = Example(
            task, [turn for turn in turns if turn.role != "assistant"], targets.Labels(labels=[])
        )
        return frozenset(example.layout.fields)
