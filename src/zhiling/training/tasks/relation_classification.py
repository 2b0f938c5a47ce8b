"""Which relation holds between entities that are given: relation extraction alone, without finding them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from torch import Tensor, nn

from zhiling.errors import UsageError
from zhiling.rows.target import Entities, Relations, Span, spelled
from zhiling.rows.templates.example import Turn
from zhiling.training.examples import Answer, Examples
from zhiling.training.inputs import GIVEN, Input
from zhiling.training.joined_text import JoinedText, ends_of
from zhiling.training.reading.features import Prepared
from zhiling.training.tasks.labels import unknown_labels
from zhiling.training.tasks.relation import Read, Relation, RelationHead, Truth, loss_of_pairs
from zhiling.training.tasks.targets import read_target


class RelationClassification(Relation):
    """As `Relation`, with the entities of each input in a turn of role `given`, as `Entities`.

    Source: Zhong and Chen 2021, A Frustratingly Easy Approach for Entity and Relation Extraction, 3.2.
    """

    name: ClassVar[str] = "relation_classification"

    @classmethod
    def given(cls, document: str) -> Turn | None:
        """The entities of a row's target, as an input has them."""
        found = read_target(document, Relations)
        return None if found is None else given_entities(found)

    def unknown(self, examples: Examples, prepared: Prepared) -> dict[str, int]:
        """Relations and types of given entities that training did not have."""
        types = [span.label for turns in examples.inputs for span in entities_in(turns)]
        return super().unknown(examples, prepared) | unknown_labels(types, self.types)

    def head(self, width: int) -> nn.Module:
        """Scores of pairs."""
        return RelationHead(width, len(self.types), len(self.relations), self.settings, tags=False)

    def weight(self, truths: Sequence[list[Truth]]) -> float:
        """The number of pairs."""
        return sum(len(truth.pairs) for example in truths for truth in example) or 1

    def loss(self, outputs: Read, truths: Sequence[list[Truth]]) -> Tensor:
        """Mean cross-entropy of the pairs, in nats."""
        return loss_of_pairs(outputs, [truth for example in truths for truth in example])

    def answers(self, outputs: Read, inputs: Sequence[Input], prepared: Prepared) -> list[Answer]:
        """The triples of each input, as sure as the least sure one; a type unseen in training has none."""
        numbers = {name: number for number, name in enumerate(self.types)}
        rows = iter(outputs.states)
        found: list[Answer] = []
        for turns, windows in zip(inputs, prepared.windows, strict=True):
            text = JoinedText.of(turns)
            known = (span for span in entities_in(turns) if span.label in numbers)
            spans = sorted((*text.span(span), numbers[span.label]) for span in known)
            triples: dict[tuple[int, int, int], float] = {}
            for window in windows:
                triples |= self.links(outputs.head, window, next(rows), spans)
            found.append(self.answer(text, spans, triples, ()))
        return found


def given_entities(truth: Relations) -> Turn:
    """The entities that a target names, and the ends of its triples, as a turn."""
    spans = list(truth.spans or ())
    places = {(span.message, span.start, span.end) for span in spans}
    for place, kind in ends_of(truth):
        if (key := (place.message, place.start, place.end)) not in places:
            places.add(key)
            spans.append(Span(**place.model_dump(), label=kind))
    return Turn(GIVEN, spelled(Entities(spans=spans)))


def entities_in(turns: Input) -> list[Span]:
    """The entities that an input gives.

    Raises:
        UsageError: it gives none at all, not even an empty list, or no such list.
    """
    told = next((turn.text for turn in turns if turn.role == GIVEN), None)
    found = None if told is None else read_target(told, Entities)
    if found is None:
        raise UsageError(
            f"the model relates entities that are given, and an input gives {told!r:.80}",
            hint='Give `entities` beside the text: [{"start": 0, "end": 3, "label": "person"}, …], or use '
            "task: relation, which finds them.",
        )
    return found.spans
