"""Entities and facts without tuning: what demonstrations mention, found again in the input.

    ner        words that a demonstration marks, wherever the input holds them; the nearer one gives the type
    relation   between two entities, what demonstrations say of their types, each weighed by its nearness

Zero-shot there is nothing to find: no entity and no fact.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import permutations

import numpy as np

from zhiling.rows.target import Entities, Relations, Span, Triple, spelled
from zhiling.training.examples import Answer
from zhiling.training.inputs import GIVEN, Input, shown_text
from zhiling.training.joined_text import JoinedText, ends_of
from zhiling.training.prompting.demonstrations import Vectors
from zhiling.training.prompting.way import Encode, Known

TEMPERATURE = 0.05
NONE = ""
"""No relation."""
_JOINED = re.compile(r"[A-Za-z0-9À-ɏЀ-ӿ]")
"""Letters of scripts that part words by spaces: a mention does not begin or end within such a word."""

Kinds = tuple[str, str]
"""Types of subject and object."""


@dataclass(frozen=True)
class Shown:
    """What a demonstration shows: its mentions with their types, and relations by types."""

    mentions: Mapping[str, str]
    relations: Sequence[tuple[Kinds, str]]


@dataclass(frozen=True)
class Mentions:
    """Answers from the mentions of demonstrations."""

    known: Known
    encode: Encode

    def answers(self, inputs: Sequence[Input]) -> list[Answer]:
        """One answer per input; as sure as the least weight that decided."""
        pool = self.known.demonstrations
        if not len(pool.pool):
            return [self._answer(turns, (), ()) for turns in inputs]
        cosines = self.encode(list(map(shown_text, inputs))) @ self._pool.T
        chosen = pool.chosen(inputs, cosines if pool.by_nearness else None)
        found: list[Answer] = []
        for turns, rows, near in zip(inputs, chosen, cosines, strict=True):
            order = sorted(rows, key=lambda row: -near[row])
            weights = np.exp(near[order].astype(np.float64) / TEMPERATURE)
            found.append(self._answer(turns, [self._shown[row] for row in order], weights.tolist()))
        return found

    @cached_property
    def _pool(self) -> Vectors:
        return self.encode(self.known.demonstrations.pool.texts)

    @cached_property
    def _shown(self) -> list[Shown]:
        pool = self.known.demonstrations.pool
        return [_shown(*each) for each in zip(pool.inputs, pool.targets, strict=True)]

    def _answer(self, turns: Input, shown: Sequence[Shown], weights: Sequence[float]) -> Answer:
        text = JoinedText.of(turns)
        given = next((turn.text for turn in turns if turn.role == GIVEN), None)
        if given is not None:
            spans = Entities.model_validate_json(given).spans
        else:
            spans = [
                Span(**text.place(start, end).model_dump(), label=kind)
                for start, end, kind in sorted(_found(text.text, _types(shown)))
            ]
        if self.known.task == "ner":
            return Answer(spelled(Entities(spans=spans)), 1.0)
        triples, sure = _triples(text, spans, shown, weights)
        return Answer(spelled(Relations(relations=triples, spans=spans)), sure)


def _shown(turns: Input, target: str) -> Shown:
    text = JoinedText.of(turns)
    if '"relations"' not in target:
        spans = Entities.model_validate_json(target).spans
        return Shown({_words(text, span): span.label for span in spans}, ())
    truth = Relations.model_validate_json(target)
    kinds = {text.span(span): span.label for span in truth.spans or ()}
    for place, kind in ends_of(truth):
        kinds.setdefault(text.span(place), kind)
    links = {
        (text.span(each.subject_place), text.span(each.object_place)): each.relation
        for each in truth.relations
        if each.subject_place and each.object_place
    }
    pairs = [
        ((kinds[one], kinds[other]), links.get((one, other), NONE)) for one, other in permutations(kinds, 2)
    ]
    return Shown({text.text[start:end]: kind for (start, end), kind in kinds.items()}, pairs)


def _words(text: JoinedText, span: Span) -> str:
    start, end = text.span(span)
    return text.text[start:end]


def _types(shown: Sequence[Shown]) -> dict[str, str]:
    """Mention → type, of the nearest demonstration that has it."""
    return {words: kind for each in reversed(shown) for words, kind in each.mentions.items() if words.strip()}


def _found(text: str, types: Mapping[str, str]) -> Iterator[tuple[int, int, str]]:
    """Where mentions stand; longer ones first, and none over another."""
    taken = np.zeros(len(text), dtype=np.bool_)
    for words in sorted(types, key=lambda words: (-len(words), words)):
        for match in re.finditer(re.escape(words), text, re.IGNORECASE):
            start, end = match.span()
            if not taken[start:end].any() and _whole(text, start, end):
                taken[start:end] = True
                yield start, end, types[words]


def _whole(text: str, start: int, end: int) -> bool:
    """Whether a piece neither begins nor ends within a word."""
    return all(
        not (0 < edge < len(text) and _JOINED.match(text[edge - 1]) and _JOINED.match(text[edge]))
        for edge in (start, end)
    )


def _triples(
    text: JoinedText, spans: Sequence[Span], shown: Sequence[Shown], weights: Sequence[float]
) -> tuple[list[Triple], float]:
    """The relation with the most weight for each pair, where it is not none; and the least share of those."""
    votes: dict[Kinds, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for each, weight in zip(shown, weights, strict=True):
        for kinds, relation in each.relations:
            votes[kinds][relation] += weight
    found: list[Triple] = []
    sure = 1.0
    for one, other in permutations(spans, 2):
        own = votes.get((one.label, other.label))
        if not own:
            continue
        relation = max(sorted(own), key=own.__getitem__)
        if relation != NONE:
            found.append(_triple(text, one, relation, other))
            sure = min(sure, own[relation] / sum(own.values()))
    return found, sure


def _triple(text: JoinedText, one: Span, relation: str, other: Span) -> Triple:
    return Triple(
        subject=_words(text, one), relation=relation, object=_words(text, other),
        subject_type=one.label, object_type=other.label,
        subject_place=text.place(*text.span(one)), object_place=text.place(*text.span(other)),
    )  # fmt: skip
