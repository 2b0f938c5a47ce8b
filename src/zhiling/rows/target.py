"""The machine-readable truth of a row (`target`, JSON): one schema a shape, and which shape a task has.

A labelled example keeps every text that a model sees in `messages`: one message a field, told apart by the
message's `name` (a passage has role `document`, all others `user`; what the model should write is the
assistant's). `target` holds the truth by reference: labels, and places in those messages. So steps that look
at texts (redaction, deduplication, languages) see all of them, and a place moves when its text is rewritten.

Messages of a labelled example by task, as `role name` (most have no name; `?`: where the set has it):

    classification, ner, relation   user
    matching                        user first · user second
    qa                              document context? · user question · assistant? (a worked solution)
    qa, commonsense with a choice   document context? · user question · user choice …
    translation, summarisation      user · assistant
    dialogue                        user · assistant · … · user
    controlled, code                user · assistant

Further right replies (a second summary, a second translation) are `alternatives` of kind `chosen`.

Places are in code points, `end` exclusive, `message` the index into `messages`. An empty list is a truth too:
no label fits, no entity is there, the passage does not answer. A row without truth has a null target. A row
that the step `template` wrote also says how (`template`), and its places are in the new messages.
"""

from __future__ import annotations

from typing import Annotated

import polars as pl
from pydantic import BaseModel, ConfigDict, Field

LABEL = pl.col("target").str.json_path_match("$.labels[0]")
"""A row's (first) label, null where its target has none."""

CHOICE = "choice"
"""`name` of the messages that are the options of a multiple-choice question, in order."""

FIRST, SECOND = "first", "second"
"""Names of the two texts of a pair."""

CONTEXT, QUESTION = "context", "question"
"""Names of a passage (role `document`) and of what is asked about it."""


class _Truth(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Place(_Truth):
    """A piece of a message: `text == messages[message].text[start:end]`."""

    message: Annotated[int, Field(ge=0)] = 0
    start: Annotated[int, Field(ge=0)]
    end: Annotated[int, Field(ge=0)]


class Shown(Place):
    """A message of the example as it stands in the prompt."""

    role: str = "user"
    name: str | None = None


class Template(_Truth):
    """How a row was written from a labelled example, so that its reply can be read: see `rows/templates`.

    `fields` are the example's messages in their order. `labels` are those that the prompt lists, `words`
    their names there (where these differ), `withheld` the right ones that it does not list. `explained`: a
    worked solution stands before the answer. `placed`: the truth tells places. `shots`: ids of the
    demonstrations.
    """

    wording: str
    fields: list[Shown]
    labels: list[str] | None = None
    words: list[str] | None = None
    multi: bool = False
    placed: bool = False
    explained: bool = False
    withheld: list[str] | None = None
    shots: list[str] | None = None


class _Target(_Truth):
    template: Template | None = None


class Labels(_Target):
    """One label, several, or none that fits (`[]`). `multi` says that a row of this set may have several."""

    labels: list[str]
    multi: bool = False


class Score(_Target):
    """A number, such as the similarity of two sentences."""

    score: float


class Span(Place):
    """An entity; `text` is what should stand there, where the set tells it."""

    label: str
    text: str | None = None


class Entities(_Target):
    """Entities; `tokens` and their `tags` where the set is tagged token by token."""

    spans: list[Span]
    tokens: list[tuple[int, int]] | None = None
    tags: list[str] | None = None


class Triple(_Truth):
    """A fact: who, how, whom, in words; the places where the text says so, if the set tells them."""

    subject: str
    relation: str
    object: str
    subject_type: str | None = None
    object_type: str | None = None
    subject_place: Place | None = None
    object_place: Place | None = None


class Relations(_Target):
    """Facts that the text states; `spans` are its entities, where the set names them."""

    relations: list[Triple]
    spans: list[Span] | None = None


class Answer(_Truth):
    """An answer in words, its place where it is a piece of a message, and how sure a ranking model is."""

    text: str
    place: Place | None = None
    score: float | None = None


class Answers(_Target):
    """Right answers, the best first; `[]`: the passage does not answer the question."""

    answers: list[Answer]


class Choice(_Target):
    """Index of the right one among the messages named `choice`, from 0."""

    choice: Annotated[int, Field(ge=0)]


class Translation(_Target):
    """Languages (BCP-47) of the question and of the reply."""

    source_language: str
    target_language: str


class Constraint(_Truth):
    """What a reply must keep to: `include`, `exclude` (these words), `length` (unit, with bounds), ….

    The kinds that code can check, and what their values are, stand in `verification/constraints.py`.
    """

    kind: str
    values: list[str] = []
    at_least: int | None = None
    at_most: int | None = None


class Constraints(_Target):
    """All of a row's constraints."""

    constraints: list[Constraint]


class Slot(_Truth):
    """A slot of a dialogue's state with its value, as the user wants it after the last user turn."""

    domain: str
    slot: str
    value: str
    also: list[str] | None = None  # other spellings of the value that count as right


class Act(_Truth):
    """What a turn does, such as `inform`, `request`, `offer`, `confirm`, with the values of its slot."""

    act: str
    domain: str = ""
    slot: str = ""
    values: list[str] = []


class DialogueTurn(_Truth):
    """What one message of a dialogue does, and the state after it where it changes (all slots)."""

    message: Annotated[int, Field(ge=0)]
    acts: list[Act] = []
    state: list[Slot] | None = None


class DialogueState(_Target):
    """What the user wants so far, all slots; `turns`: how it came to that, in order, where the set tells it.

    A templated row keeps its turns by the messages of its example.
    """

    state: list[Slot]
    turns: list[DialogueTurn] | None = None


class Tests(_Target):
    """Programs that a right reply passes: `setup` runs first, then each of `tests` alone."""

    tests: list[str]
    setup: str = ""
    language: str = "python"


class Operation(_Truth):
    """What a step needs and gives, in names that steps share, and which steps (from 0) come before it."""

    inputs: list[str] = []
    results: list[str] = []
    after: list[Annotated[int, Field(ge=0)]] = []


class Steps(_Target):
    """An instruction sequence: what is to be done, step by step.

    `operations`: one a step, in their order. `given`: what is at hand before the first step; where it is not
    told, all that no step gives is. `results`: what must be there in the end.
    """

    steps: list[str]
    operations: list[Operation] | None = None
    given: list[str] | None = None
    results: list[str] | None = None


class Reply(_Target):
    """No truth but the reply: what a templated row has where its task needs no target."""


SHAPES: dict[str, tuple[type[_Truth], ...]] = {
    "classification": (Labels, Score),
    "matching": (Labels, Score),
    "ner": (Entities,),
    "relation": (Relations,),
    "qa": (Answers, Choice),
    "commonsense": (Choice, Labels),
    "translation": (Translation,),
    "summarisation": (),
    "dialogue": (DialogueState, Labels),
    "controlled": (Constraints,),
    "code": (Tests,),
    "sequence": (Steps,),
}
"""Task → the shapes that its target may have; `()`: the reply is the whole truth (templated: `Reply`)."""


def spelled(truth: BaseModel) -> str:
    """A target as its JSON: fields that were not set are left out."""
    return truth.model_dump_json(exclude_none=True, exclude_unset=True)
