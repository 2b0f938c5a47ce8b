"""What a language model says without tuning: likely candidates, or a reply that is read strictly.

    classification, ordinal        the label whose name is the likeliest reply
    multi_label                    each label whose name is likelier than the reply for none
    choice                         the likeliest option
    regression                     the mean of the training targets, each weighed by its likelihood
    ner, relation, extractive_qa   what the model writes, read by the wording

A reply that cannot be read tells nothing, and is counted. A prompt that is too long loses its
demonstrations, the least near first; then the longest message of the input is cut at its end. Both are
counted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from pydantic import BaseModel

from zhiling.errors import UsageError
from zhiling.rows import target as targets
from zhiling.rows.templates.spelling import Unparsed
from zhiling.training.examples import Answer
from zhiling.training.inputs import Input, is_asked, options_of, shown_text
from zhiling.training.prompting.calibration import CONTENT_FREE, Probabilities, calibrated, probabilities
from zhiling.training.prompting.demonstrations import Vectors
from zhiling.training.prompting.language_model import LanguageModel
from zhiling.training.prompting.prompts import Asked, Prompts
from zhiling.training.prompting.way import Encode, Known

DROPPED = "demonstrations left out, for they did not fit into the model's context"
SHORTENED = "inputs cut at the end, for they did not fit into the model's context"
UNREAD = "replies that could not be read, and so tell nothing"
YES = 0.5
MOST_NUMBERS = 11
"""Candidates of a number: all training targets, or as many of their quantiles."""
_WRITTEN = ("ner", "relation", "extractive_qa")


@dataclass(frozen=True)
class Asking:
    """Answers by a language model; `encode` is there where demonstrations are chosen by nearness."""

    known: Known
    model: LanguageModel
    encode: Encode | None = None

    @cached_property
    def prompts(self) -> Prompts:
        """How it is asked."""
        return Prompts(self.known)

    def answers(self, inputs: Sequence[Input]) -> list[Answer]:
        """One answer per input."""
        shots = self._shots(inputs)
        tell: Callable[[Input, Sequence[int]], Answer] = {
            "choice": self._option, "regression": self._number, "multi_label": self._labels,
            **dict.fromkeys(_WRITTEN, self._written),
        }.get(self.known.task, self._label)  # fmt: skip
        return [tell(turns, rows) for turns, rows in zip(inputs, shots, strict=True)]

    def _shots(self, inputs: Sequence[Input]) -> list[list[int]]:
        chooser = self.known.demonstrations
        cosines = None
        if chooser.by_nearness:
            assert self.encode is not None
            cosines = self.encode(list(map(shown_text, inputs))) @ self._pool.T
        return chooser.chosen(inputs, cosines)

    @cached_property
    def _pool(self) -> Vectors:
        assert self.encode is not None
        return self.encode(self.known.demonstrations.pool.texts)

    def _label(self, turns: Input, shots: Sequence[int]) -> Answer:
        labels = self.known.classes
        truths = [targets.Labels(labels=[label]) for label in labels]
        shares = self._shares(turns, shots, truths)
        best = int(shares.argmax())
        return Answer(labels[best], float(shares[best]), shares.astype(np.float32))

    def _labels(self, turns: Input, shots: Sequence[int]) -> Answer:
        """Each label against none, as if it were the only one."""
        labels = self.known.classes
        truths = [targets.Labels(labels=[each] if each else [], multi=True) for each in (*labels, "")]
        logs, free = self._logs(turns, shots, truths)
        found = _against_last(logs)
        if free is not None:
            free = np.mean([_against_last(each) for each in free], axis=0)
            found = calibrated(found, free)
        yes = found[:, 0]
        chosen = [label for label, share in zip(labels, yes, strict=True) if share >= YES]
        sure = float(np.maximum(yes, 1 - yes).min())
        return Answer(targets.spelled(targets.Labels(labels=chosen)), sure, yes.astype(np.float32))

    def _option(self, turns: Input, shots: Sequence[int]) -> Answer:
        options = options_of(turns)
        truths = [targets.Choice(choice=number) for number in range(len(options))]
        shares = self._shares(turns, shots, truths)
        best = int(shares.argmax())
        return Answer(targets.spelled(targets.Choice(choice=best)), float(shares[best]))

    def _number(self, turns: Input, shots: Sequence[int]) -> Answer:
        """The expected number.

        Source: Liu et al. 2023, G-Eval, section 2 (scores weighed by the probability of their tokens).
        """
        values = self._candidates
        shares = self._shares(turns, shots, [targets.Score(score=value) for value in values])
        return Answer(repr(round(float(shares @ np.array(values)), 6)), 1.0)

    @cached_property
    def _candidates(self) -> list[float]:
        distinct = sorted(set(self.known.numbers))
        if not distinct:
            raise UsageError(
                "no number is known that a reply could be", hint="The train part must hold rows with a score."
            )
        if len(distinct) <= MOST_NUMBERS:
            return distinct
        steps = np.linspace(0, 1, MOST_NUMBERS)
        quantiles = np.quantile(self.known.numbers, steps, method="nearest")
        return sorted({float(value) for value in quantiles})

    def _shares(self, turns: Input, shots: Sequence[int], truths: Sequence[BaseModel]) -> Probabilities:
        """P of each candidate, calibrated where that is asked for: they sum to 1."""
        logs, free = self._logs(turns, shots, truths)
        found = probabilities(logs)
        return found if free is None else calibrated(found, np.mean(list(map(probabilities, free)), axis=0))

    def _logs(
        self, turns: Input, shots: Sequence[int], truths: Sequence[BaseModel]
    ) -> tuple[Probabilities, list[Probabilities] | None]:
        """Gives ln P of each candidate's reply; and of the same replies to inputs without content."""
        asked, shown, replies = self._fitting(turns, shots, truths)
        logs = self.model.scores(asked.turns, replies)
        if not self.known.settings.calibrate:
            return logs, None
        free: list[Probabilities] = []
        for text in CONTENT_FREE[asked.wording.language]:
            again = self.prompts.asked(_emptied(shown, text), asked.shots)
            free.append(self._remembered(again, replies))
        return logs, free

    def _remembered(self, asked: Asked, replies: Sequence[str]) -> Probabilities:
        """What is said of no content: once for the same demonstrations and candidates."""
        key = (tuple(map(tuple, asked.turns)), tuple(replies))
        found = self._free.get(key)
        if found is None:
            if len(self._free) >= 4096:
                self._free.clear()
            found = self._free[key] = self.model.scores(asked.turns, replies)
        return found

    @cached_property
    def _free(self) -> dict[object, Probabilities]:
        return {}

    def _fitting(
        self, turns: Input, shots: Sequence[int], truths: Sequence[BaseModel]
    ) -> tuple[Asked, Input, list[str]]:
        """A prompt that fits into the context with its longest reply, the input as shown, and the replies.

        Raises:
            UsageError: not even the instruction alone fits.
        """
        rows, shown = list(shots), turns
        while True:
            asked = self.prompts.asked(shown, rows)
            replies = [self.prompts.reply(asked, shown, truth) for truth in truths]
            room = replies or [" " * 8]
            over = self.model.tokens_over(asked.turns, room)
            if over <= 0:
                return asked, shown, replies
            if rows:
                self.known.notes[DROPPED] += 1
                del rows[0]
                continue
            if shown is turns:
                self.known.notes[SHORTENED] += 1
            shown = _cut(shown, over)

    def _written(self, turns: Input, shots: Sequence[int]) -> Answer:
        asked, shown, _ = self._fitting(turns, shots, ())
        reply = self.model.written(asked.turns, self.known.settings.max_new_tokens)
        found = self.prompts.read(asked, shown, reply)
        if isinstance(found, Unparsed):
            self.known.notes[UNREAD] += 1
            return Answer(_NOTHING[self.known.task], 0.0)
        sure = float(np.exp(self.model.scores(asked.turns, [reply])[0])) if reply else 0.0
        return Answer(targets.spelled(found), min(1.0, sure))


