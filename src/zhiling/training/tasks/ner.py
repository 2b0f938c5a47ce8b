"""Entities in a text: a tag per word (B-, I-, O), trained with cross-entropy or a CRF."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, Self

import torch
from torch import nn

from zhiling.rows.target import Entities, Span, spelled
from zhiling.training.examples import Answer, Examples
from zhiling.training.heads.crf import Crf
from zhiling.training.heads.words import WordStates
from zhiling.training.inputs import Input
from zhiling.training.joined_text import JoinedText
from zhiling.training.objectives import cross_entropy, soft_cross_entropy
from zhiling.training.reading.features import Encoded, Prepared, Segments, Window
from zhiling.training.settings import TrainSettings
from zhiling.training.tasks.labels import learn_labels, restore_labels, unknown_labels
from zhiling.training.tasks.targets import must_read, read_target
from zhiling.training.tasks.task import Task, whole_text
from zhiling.training.tensors import as_list

OUTSIDE = 0
"""The number of the tag O; those of label k are 1 + 2k (begins) and 2 + 2k (goes on)."""
UNCOVERED = "an entity that no token covers"
CONTRADICTORY = "a training text that occurs with other entities, too"


class Emissions(NamedTuple):
    """What the head says: scores of tags, shape (windows, words, tags), and how many words count."""

    scores: torch.Tensor
    counts: torch.Tensor
    crf: Crf | None

    @property
    def inside(self) -> torch.Tensor:
        """Where a word stands, bool, shape (windows, words)."""
        return torch.arange(self.scores.shape[1]) < self.counts.unsqueeze(1)


class TagHead(nn.Module):
    """A linear layer over the states of words, and a CRF where it is asked for."""

    def __init__(self, width: int, tags: int, settings: TrainSettings) -> None:
        super().__init__()
        self.states = WordStates(width, letters=settings.letters, dropout=settings.dropout)
        self.linear = nn.Linear(self.states.width, tags)
        self.crf = Crf(tags) if settings.crf else None

    def forward(self, encoded: Encoded, prepared: Prepared) -> Emissions:
        """Scores of tags for each word."""
        states, counts = self.states(encoded, prepared)
        return Emissions(self.linear(states), counts, self.crf)


class Tagged(NamedTuple):
    """A word with the tag and how sure it is; `margin`: words between it and the nearer cut."""

    start: int
    end: int
    tag: int
    sure: float
    margin: int


@dataclass(frozen=True)
class Ner(Task):
    """Entity types; targets are `Entities` as JSON."""

    name: ClassVar[str] = "ner"
    level: ClassVar = "token"

    labels: tuple[str, ...]
    settings: TrainSettings

    @property
    def reads_letters(self) -> bool:
        """As the settings say."""
        return self.settings.letters

    @classmethod
    def target(cls, document: str) -> str | None:
        """The entities, with the set's own tokens and tags where it has them."""
        found = read_target(document, Entities)
        return spelled(found.model_copy(update={"template": None})) if found else None

    @classmethod
    def learn(cls, examples: Examples, settings: TrainSettings) -> Self:
        """The types that occur."""
        return cls(learn_labels(_types(examples), len(examples), least=1), settings)

    @classmethod
    def restore(cls, state: Mapping[str, Any], settings: TrainSettings) -> Self:
        """The task with the types of a saved model."""
        return cls(restore_labels(state), settings)

    def state(self) -> dict[str, object]:
        """The types in the order of their numbers."""
        return {"labels": list(self.labels)}

    def unknown(self, examples: Examples, prepared: Prepared) -> dict[str, int]:
        """Types that training did not have, and entities in which no word of the tokenizer begins."""
        found = unknown_labels(_types(examples), self.labels)
        uncovered = sum(
            not any(word.touches(start, end) for window in windows for word in window.words)
            for (start, end, _), windows in _placed(examples, prepared)
        )
        return found | ({UNCOVERED: uncovered} if uncovered else {})

    def contradictions(self, examples: Examples) -> dict[str, int]:
        """Examples whose very input occurs with other entities, too.

        None is dropped: which is right is not known here (the step `label_errors` asks that), and where each
        is part of a document its context may tell.
        """
        said: dict[Input, set[frozenset[Span]]] = {}
        for turns, target in zip(examples.inputs, examples.targets, strict=True):
            said.setdefault(turns, set()).add(frozenset(must_read(target, Entities).spans))
        two_ways = sum(len(said[turns]) > 1 for turns in examples.inputs)
        return {CONTRADICTORY: two_ways} if two_ways else {}

    def segments(self, turns: Input) -> list[Segments]:
        """The whole input as one text."""
        return whole_text(turns)

    def head(self, width: int) -> nn.Module:
        """One score per word and tag."""
        return TagHead(width, 1 + 2 * len(self.labels), self.settings)

    def truths(self, examples: Examples, prepared: Prepared) -> list[list[list[int]]]:
        """The tags of each window's words. Of entities that overlap the first and longest counts."""
        numbers = {label: number for number, label in enumerate(self.labels)}
        found: list[list[list[int]]] = []
        for turns, target, windows in zip(examples.inputs, examples.targets, prepared.windows, strict=True):
            spans = sorted(spans_of(turns, target), key=lambda span: (span[0], -span[1]))
            known = [(start, end, numbers[label]) for start, end, label in spans if label in numbers]
            found.append([tags_of_window(window, known) for window in windows])
        return found

    def loss(self, outputs: Emissions, truths: Sequence[list[list[int]]]) -> torch.Tensor:
        """Mean cross-entropy per word, or the CRF's −ln p per word, in nats."""
        rows = [tags for example in truths for tags in example]
        if outputs.crf is None:
            flat = torch.tensor([tag for tags in rows for tag in tags], dtype=torch.int64)
            return cross_entropy(outputs.scores[outputs.inside], flat, self.settings.label_smoothing)
        longest = outputs.scores.shape[1]
        padded = torch.tensor([tags + [OUTSIDE] * (longest - len(tags)) for tags in rows], dtype=torch.int64)
        some = outputs.counts > 0
        losses = outputs.crf.loss(outputs.scores[some], padded[some], outputs.counts[some])
        return losses.sum() / outputs.counts.sum().clamp(min=1)

    def weight(self, truths: Sequence[list[list[int]]]) -> float:
        """The number of words."""
        return sum(len(tags) for example in truths for tags in example) or 1

    def beliefs(self, outputs: Emissions, prepared: Prepared) -> list[torch.Tensor]:
        """How likely each word's tags are, window behind window."""
        if outputs.crf is None:
            likely = outputs.scores.float().softmax(dim=2)
        else:
            likely = outputs.crf.marginals(outputs.scores, outputs.counts.clamp(min=1))
        sizes = [sum(len(window.words) for window in windows) for windows in prepared.windows]
        return list(torch.split(likely[outputs.inside], sizes))

    def loss_to(self, outputs: Emissions, beliefs: Sequence[torch.Tensor]) -> torch.Tensor:
        """Mean cross-entropy per word to the teachers' tags, or the CRF's, in nats."""
        flat = torch.cat(list(beliefs))
        if outputs.crf is None:
            return soft_cross_entropy(outputs.scores[outputs.inside], flat)
        likely = torch.zeros_like(outputs.scores, dtype=flat.dtype).masked_scatter(
            outputs.inside.unsqueeze(2), flat
        )
        some = outputs.counts > 0
        losses = outputs.crf.loss_to(outputs.scores[some], likely[some], outputs.counts[some])
        return losses.sum() / outputs.counts.sum().clamp(min=1)

    def answers(self, outputs: Emissions, inputs: Sequence[Input], prepared: Prepared) -> list[Answer]:
        """The entities of each input as JSON; as sure as the least sure word."""
        sure, best = outputs.scores.softmax(dim=2).max(dim=2)
        decoded = as_list(best)
        if outputs.crf is not None:
            decoded = outputs.crf.decode(outputs.scores, outputs.counts.clamp(min=1))
        rows: Iterator[tuple[list[int], list[float]]] = zip(decoded, as_list(sure), strict=True)
        found: list[Answer] = []
        for turns, windows in zip(inputs, prepared.windows, strict=True):
            words = merge([(window, *next(rows)) for window in windows])
            text = JoinedText.of(turns)
            spans = [
                Span(**text.place(start, end).model_dump(), label=self.labels[number])
                for start, end, number in entities(words, text.starts)
            ]
            sure = [1.0] * len(turns)
            for word in words:
                message = text.place(word.start, word.end).message
                sure[message] = min(sure[message], word.sure)
            told = spelled(Entities(spans=spans))
            found.append(Answer(told, min(sure, default=1.0), by_message=tuple(sure)))
        return found


