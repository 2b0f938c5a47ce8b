"""Perplexity: how much a language model is surprised by a reply, or by another part of a row."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import polars as pl
from pydantic import Field

from zhiling.curation.model_measure import (
    SAME_WHATEVER_BATCH,
    TOO_FEW_TOKENS,
    UNSUPPORTED_TURNS,
    ModelMeasure,
    answer,
    exchanges,
)
from zhiling.curation.parts import Part, part_text
from zhiling.llm.causal import CausalLM, Span, load_causal_lm
from zhiling.pipeline.step import Context


class Perplexity(ModelMeasure):
    """Writes the perplexity of a reply (given what stands before it), a question or the whole text.

    `score` is exp of `loss`, the mean of -ln P(token | all tokens before it) in nats, over `tokens` tokens.
    1: nothing surprises the model; as many as its vocabulary has tokens: it knows nothing. Only tokens of the
    measured part are counted; the prompt of a reply is told by the model's chat template, or, where it has
    none, as its turns with an empty line behind each. Without a mark of the beginning in the model's
    tokenizer the first token of a part that nothing stands before is not counted.

    A part longer than `max_tokens` is read in `windows` that overlap by half; each token is counted once. The
    row fails as `too_few_tokens` where no token can be counted.
    """

    name: ClassVar[str] = "perplexity"
    material: ClassVar[bool] = True
    cost: ClassVar[str] = "one forward pass per row; twice the tokens where windows are needed"
    limits: ClassVar[str] = (
        "A low value is no sign of quality: commonplace and repetition are the least surprising texts, and "
        "short replies have higher values than long ones. Values of models with different tokenizers, or of "
        f"different languages, cannot be compared. {SAME_WHATEVER_BATCH}"
    )
    source: ClassVar[str] = (
        "Jelinek et al. 1977 (perplexity); Wenzek et al. 2020 (as a filter of texts); overlapping windows as "
        "transformers' page on the perplexity of fixed-length models has them"
    )

    on: Part = Field("reply", description="The part that is measured: reply, question, user or all.")

    def writes(self) -> dict[str, pl.DataType]:
        """Perplexity, mean loss, tokens and windows."""
        return {"score": pl.Float64(), "loss": pl.Float64(), "tokens": pl.Int64(), "windows": pl.Int64()}

    def applies(self, rows: pl.DataFrame) -> pl.Series:
        """Rows in which the part says something."""
        return part_text(rows["messages"], self.on).str.strip_chars() != ""

    def measure_part(self, rows: pl.DataFrame, context: Context) -> pl.DataFrame:
        """`score`, `loss`, `tokens`, `windows` and the failures."""
        model = load_causal_lm(self.folder(context.root), self.device, self.dtype)
        spans = self._spans(model, rows["messages"])
        found = model.score(
            [span or Span((), 1) for span in spans],
            max_tokens=self.max_tokens, batch_tokens=self.batch_tokens,
        )  # fmt: skip
        failures = [
            UNSUPPORTED_TURNS if span is None else None if count else TOO_FEW_TOKENS
            for span, count in zip(spans, found.tokens.tolist(), strict=True)
        ]
        with np.errstate(over="ignore"):  # what overflows is infinite, and fails as such
            score = np.exp(found.losses)
        columns = {"score": score, "loss": found.losses, "tokens": found.tokens, "windows": found.windows}
        return answer(columns, failures)

    def _spans(self, model: CausalLM, messages: pl.Series) -> list[Span | None]:
        if self.on == "reply":
            return [each and model.reply_span(*each) for each in exchanges(model, messages)]
        return [model.text_span(ids) for ids in model.tokenise(part_text(messages, self.on).to_list())]
