"""The answer that fits a question best, among those that the training rows hold or that the input brings."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self, cast

import numpy as np
import torch
from torch import nn

from zhiling.errors import UsageError
from zhiling.rows.target import spelled
from zhiling.training.answers.pairs_to_learn import Questions, in_pieces, mined
from zhiling.training.answers.ranking import (
    candidates,
    pool_of,
    question_text,
    ranked,
    right_answers,
    truth_of,
)
from zhiling.training.examples import Answer, Examples
from zhiling.training.heads.matching import Fits, MatchHead
from zhiling.training.inputs import Input
from zhiling.training.objectives import any_of
from zhiling.training.reading.features import FeaturePart, Prepared, Segments
from zhiling.training.reading.overlap import COLUMNS, OverlapFeatures
from zhiling.training.settings import TrainSettings
from zhiling.training.tasks.labels import restore_labels
from zhiling.training.tasks.task import Task

if TYPE_CHECKING:
    from zhiling.training.model import TaskModel

NOT_IN_THE_POOL = "an answer that no training row has"


class Wanted(NamedTuple):
    """Of a question: numbers of the answers that are right, and of those that are neither right nor wrong."""

    right: frozenset[int]
    closed: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Matching(Task):
    """Targets are `Answers`: the reply (or the option that a target names), or the ten best candidates.

    Learnt with the other answers of a batch as negatives and, for each question, the `hard_negatives` wrong
    answers that the features as they are hold for the best. An answer that is right for an equal question or
    for another row of the same group is no negative. Where inputs bring candidates (messages named `choice`),
    these are the negatives.

    Source: Henderson et al. 2017, Efficient Natural Language Response Suggestion for Smart Reply, section 4.
    """

    name: ClassVar[str] = "matching"
    truth_in_messages: ClassVar[bool] = True

    answers_known: tuple[str, ...]
    settings: TrainSettings

    @classmethod
    def target(cls, document: str) -> str | None:
        """The right answers, where the target itself tells them."""
        return truth_of(document, ())

    @classmethod
    def of_row(cls, document: str | None, turns: Input) -> str | None:
        """The option that the target names, the reply, or the answers of the target."""
        return truth_of(document, turns)

    @classmethod
    def learn(cls, examples: Examples, settings: TrainSettings) -> Self:
        """The distinct answers of the training rows: the pool. None where inputs bring their candidates.

        Raises:
            UsageError: fewer than two, or some inputs bring candidates and others do not.
        """
        given = sum(bool(candidates(turns)) for turns in examples.inputs)
        if 0 < given < len(examples):
            raise UsageError(
                f"{given} of {len(examples)} training examples bring candidates (messages named `choice`)",
                hint="Give candidates to all or to none: use `from` and `only`, or a recipe for each.",
            )
        if given:
            return cls((), settings)
        pool = pool_of(examples.targets)
        if len(pool) < 2:
            raise UsageError(
                f"the {len(examples)} training examples have {len(pool)} distinct answer(s); two are needed",
                hint="Check that each row has its reply: `fields: {text: …, reply: …}`.",
            )
        return cls(pool, settings)

    @classmethod
    def restore(cls, state: Mapping[str, Any], settings: TrainSettings) -> Self:
        """The task with the pool of a saved model."""
        return cls(restore_labels(state, "answers"), settings)

    def state(self) -> dict[str, object]:
        """The pool."""
        return {"answers": list(self.answers_known)}

    @property
    def pool(self) -> tuple[Segments, ...]:
        """The answers that a question without candidates is told from."""
        return tuple(map(Segments, self.answers_known))

    def unknown(self, examples: Examples, prepared: Prepared) -> dict[str, int]:
        """Examples without candidates whose answers are not in the pool."""
        known = set(self.answers_known)
        missed = sum(
            not known.intersection(right_answers(target))
            for turns, target in zip(examples.inputs, examples.targets, strict=True)
            if not candidates(turns)
        )
        return {NOT_IN_THE_POOL: missed} if missed else {}

    def segments(self, turns: Input) -> list[Segments]:
        """The question, and the candidates that the input brings.

        Raises:
            UsageError: it brings none, and the model has no pool.
        """
        if not self.answers_known and not candidates(turns):
            raise UsageError(
                "the model chooses among candidates that the input brings, and this one brings none",
                hint="Give them as `choices`, or as messages named `choice`.",
            )
        return [Segments(text) for text in (question_text(turns), *candidates(turns))]

    def sequences(self, examples: Examples) -> list[Segments]:
        """All questions and all answers."""
        return [*super().sequences(examples), *self.pool]

    def parts(self, sequences: Sequence[Segments] = ()) -> list[FeaturePart]:
        """The n-grams that two texts share, unless the encoder is to tell all."""
        return [] if self.settings.features == "encoder" else [OverlapFeatures(sequences)]

    def head(self, width: int) -> nn.Module:
        """A block each for the encoder, the learnt n-grams and the overlap, as far as they are there."""
        blocks = {"encoder": [width], "ngrams": [width - COLUMNS, COLUMNS]}.get(self.settings.features)
        if blocks is None:
            own = self.settings.ngram_width
            blocks = [width - own - COLUMNS, own, COLUMNS]
        mapped = max(1, len(blocks) - 1)
        return MatchHead(blocks, mapped, len(self.answers_known), self.settings)

    def material(self, model: TaskModel, examples: Examples) -> Prepared:
        """Questions with their answers and hard negatives; where inputs bring candidates, these."""
        if candidates(examples.inputs[0]):
            return super().material(model, examples)
        whole = model.features.prepare(
            [*(self.segments(turns) for turns in examples.inputs), *([each] for each in self.pool)]
        )
        count = len(examples)
        model.pool_inputs = whole.take(range(count, len(whole)))
        wanted = self._wanted(examples)
        hard = self._hard(model, whole.take(range(count)), wanted)
        own = [tuple(each.right) for each in wanted]
        drawn = tuple(one + others for one, others in zip(own, hard, strict=True))
        return Questions(whole.parts, whole.starts, drawn, tuple(range(len(self.answers_known))))

    def _hard(self, model: TaskModel, questions: Prepared, wanted: Sequence[Wanted]) -> list[tuple[int, ...]]:
        """The hard negatives of each question, by the features as they are."""
        model.settle()
        head = cast(MatchHead, model.head)

        def scores(start: int, end: int) -> np.ndarray:
            some = questions.take(range(start, end))
            vectors = in_pieces(lambda each: model.features(each).text, some)
            with torch.no_grad():
                return head.fit(head.mapped(vectors, head.question), head.pool).numpy()

        return mined(scores, [each.right | each.closed for each in wanted], self.settings.hard_negatives)

    def _wanted(self, examples: Examples) -> list[Wanted]:
        """Right and closed answers of each training question, as numbers in the pool."""
        numbers = {text: number for number, text in enumerate(self.answers_known)}
        right = [frozenset(numbers[text] for text in right_answers(each)) for each in examples.targets]
        shared: defaultdict[tuple[str, str], set[int]] = defaultdict(set)
        keys = [
            [("asked", question_text(turns)), *([("group", group)] if group else [])]
            for turns, group in zip(examples.inputs, examples.groups, strict=True)
        ]
        for row, own in enumerate(keys):
            for key in own:
                shared[key] |= right[row]
        return [
            Wanted(right[row], frozenset().union(*(shared[key] for key in own)) - right[row])
            for row, own in enumerate(keys)
        ]

    def truths(self, examples: Examples, prepared: Prepared) -> list[Wanted]:
        """Right and closed answers: numbers in the pool, or among the candidates that the input brings.

        Raises:
            UsageError: an input brings candidates, and none of them is right.
        """
        if isinstance(prepared, Questions):
            return self._wanted(examples)
        found: list[Wanted] = []
        for turns, target in zip(examples.inputs, examples.targets, strict=True):
            right = set(right_answers(target))
            found.append(Wanted(frozenset(n for n, text in enumerate(candidates(turns)) if text in right)))
        lost = sum(not each.right for each in found)
        if lost:
            raise UsageError(
                f"{lost} of {len(found)} training examples have no right answer among their candidates",
                hint="Leave them out, or add the answer to the messages named `choice`.",
            )
        return found

    def loss(self, outputs: Fits, truths: Sequence[Wanted]) -> torch.Tensor:
        """The mean of −ln p of the right answers among all that are not closed, in nats."""
        columns = outputs.answers or range(outputs.scores.shape[1])
        right, closed = (
            torch.tensor([[number in wanted for number in columns] for wanted in kind])
            for kind in zip(*truths, strict=True)
        )
        return any_of(outputs.scores.masked_fill(closed, float("-inf")), right)

    def answers(self, outputs: Fits, inputs: Sequence[Input], prepared: Prepared) -> list[Answer]:
        """The best candidates, each with its share of the softmax over all."""
        found: list[Answer] = []
        for turns, row in zip(inputs, outputs.scores.softmax(dim=1).numpy(), strict=True):
            texts = candidates(turns) or self.answers_known
            best = ranked(texts, row[: len(texts)])
            found.append(Answer(spelled(best), best.answers[0].score or 0.0))
        return found
