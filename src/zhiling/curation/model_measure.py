"""What every step that asks a local model has in common: where it lies, how much it reads at once."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import polars as pl
from pydantic import Field

from zhiling.llm.causal import BATCH_TOKENS, CausalLM
from zhiling.llm.conversation import asked, prompt_text
from zhiling.llm.device import Device, Dtype
from zhiling.llm.location import content_hash, model_folder
from zhiling.pipeline.step import Context, Measure
from zhiling.rows.conversation import reply_text

ROWS_AT_ONCE = 1_000
"""Rows whose tokens are in memory at a time."""
SAME_WHATEVER_BATCH = "Values may differ by about 1e-6 with the rows that share a batch."

TOO_LONG = "too_long"
TOO_FEW_TOKENS = "too_few_tokens"
NOT_FINITE = "not_finite"
UNSUPPORTED_TURNS = "unsupported_turns"

Exchange = tuple[list[int], list[int]]
"""Token ids of what stands before a reply, and of the reply."""


class ModelMeasure(Measure):
    """Measures rows with a model that lies in a local folder; nothing is fetched.

    A row that cannot be measured fails: `too_long` for the model, `too_few_tokens` to have a value,
    `unsupported_turns` (the model's chat template takes no such conversation), `not_finite`.
    """

    quality: ClassVar[Literal["", "question", "reply"]] = "reply"
    NOT_IDENTITY: ClassVar[Mapping[str, str]] = {
        "model": "the content of its files counts, wherever they lie",
        "batch_tokens": "it changes the speed, not the values",
    }

    model: str = Field(
        min_length=1,
        description="Folder of the model, starting at the recipe's; or package:NAME/folder.",
    )
    max_tokens: int | None = Field(
        None, ge=2, description="Longest input in tokens; unset: what the model was made for, at most 2,048."
    )
    batch_tokens: int = Field(BATCH_TOKENS, ge=1, description="Tokens per batch, padding included.")
    device: Device = Field("cpu", description="Where the model runs.")
    dtype: Dtype = Field("float32", description="Numbers that the model computes with.")

    def folder(self, root: Path) -> Path:
        """Where the model lies."""
        return model_folder(self.model, root)

    def outside(self, root: Path, run: str) -> str:
        """A hash of the model's files."""
        return content_hash(self.folder(root))

    def applies(self, rows: pl.DataFrame) -> pl.Series:
        """Rows with a reply that says something."""
        return reply_text(rows["messages"]).str.strip_chars() != ""

    def measure(self, rows: pl.DataFrame, context: Context) -> pl.DataFrame:
        """The columns of `writes()`, and `failure`."""
        return pl.concat([self.measure_part(part, context) for part in rows.iter_slices(ROWS_AT_ONCE)])

    @abstractmethod
    def measure_part(self, rows: pl.DataFrame, context: Context) -> pl.DataFrame:
        """The answer for some rows."""


def exchanges(model: CausalLM, messages: pl.Series) -> list[Exchange | None]:
    """Tokens before each row's last reply, and of the reply; None where the template takes no such turns.

    A reply that nothing stands before has no prompt, not even the template's marks.
    """
    talks = [asked(each) for each in messages.to_list()]
    texts = [prompt_text(model.tokenizer, talk.before) if talk.before else "" for talk in talks]
    prompts = model.tokenise([text or "" for text in texts])
    replies = model.tokenise([talk.reply for talk in talks])
    return [
        None if text is None else ([*model.opening, *prompt] if prompt else [], reply)
        for text, prompt, reply in zip(texts, prompts, replies, strict=True)
    ]


def answer(columns: Mapping[str, Any], failures: Sequence[str | None]) -> pl.DataFrame:
    """The columns, and the class of each row that failed; a `score` that is no finite number fails too."""
    score = np.asarray(columns["score"], dtype=np.float64)
    told = [
        failure or (None if finite else NOT_FINITE)
        for failure, finite in zip(failures, np.isfinite(score).tolist(), strict=True)
    ]
    return pl.DataFrame({**columns, "failure": pl.Series(told, dtype=pl.String)})
