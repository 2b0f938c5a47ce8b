"""Who stands in which relation to whom: entities by tags, then a relation, or none, for each pair of them.

Both are learnt together: the relation of a pair is read from the same states of words as the tags. In
training the pairs are those of the true entities, in use those of the entities that were found.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Any, ClassVar, NamedTuple, Self

import torch
from torch import nn

from zhiling.errors import UsageError
from zhiling.rows.target import Relations, Span, Triple, spelled
from zhiling.training.examples import Answer, Examples
from zhiling.training.heads.words import WordStates
from zhiling.training.inputs import Input
from zhiling.training.joined_text import JoinedText, ends_of
from zhiling.training.objectives import cross_entropy
from zhiling.training.reading.features import Encoded, Prepared, Segments, Window
from zhiling.training.settings import TrainSettings
from zhiling.training.tasks.labels import learn_labels, restore_labels, unknown_labels
from zhiling.training.tasks.ner import Tagged, entities, merge, tags_of_window
from zhiling.training.tasks.targets import must_read, read_target
from zhiling.training.tasks.task import Task, whole_text
from zhiling.training.tensors import as_list

NONE = 0
"""The number of "no relation"; relation k is 1 + k."""
DISTANCES = 6
"""Steps in which the distance of two entities is told, each twice as far as the one before."""


class Entity(NamedTuple):
    """Words from `first` to `last` of a window, and the number of their type."""

    first: int
    last: int
    type: int


class Read(NamedTuple):
    """What the head says: scores of tags (if it tags), each window's number of words, states; itself."""

    tags: torch.Tensor | None
    counts: torch.Tensor
    states: torch.Tensor
    head: RelationHead


class RelationHead(nn.Module):
    """Tags of words, unless entities are given; and, asked for a pair of entities, scores of relations."""

    def __init__(
        self, width: int, types: int, relations: int, settings: TrainSettings, *, tags: bool = True
    ) -> None:
        super().__init__()
        self.states = WordStates(width, letters=settings.letters, dropout=settings.dropout)
        size = self.states.width
        self.tags = nn.Linear(size, 1 + 2 * types) if tags else None
        self.types = nn.Embedding(types, 16)
        self.distances = nn.Embedding(2 * DISTANCES, 16)
        self.pairs = nn.Sequential(
            nn.Linear(5 * size + 3 * 16, 128),
            nn.GELU(),
            nn.Dropout(settings.dropout),
            nn.Linear(128, 1 + relations),
        )

    def forward(self, encoded: Encoded, prepared: Prepared) -> Read:
        """Scores of tags, and what the scores of pairs are made of."""
        states, counts = self.states(encoded, prepared)
        return Read(None if self.tags is None else self.tags(states), counts, states, self)

    def relations(self, states: torch.Tensor, pairs: Sequence[tuple[Entity, Entity]]) -> torch.Tensor:
        """Scores of (pairs, 1 + relations) in one window with states (words, width).

        A pair is told by the first and last word of both, the mean of what stands between them, their types,
        and how far apart they are and in which order.
        """
        sides = list(zip(*pairs, strict=True))
        ends = [states[[each[end] for each in side]] for side in sides for end in (0, 1)]
        between = torch.stack([_between(states, *pair) for pair in pairs])
        types = [self.types(torch.tensor([each.type for each in side])) for side in sides]
        far = self.distances(torch.tensor([_distance(*pair) for pair in pairs]))
        return self.pairs(torch.cat([*ends, between, *types, far], dim=1))


def _between(states: torch.Tensor, one: Entity, other: Entity) -> torch.Tensor:
    """The mean state of the words between two entities; 0 where they touch."""
    start, end = min(one.last, other.last) + 1, max(one.first, other.first)
    return states[start:end].mean(dim=0) if end > start else torch.zeros_like(states[0])


def _distance(one: Entity, other: Entity) -> int:
    """The number of the step of their distance; another where the order is turned round."""
    apart = abs(one.first - other.first).bit_length()
    return min(apart, DISTANCES - 1) + (DISTANCES if one.first > other.first else 0)


class Truth(NamedTuple):
    """A window's tags, its entities, and the relation of each ordered pair of them."""

    tags: list[int]
    pairs: list[tuple[Entity, Entity]]
    relations: list[int]


