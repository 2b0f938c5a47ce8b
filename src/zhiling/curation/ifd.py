"""Instruction-following difficulty: how little the instruction helps a model to foresee the reply."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import polars as pl

from zhiling.curation.model_measure import (
    SAME_WHATEVER_BATCH,
    TOO_FEW_TOKENS,
    TOO_LONG,
    UNSUPPORTED_TURNS,
    Exchange,
    ModelMeasure,
    answer,
    exchanges,
)
from zhiling.llm.causal import CausalLM, Span, load_causal_lm
from zhiling.pipeline.step import Context
from zhiling.rows.conversation import flatten, reply_text


class Ifd(ModelMeasure):
    """Writes how hard an instruction is to follow: the reply's mean loss given it, over that without it.

    `score` is `reply_loss` / `reply_loss_alone`, both means over the same `tokens` tokens of the reply, in
    nats. 1: the instruction tells nothing about the reply; near 0: the reply follows from it; above 1: the
    model foresees the reply better without it, a sign that the two do not belong together. Of rows below 1
    the highest are said to teach most. The instruction is told by the model's chat template, or, where it has
    none, as its turns with an empty line behind each; the reply alone stands without any mark of a chat.

    Rows without a reply, or with nothing before it, pass by. A row fails as `too_long` where instruction and
    reply do not fit into `max_tokens`: a cut reply or instruction would have another value.
    """

    name: ClassVar[str] = "ifd"
    cost: ClassVar[str] = "two forward passes per row: over instruction with reply, and over the reply"
    limits: ClassVar[str] = (
        "Says how far the reply follows from the instruction for this model, not whether it is right. Short "
        "replies scatter. A model that was not trained on such texts tells little. Media, tool calls and "
        f"reasoning are not read. {SAME_WHATEVER_BATCH}"
    )
    source: ClassVar[str] = (
        "Li et al. 2023, From Quantity to Quality. Deviation: both means are over the same tokens; where the "
        "tokenizer sets no mark of the beginning, the reply's first token, which cannot be scored alone, is "
        "left out of both"
    )

    def writes(self) -> dict[str, pl.DataType]:
        """The ratio, both losses, and the tokens that they are over."""
        losses = dict.fromkeys(("score", "reply_loss", "reply_loss_alone"), pl.Float64())
        return {**losses, "tokens": pl.Int64()}

    def applies(self, rows: pl.DataFrame) -> pl.Series:
        """Rows with a reply that says something, and something said before it."""
        lines = flatten(rows["messages"])
        last = pl.col("turn").filter(pl.col("role") == "assistant").max().over("row")
        said = pl.col("text").fill_null("").str.strip_chars() != ""
        before = lines.filter((pl.col("turn") < last) & said)["row"].unique()
        mask = np.zeros(rows.height, dtype=np.bool_)
        mask[before.to_numpy()] = True
        return pl.Series(mask) & (reply_text(rows["messages"]).str.strip_chars() != "")

    def measure_part(self, rows: pl.DataFrame, context: Context) -> pl.DataFrame:
        """`score`, `reply_loss`, `reply_loss_alone`, `tokens` and the failures."""
        model = load_causal_lm(self.folder(context.root), self.device, self.dtype)
        width = model.width(self.max_tokens)
        told = exchanges(model, rows["messages"])
        failures = [_failure(model, each, width) for each in told]
        asked = [each for each, failure in zip(told, failures, strict=True) if each and failure is None]
        alone = [model.text_span(reply) for _, reply in asked]
        given = [Span((*prompt, *reply), len(prompt) + _left_out(model)) for prompt, reply in asked]
        found = model.score([*given, *alone], max_tokens=width, batch_tokens=self.batch_tokens)
        measured = np.array([failure is None for failure in failures])
        losses = np.full((2, rows.height), np.nan)
        losses[:, measured] = found.losses.reshape(2, len(asked))
        tokens = np.zeros(rows.height, dtype=np.int64)
        tokens[measured] = found.tokens[: len(asked)]
        with np.errstate(
            divide="ignore", invalid="ignore"
        ):  # a loss of 0 alone: not finite, and so a failure
            score = losses[0] / losses[1]
        columns = {"score": score, "reply_loss": losses[0], "reply_loss_alone": losses[1], "tokens": tokens}
        return answer(columns, failures)


def _left_out(model: CausalLM) -> int:
    """First tokens of a reply that cannot be scored alone."""
    return 0 if model.beginning else 1


def _failure(model: CausalLM, told: Exchange | None, width: int) -> str | None:
    """Why a row cannot be measured, if so."""
    if told is None:
        return UNSUPPORTED_TURNS
    prompt, reply = told
    if len(prompt) + len(reply) > width:
        return TOO_LONG
    return None if prompt and len(reply) > _left_out(model) else TOO_FEW_TOKENS
