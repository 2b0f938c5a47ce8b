"""What an encoder chooses without tuning among pieces of the input itself; it needs no torch.

choice          the option that is nearest to the question
extractive_qa   the sentence of the passage that is nearest to the question
matching        the candidates in the order of their cosines to the question
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from zhiling.errors import UsageError
from zhiling.rows import target as targets
from zhiling.training.answers.ranking import candidates, question_text, ranked
from zhiling.training.examples import Answer
from zhiling.training.inputs import Input, asked_text, options_of, passage_of
from zhiling.training.prompting.calibration import CONTENT_FREE, calibrated, probabilities
from zhiling.training.prompting.demonstrations import Vectors
from zhiling.training.prompting.language import language_of
from zhiling.training.prompting.nearness import TEMPERATURE
from zhiling.training.prompting.way import Encode, Known

_SENTENCE = re.compile(r"[^.!?。！？\n]+[.!?。！？]*")


@dataclass(frozen=True)
class Pieces:
    """Answers by an encoder that stand in the input, or among the answers of the training rows."""

    known: Known
    encode: Encode

    def answers(self, inputs: Sequence[Input]) -> list[Answer]:
        """One answer per input."""
        if self.known.task == "choice":
            return self._options(inputs)
        return self._sentences(inputs) if self.known.task == "extractive_qa" else self._ranked(inputs)

    def _options(self, inputs: Sequence[Input]) -> list[Answer]:
        options = [options_of(turns) for turns in inputs]
        found = self._best(inputs, list(map(asked_text, inputs)), options)
        return [Answer(targets.spelled(targets.Choice(choice=number)), sure) for number, sure in found]

    def _sentences(self, inputs: Sequence[Input]) -> list[Answer]:
        asked = ["\n".join(turn.text for turn in turns if turn.role == "user") for turns in inputs]
        passages = [_passage(turns) for turns in inputs]
        spans = [[found.span() for found in _SENTENCE.finditer(text)] or [(0, 0)] for _, text in passages]
        pieces = [[text[a:b] for a, b in each] for (_, text), each in zip(passages, spans, strict=True)]
        found: list[Answer] = []
        best = self._best(inputs, asked, pieces)
        for (message, text), places, (number, sure) in zip(passages, spans, best, strict=True):
            start, end = places[number]
            place = targets.Place(message=message, start=start, end=end)
            answer = targets.Answer(text=text[start:end], place=place)
            found.append(Answer(targets.spelled(targets.Answers(answers=[answer])), sure))
        return found

    def _ranked(self, inputs: Sequence[Input]) -> list[Answer]:
        asked = self.encode(list(map(question_text, inputs)))
        found: list[Answer] = []
        for turns, vector in zip(inputs, asked, strict=True):
            own = candidates(turns)
            cosines = (self.encode(own) if own else self._answers) @ vector
            told = ranked(own or self.known.answers, cosines)
            sure = float(probabilities(cosines / TEMPERATURE).max(initial=0))
            found.append(Answer(targets.spelled(told), sure))
        return found

    @cached_property
    def _answers(self) -> Vectors:
        return self.encode(self.known.answers)

    @cached_property
    def _free(self) -> dict[str, Vectors]:
        """The texts without content of each language."""
        return {language: self.encode(texts) for language, texts in CONTENT_FREE.items()}

    def _best(
        self, inputs: Sequence[Input], asked: Sequence[str], pieces: Sequence[Sequence[str]]
    ) -> list[tuple[int, float]]:
        """For each question the number, among its own pieces, of the nearest one, and its share."""
        vectors = self.encode([each for some in pieces for each in some])
        starts = np.cumsum([0, *map(len, pieces)])
        found: list[tuple[int, float]] = []
        for place, vector in enumerate(self.encode(asked)):
            own = vectors[starts[place] : starts[place + 1]]
            shares = probabilities(own @ vector / TEMPERATURE)
            if self.known.settings.calibrate:
                free = self._free[language_of(inputs[place])]
                shares = calibrated(shares, probabilities(free @ own.T / TEMPERATURE).mean(axis=0))
            number = int(shares.argmax())
            found.append((number, float(shares[number])))
        return found


def _passage(turns: Input) -> tuple[int, str]:
    """Number and text of the passage.

    Raises:
        UsageError: there is none.
    """
    number = passage_of(turns)
    if number is None:
        raise UsageError(
            f"an example has messages {[(turn.role, turn.name) for turn in turns]!r}",
            hint="A passage (role document) and a message named `question` are needed.",
        )
    return number, turns[number].text