def spans_of(turns: Input, target: str) -> list[tuple[int, int, str]]:
    """Start, end (in the joined text) and type of each entity."""
    text = JoinedText.of(turns)
    return [(*text.span(span), span.label) for span in must_read(target, Entities).spans]


def _types(examples: Examples) -> Iterator[str]:
    """The type of each entity."""
    return (span.label for target in examples.targets for span in must_read(target, Entities).spans)


def _placed(examples: Examples, prepared: Prepared) -> Iterator[tuple[tuple[int, int, str], list[Window]]]:
    """Each entity with its example's windows."""
    for turns, target, windows in zip(examples.inputs, examples.targets, prepared.windows, strict=True):
        yield from ((span, windows) for span in spans_of(turns, target))


def tags_of_window(window: Window, spans: Sequence[tuple[int, int, int]]) -> list[int]:
    """The tag of each word: begins or goes on in the first entity that it touches."""
    tags: list[int] = []
    before: int | None = None
    for word in window.words:
        place = next((i for i, (start, end, _) in enumerate(spans) if word.touches(start, end)), None)
        if place is None:
            tags.append(OUTSIDE)
        else:
            tags.append(1 + 2 * spans[place][2] + (place == before))
        before = place
    return tags


def merge(windows: Sequence[tuple[Window, Sequence[int], Sequence[float]]]) -> list[Tagged]:
    """The words of all windows of a text; one in several counts where it stands farthest from a cut."""
    found: dict[tuple[int, int], Tagged] = {}
    for number, (window, tags, sure) in enumerate(windows):
        size = len(window.words)
        for place, (word, tag, certainty) in enumerate(zip(window.words, tags, sure, strict=False)):
            left = place if number else size
            right = size - 1 - place if number < len(windows) - 1 else size
            tagged = Tagged(word.start, word.end, tag, certainty, min(left, right))
            known = found.get((word.start, word.end))
            if known is None or known.margin < tagged.margin:
                found[word.start, word.end] = tagged
    return [found[key] for key in sorted(found)]


def entities(words: Sequence[Tagged], starts: Sequence[int] = ()) -> list[tuple[int, int, int]]:
    """Start, end and label's number of each entity; one that goes on from nothing begins there.

    Args:
        words: in order.
        starts: where the messages of the text begin: no entity goes from one into the next.
    """
    found: list[tuple[int, int, int]] = []
    before: tuple[int, int] | None = None  # message and label of the entity that is open
    for word in words:
        now = None if word.tag == OUTSIDE else (bisect_right(starts, word.start), (word.tag - 1) // 2)
        if now is not None:
            begins = word.tag % 2 == 1
            if before == now and not begins:
                found[-1] = (found[-1][0], word.end, now[1])
            else:
                found.append((word.start, word.end, now[1]))
        before = now
    return found