@dataclass(frozen=True)
class Relation(Task):
    """Targets are `Relations` whose subjects and objects have places.

    Source: Zhong and Chen 2021, A Frustratingly Easy Approach for Entity and Relation Extraction (pairs of
    spans), here over one encoder.
    """

    name: ClassVar[str] = "relation"
    level: ClassVar = "token"

    types: tuple[str, ...]
    relations: tuple[str, ...]
    settings: TrainSettings

    @classmethod
    def target(cls, document: str) -> str | None:
        """The triples and entities; null where a triple has no places."""
        found = read_target(document, Relations)
        if found is None or any(not (each.subject_place and each.object_place) for each in found.relations):
            return None
        return spelled(found.model_copy(update={"template": None}))

    @classmethod
    def learn(cls, examples: Examples, settings: TrainSettings) -> Self:
        """The types of entities and the relations that occur.

        Raises:
            UsageError: one pair of places has two relations in one example.
        """
        for row, target in zip(examples.ids, examples.targets, strict=True):
            _refuse_contradiction(row, must_read(target, Relations))
        types = learn_labels(_all_types(examples), len(examples), least=1)
        return cls(types, learn_labels(_all_relations(examples), len(examples), least=1), settings)

    @classmethod
    def restore(cls, state: Mapping[str, Any], settings: TrainSettings) -> Self:
        """The task with the types and relations of a saved model."""
        return cls(restore_labels(state, "types"), restore_labels(state, "relations"), settings)

    def state(self) -> dict[str, object]:
        """Types and relations in the order of their numbers."""
        return {"types": list(self.types), "relations": list(self.relations)}

    def unknown(self, examples: Examples, prepared: Prepared) -> dict[str, int]:
        """Types and relations that training did not have."""
        return unknown_labels(_all_types(examples), self.types) | unknown_labels(
            _all_relations(examples), self.relations
        )

    def segments(self, turns: Input) -> list[Segments]:
        """The whole input as one text."""
        return whole_text(turns)

    def head(self, width: int) -> nn.Module:
        """Scores of tags and of pairs."""
        return RelationHead(width, len(self.types), len(self.relations), self.settings)

    def truths(self, examples: Examples, prepared: Prepared) -> list[list[Truth]]:
        """Tags and pairs of each window."""
        types = {name: number for number, name in enumerate(self.types)}
        relations = {name: 1 + number for number, name in enumerate(self.relations)}
        found: list[list[Truth]] = []
        for turns, target, windows in zip(examples.inputs, examples.targets, prepared.windows, strict=True):
            text, truth = JoinedText.of(turns), must_read(target, Relations)
            spans = [
                (start, end, types[name]) for start, end, name in entities_of(text, truth) if name in types
            ]
            links = {
                (text.span(each.subject_place), text.span(each.object_place)): relations[each.relation]
                for each in truth.relations
                if each.subject_place and each.object_place and each.relation in relations
            }
            found.append([_truth(window, spans, links) for window in windows])
        return found

    def weight(self, truths: Sequence[list[Truth]]) -> float:
        """The number of words."""
        return sum(len(truth.tags) for example in truths for truth in example) or 1

    def loss(self, outputs: Read, truths: Sequence[list[Truth]]) -> torch.Tensor:
        """Mean cross-entropy of the tags plus that of the pairs, in nats."""
        rows = [truth for example in truths for truth in example]
        assert outputs.tags is not None
        inside = torch.arange(outputs.tags.shape[1]) < outputs.counts.unsqueeze(1)
        tags = torch.tensor([tag for truth in rows for tag in truth.tags], dtype=torch.int64)
        return cross_entropy(outputs.tags[inside], tags) + loss_of_pairs(outputs, rows)

    def answers(self, outputs: Read, inputs: Sequence[Input], prepared: Prepared) -> list[Answer]:
        """The entities and triples of each input; as sure as the least sure word or triple."""
        assert outputs.tags is not None
        sure, best = outputs.tags.softmax(dim=2).max(dim=2)
        rows: Iterator[tuple[list[int], list[float], torch.Tensor]] = zip(
            as_list(best), as_list(sure), outputs.states, strict=True
        )
        found: list[Answer] = []
        for turns, windows in zip(inputs, prepared.windows, strict=True):
            text = JoinedText.of(turns)
            read = [(window, *next(rows)) for window in windows]
            words = merge([(window, tags, certain) for window, tags, certain, _ in read])
            spans = entities(words, text.starts)
            triples: dict[tuple[int, int, int], float] = {}
            for window, _, _, states in read:
                triples |= self.links(outputs.head, window, states, spans)
            found.append(self.answer(text, spans, triples, words))
        return found

    def links(
        self, head: RelationHead, window: Window, states: torch.Tensor, spans: Sequence[tuple[int, int, int]]
    ) -> dict[tuple[int, int, int], float]:
        """(Number of the subject, of the object, of the relation) → how sure, for the pairs of a window."""
        places = [(number, _entity(window, span)) for number, span in enumerate(spans)]
        pairs = list(permutations([(number, each) for number, each in places if each], 2))
        if not pairs:
            return {}
        sure, best = (
            head.relations(states, [(one[1], other[1]) for one, other in pairs]).softmax(dim=1).max(dim=1)
        )
        return {
            (one[0], other[0], number - 1): score
            for (one, other), number, score in zip(pairs, as_list(best), as_list(sure), strict=True)
            if number != NONE
        }

    def answer(
        self, text: JoinedText, spans: Sequence[tuple[int, int, int]],
        triples: Mapping[tuple[int, int, int], float], words: Sequence[Tagged],
    ) -> Answer:  # fmt: skip
        """Entities and triples as the record spells them."""
        named = [
            Span(**text.place(start, end).model_dump(), label=self.types[number])
            for start, end, number in spans
        ]
        told = [text.text[start:end] for start, end, _ in spans]
        relations = [
            Triple(
                subject=told[one], relation=self.relations[number], object=told[other],
                subject_type=named[one].label, object_type=named[other].label,
                subject_place=text.place(*spans[one][:2]), object_place=text.place(*spans[other][:2]),
            )
            for one, other, number in sorted(triples)
        ]  # fmt: skip
        sure = min([*(word.sure for word in words), *triples.values()], default=1.0)
        return Answer(spelled(Relations(relations=relations, spans=named)), sure)