_NOTHING = {
    "ner": targets.spelled(targets.Entities(spans=[])),
    "relation": targets.spelled(targets.Relations(relations=[])),
    "extractive_qa": targets.spelled(targets.Answers(answers=[])),
}


def _against_last(logs: Probabilities) -> Probabilities:
    """Each candidate against the last one: shape (candidates - 1, 2)."""
    return probabilities(np.stack([logs[:-1], np.full(len(logs) - 1, logs[-1])], axis=1))


def _emptied(turns: Input, text: str) -> Input:
    """The input with this text in place of its own; options stay."""
    return tuple(turn._replace(text=text) if is_asked(turn) else turn for turn in turns)


def _cut(turns: Input, over: int) -> Input:
    """The input without the end of its longest message: at least as many characters as tokens are too many.

    Raises:
        UsageError: there is nothing left to cut.
    """
    lengths = [len(turn.text) if is_asked(turn) else 0 for turn in turns]
    place = int(np.argmax(lengths))
    if not lengths[place]:
        raise UsageError(
            f"the prompt without demonstrations and text is {over} tokens too long for the model",
            hint="Choose a wording that does not list all labels (prompting.wording), or a longer context.",
        )
    kept = turns[place]._replace(text=turns[place].text[: max(0, lengths[place] - over)])
    return (*turns[:place], kept, *turns[place + 1 :])
