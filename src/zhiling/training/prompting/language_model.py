"""What prompts need of a language model, and a local one that gives it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from zhiling.errors import UsageError
from zhiling.llm.causal import CausalLM, load_causal_lm
from zhiling.llm.continuations import log_probabilities_after, written_after
from zhiling.llm.conversation import PLAIN_BREAK, Turn, has_template, prompt_text, whole_text
from zhiling.llm.conversation import Asked as Conversation
from zhiling.llm.location import model_folder
from zhiling.training.prompting.settings import PromptSettings

Turns = Sequence[tuple[str, str]]
"""(role, text) of what stands before a reply."""


class LanguageModel(Protocol):
    """A model that is asked in turns. One behind an endpoint will do where that tells log-probabilities."""

    def tokens_over(self, turns: Turns, replies: Sequence[str]) -> int:
        """By how many tokens a prompt with its longest reply is too long; 0 or less: it fits."""
        ...

    def scores(self, turns: Turns, replies: Sequence[str]) -> NDArray[np.float64]:
        """Gives ln P(reply and its end | turns) of each reply, in nats, float64, shape (replies,)."""
        ...

    def written(self, turns: Turns, max_tokens: int) -> str:
        """The likeliest reply, token by token."""
        ...


@dataclass(frozen=True)
class LocalModel:
    """A causal language model on disk, asked by its chat template, or plainly where it has none."""

    model: CausalLM
    context: int
    """Most tokens of a prompt with its reply."""

    def tokens_over(self, turns: Turns, replies: Sequence[str]) -> int:
        """By how many tokens a prompt with its longest reply is too long."""
        longest = max((len(ids) for ids in self._replies(turns, replies)), default=0)
        return len(self._prompt(turns)) + longest - self.context

    def scores(self, turns: Turns, replies: Sequence[str]) -> NDArray[np.float64]:
        """The log-likelihood of each reply with its end."""
        return log_probabilities_after(self.model, self._prompt(turns), self._replies(turns, replies))

    def written(self, turns: Turns, max_tokens: int) -> str:
        """The likeliest reply, token by token, without its end."""
        prompt = self._prompt(turns)
        most = min(max_tokens, self.context - len(prompt))
        return written_after(self.model, prompt, most, ending=self._ending(turns))

    def _prompt(self, turns: Turns) -> list[int]:
        text = prompt_text(self.model.tokenizer, [Turn(*turn) for turn in turns])
        if text is None:
            raise UsageError(
                f"the model's chat template takes no conversation of {[role for role, _ in turns]!r:.120}",
                place=str(self.model.folder),
                hint="Choose a wording without a system message (prompting.wording).",
            )  # fmt: skip
        return [*self.model.opening, *self.model.tokenise([text])[0]]

    def _replies(self, turns: Turns, replies: Sequence[str]) -> list[list[int]]:
        """Tokens of the replies, each with what ends it: a label that begins like another is told apart."""
        ending = self._ending(turns)
        return self.model.tokenise([reply + ending for reply in replies])

    def _ending(self, turns: Turns) -> str:
        """What follows a reply: as the chat template writes it, else the break between plain turns."""
        if not has_template(self.model.tokenizer):
            return PLAIN_BREAK
        before = tuple(Turn(*turn) for turn in turns)
        mark = "#"
        whole = whole_text(self.model.tokenizer, Conversation(before, mark)) or ""
        return whole.rpartition(mark)[2] or self.model.tokenizer.eos_token or PLAIN_BREAK


def local_model(settings: PromptSettings) -> LocalModel:
    """The model that the settings name.

    Raises:
        MissingInput: it is not there.
        DamagedFile: a file of it cannot be read.
        UsageError: it writes no text.
    """
    assert settings.model is not None
    model = load_causal_lm(model_folder(settings.model), settings.device, settings.dtype)
    return LocalModel(model, model.width(settings.max_tokens))