def loss_of_pairs(outputs: Read, rows: Sequence[Truth]) -> torch.Tensor:
    """Mean cross-entropy of the relations of all pairs, in nats; 0 where there is no pair."""
    scores = [
        outputs.head.relations(states, truth.pairs)
        for states, truth in zip(outputs.states, rows, strict=True)
        if truth.pairs
    ]
    if not scores:
        return outputs.states.sum() * 0
    wanted = torch.tensor([number for truth in rows for number in truth.relations])
    return cross_entropy(torch.cat(scores), wanted)


def entities_of(text: JoinedText, truth: Relations) -> list[tuple[int, int, str]]:
    """Start, end and type of each entity: those that the target names, and the ends of its triples."""
    found = {(text.span(span)): span.label for span in truth.spans or ()}
    for place, kind in ends_of(truth):
        found.setdefault(text.span(place), kind)
    return [(start, end, label) for (start, end), label in sorted(found.items())]


def _all_types(examples: Examples) -> list[str]:
    pairs = zip(examples.inputs, examples.targets, strict=True)
    return [
        kind
        for turns, target in pairs
        for *_, kind in entities_of(JoinedText.of(turns), must_read(target, Relations))
    ]


def _all_relations(examples: Examples) -> list[str]:
    return [each.relation for target in examples.targets for each in must_read(target, Relations).relations]


def _refuse_contradiction(row: str, truth: Relations) -> None:
    known: dict[Any, str] = {}
    for each in truth.relations:
        pair = (each.subject_place, each.object_place)
        if known.setdefault(pair, each.relation) != each.relation:
            raise UsageError(
                f"{each.subject!r} and {each.object!r} are told as {known[pair]!r} and {each.relation!r}",
                place=row, hint="A model tells one relation a pair: remove one, or join the two in one name.",
            )  # fmt: skip


def _entity(window: Window, span: tuple[int, int, int]) -> Entity | None:
    """An entity's words in a window; None where it is not in it whole."""
    start, end, kind = span
    covered = window.cover(start, end)
    return Entity(*covered, kind) if covered else None


def _truth(
    window: Window, spans: Sequence[tuple[int, int, int]],
    links: Mapping[tuple[tuple[int, int], tuple[int, int]], int],
) -> Truth:  # fmt: skip
    """Tags, pairs and relations of one window."""
    placed = [(span, entity) for span in spans if (entity := _entity(window, span))]
    pairs = list(permutations(placed, 2))
    return Truth(
        tags_of_window(window, spans),
        [(one[1], other[1]) for one, other in pairs],
        [links.get((one[0][:2], other[0][:2]), NONE) for one, other in pairs],
    )
