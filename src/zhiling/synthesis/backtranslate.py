"""Instructions to good texts: the text is the answer, a teacher writes what was asked."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field

from zhiling.llm.asking import Said, accepts, in_language, said
from zhiling.llm.reply import Reply
from zhiling.llm.verdict import Accept, Complaint
from zhiling.llm.wire import Request
from zhiling.synthesis.known_texts import longest_shared_run
from zhiling.synthesis.teacher import Draft, FromPassages, Written

_MENTIONS = Path(__file__).parent / "mentions.toml"


class Instruction(Said):
    """What somebody asked for when the text was written."""

    instruction: str


class Backtranslate(FromPassages):
    """Writes, for a text that is good as it is, the instruction to which it is the answer.

    The reply is the passage, character by character: no teacher writes it. The instruction may not give the
    answer away. Languages: that of the prompt, in which the instruction is written; none given: the text's.

    Failed attempts, beside those of every call: `copies_text` (more than `copied` tokens in a row as in the
    text; of Chinese twice as many characters), `mentions_text` (the instruction is about "the text above",
    which nobody who is asked can see), `wrong_language`, `too_long` (longer than half the text),
    `empty_field`, `repeated`.

    Prompts: backtranslate.
    """

    name = "backtranslate"
    about = ("dialogue",)
    cost: ClassVar[str] = "one call a passage for up to `samples_per_call` rows"
    limits: ClassVar[str] = (
        "A text that is no answer (a table of contents, a fragment) gets an instruction all the same: choose "
        "texts first, and put a `judge` behind. Names and titles of many words count as copies."
    )
    source: ClassVar[str] = "Li et al. 2024, Self-Alignment with Instruction Backtranslation"
    prompts = {"backtranslate": ("text",)}

    copied: int = Field(
        8, ge=2, description="words in a row that may stand in both; of Chinese twice as many"
    )

    def asked(self, passage: str, language: str, draw: float, root: Path) -> tuple[Request, Accept, Any]:
        """The instruction to which the passage is the answer."""
        request = self.request("backtranslate", language, root, {"text": passage}, Instruction)
        return request, accepts(Instruction, self._check(passage, language)), passage

    def _check(self, text: str, language: str) -> Callable[[Instruction], Complaint | None]:
        most = self.copied * (2 if language.startswith("zh") else 1)

        def check(told: Instruction) -> Complaint | None:
            asked = told.instruction
            if not asked:
                return Complaint("empty_field", "instruction is empty")
            if not in_language(asked, language):
                return Complaint("wrong_language", f"instruction: {asked[:80]!r}")
            if 2 * len(asked) > len(text):
                return Complaint("too_long", f"{len(asked)} characters ask for a text of {len(text)}")
            if any(words in asked.casefold() for words in _mentions()):
                return Complaint("mentions_text", f"nobody who is asked sees the text: {asked[:80]!r}")
            if (shared := longest_shared_run(asked, text)) > most:
                return Complaint("copies_text", f"{shared} tokens in a row stand in the text")
            return None

        return check

    def written(self, draft: Draft, reply: Reply) -> Written:
        """The instruction, and the text as its reply."""
        asked = said(Instruction, reply).instruction
        return Written([("user", asked, None), ("assistant", draft.about, None)], "dialogue")


@cache
def _mentions() -> tuple[str, ...]:
    """How an instruction speaks of a text that it is not shown."""
    return tuple(words for each in tomllib.loads(_MENTIONS.read_text("utf-8")).values() for words in each)
