"""Reward: how much a reward model likes a reply."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import polars as pl

from zhiling.curation.model_measure import (
    SAME_WHATEVER_BATCH,
    TOO_LONG,
    UNSUPPORTED_TURNS,
    ModelMeasure,
    answer,
)
from zhiling.llm.conversation import asked
from zhiling.llm.reward import Encoded, load_reward_model
from zhiling.pipeline.step import Context


class Reward(ModelMeasure):
    """Writes the score that a reward model gives to a row's last reply, given all that stands before it.

    `score` is the one output of the model: higher is better, without a unit; only scores of one model can be
    compared. The conversation is told by the model's chat template; where it has none, question and reply are
    given as a pair, as classifiers of pairs were trained on. `tokens` is what the model read.

    A row fails as `too_long` where the conversation does not fit into `max_tokens`: nothing is cut off.
    """

    name: ClassVar[str] = "reward"
    cost: ClassVar[str] = "one forward pass per row"
    limits: ClassVar[str] = (
        "A model's taste: it likes what its annotators liked, most of all long replies, and knows only the "
        "languages that it was trained on. It does not check facts. Media, tool calls and reasoning are not "
        f"read. {SAME_WHATEVER_BATCH}"
    )
    source: ClassVar[str] = "Ouyang et al. 2022 (reward models); Singhal et al. 2023 (their liking of length)"

    def writes(self) -> dict[str, pl.DataType]:
        """The model's score, and how many tokens it read."""
        return {"score": pl.Float64(), "tokens": pl.Int64()}

    def measure_part(self, rows: pl.DataFrame, context: Context) -> pl.DataFrame:
        """`score`, `tokens` and the failures."""
        model = load_reward_model(self.folder(context.root), self.device, self.dtype)
        width = model.width(self.max_tokens)
        told = [model.encode(asked(each)) for each in rows["messages"].to_list()]
        failures = [_failure(each, width) for each in told]
        fitting = [each for each, failure in zip(told, failures, strict=True) if each and failure is None]
        score = np.full(rows.height, np.nan)
        measured = np.array([failure is None for failure in failures])
        score[measured] = model.score(fitting, batch_tokens=self.batch_tokens)
        tokens = [len(each["input_ids"]) if each else 0 for each in told]
        return answer({"score": score, "tokens": tokens}, failures)


def _failure(told: Encoded | None, width: int) -> str | None:
    """Why a row cannot be measured, if so."""
    if told is None:
        return UNSUPPORTED_TURNS
    return TOO_LONG if len(told["input_ids"]) > width else None
