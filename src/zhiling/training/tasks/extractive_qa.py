"""The piece of a passage that answers a question, or that none does: where it begins and where it ends."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import ClassVar, NamedTuple

import torch
from torch import nn

from zhiling.errors import UsageError
from zhiling.rows import target as targets
from zhiling.rows.target import Answers, Place, spelled
from zhiling.training.examples import Answer, Examples
from zhiling.training.heads.words import WordStates
from zhiling.training.inputs import Input, named, passage_of
from zhiling.training.objectives import cross_entropy
from zhiling.training.reading.features import Encoded, Prepared, Segments, Window
from zhiling.training.settings import TrainSettings
from zhiling.training.tasks.targets import must_read, read_target
from zhiling.training.tasks.task import ReadTask
from zhiling.training.tensors import as_list

LONGEST = 30
"""Words of an answer, at most."""
NOWHERE = 0
"""The place that stands for "not in this window": the first token's, before all words."""
UNCOVERED = "an answer that no word of the passage covers"


class Ends(NamedTuple):
    """Scores of places where an answer begins and ends: (windows, 1 + words), −inf where none may."""

    begins: torch.Tensor
    ends: torch.Tensor


class SpanHead(nn.Module):
    """Two numbers per word, and two for the window as a whole."""

    def __init__(self, width: int, settings: TrainSettings) -> None:
        super().__init__()
        self.states = WordStates(width, letters=False, dropout=settings.dropout)
        self.linear = nn.Linear(width, 2)

    def forward(self, encoded: Encoded, prepared: Prepared) -> Ends:
        """Scores of all places."""
        assert encoded.tokens is not None
        states, _ = self.states(encoded, prepared)
        scores = self.linear(torch.cat([encoded.tokens[:, :1], states], dim=1))
        windows = [window for example in prepared.windows for window in example]
        open_ = torch.zeros(scores.shape[:2], dtype=torch.bool)
        open_[:, NOWHERE] = True
        for row, window in enumerate(windows):
            for place, word in enumerate(window.words):
                open_[row, 1 + place] = word.segment == 1
        closed = scores.masked_fill(~open_.unsqueeze(2), float("-inf"))
        return Ends(closed[..., 0], closed[..., 1])


class ExtractiveQa(ReadTask):
    """A message named `question` and a passage (role `document`, or named `context`); targets are `Answers`.

    Source: Devlin et al. 2019, BERT, sections 4.2 and 4.3 (no answer: the first token's place).
    """

    name: ClassVar[str] = "extractive_qa"
    level: ClassVar = "token"

    @classmethod
    def target(cls, document: str) -> str | None:
        """The right answers; null where one of them has no place."""
        found = read_target(document, Answers)
        if found is None or any(answer.place is None for answer in found.answers):
            return None
        return spelled(found.model_copy(update={"template": None}))

    def unknown(self, examples: Examples, prepared: Prepared) -> dict[str, int]:
        """Answers that no word of the passage covers."""
        missed = sum(
            not any(_places(window, answer.place) for window in windows)
            for target, windows in zip(examples.targets, prepared.windows, strict=True)
            for answer in must_read(target, Answers).answers[:1]
            if answer.place
        )
        return {UNCOVERED: missed} if missed else {}

    def segments(self, turns: Input) -> list[Segments]:
        """The question with its passage.

        Raises:
            UsageError: one of the two is missing.
        """
        question = named(turns, targets.QUESTION)
        passage = passage_of(turns)
        if question is None or passage is None:
            raise UsageError(
                f"an example has messages {[(turn.role, turn.name) for turn in turns]!r}",
                hint="A passage (role document) and a message named `question` are needed.",
            )
        return [Segments(question, turns[passage].text)]

    def head(self, width: int) -> nn.Module:
        """Two numbers per word."""
        return SpanHead(width, self.settings)

    def truths(self, examples: Examples, prepared: Prepared) -> list[list[tuple[int, int]]]:
        """First and last place of the first answer in each window; (0, 0) where it is not in it whole."""
        found: list[list[tuple[int, int]]] = []
        for target, windows in zip(examples.targets, prepared.windows, strict=True):
            answers = must_read(target, Answers).answers
            place = answers[0].place if answers else None
            found.append([_places(window, place) or (NOWHERE, NOWHERE) for window in windows])
        return found

    def loss(self, outputs: Ends, truths: Sequence[list[tuple[int, int]]]) -> torch.Tensor:
        """The mean of the two cross-entropies over places, in nats."""
        places = torch.tensor([place for example in truths for place in example])
        return (cross_entropy(outputs.begins, places[:, 0]) + cross_entropy(outputs.ends, places[:, 1])) / 2

    def weight(self, truths: Sequence[list[tuple[int, int]]]) -> float:
        """The number of windows."""
        return sum(map(len, truths))

    def answers(self, outputs: Ends, inputs: Sequence[Input], prepared: Prepared) -> list[Answer]:
        """The best piece over all windows, or none where each window's first place scores higher."""
        begins, ends = (each.log_softmax(dim=1) for each in outputs)
        rows: Iterator[tuple[list[float], list[float]]] = zip(as_list(begins), as_list(ends), strict=True)
        found: list[Answer] = []
        for turns, windows in zip(inputs, prepared.windows, strict=True):
            pieces = [_best(window, *next(rows)) for window in windows]
            best = max(pieces, key=lambda piece: piece.margin)
            found.append(_answer(turns, best))
        return found


class _Piece(NamedTuple):
    """The best piece of a window: its place, ln p of both ends, and how far it is above "not here"."""

    start: int
    end: int
    log: float
    margin: float


def _answer(turns: Input, piece: _Piece) -> Answer:
    """The piece as an answer; none where "not here" is likelier."""
    sure = math.exp(piece.log / 2)  # of one end, in the geometric mean
    if piece.margin <= 0:
        return Answer(spelled(Answers(answers=[])), 1 - sure)
    message = passage_of(turns)
    assert message is not None
    place = Place(message=message, start=piece.start, end=piece.end)
    text = turns[message].text[piece.start : piece.end]
    return Answer(spelled(Answers(answers=[targets.Answer(text=text, place=place)])), sure)


def _places(window: Window, place: Place | None) -> tuple[int, int] | None:
    """First and last place (1 + number of the word) of a piece of the passage that is in the window whole."""
    covered = window.cover(place.start, place.end, segment=1) if place else None
    return (1 + covered[0], 1 + covered[1]) if covered else None


def _best(window: Window, begins: Sequence[float], ends: Sequence[float]) -> _Piece:
    """The likeliest piece of the passage in a window."""
    found = _Piece(0, 0, -math.inf, -math.inf)
    nowhere = begins[NOWHERE] + ends[NOWHERE]
    inside = [number for number, word in enumerate(window.words) if word.segment == 1]
    for first in inside:
        for last in range(first, min(inside[-1], first + LONGEST - 1) + 1):
            log = begins[1 + first] + ends[1 + last]
            if log > found.log:
                words = window.words
                found = _Piece(words[first].start, words[last].end, log, log - nowhere)
    return found
