"""Intents: what customers want, found by clustering, named by terms, corrected by a person's list."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

import polars as pl
from pydantic import Field

from zhiling.pipeline.step import Context, Measure
from zhiling.rows.conversation import all_text, question_text, user_text
from zhiling.synthesis.intent_model import Intents as Known
from zhiling.synthesis.intent_model import learn

_TEXTS = {"all": all_text, "user": user_text, "question": question_text}


class Intents(Measure):
    """Discovers intents in unlabelled texts and writes each row's, with the share of like texts that have it.

    Texts are joined with their nearest ones by the encoder and by rare character n-grams, the graph is cut
    where it hardly holds together, and each part is named by its terms, in English or Chinese. The step's
    state holds `intents.yaml`: a person sets keep, rename, merge, split or drop there, and names the file in
    `list_file`; then the next run tells the intents as wanted.

    Columns: `intent` (null where it was dropped, or the text is empty) and `score`, 0 to 1.
    """

    name: ClassVar[str] = "intents"
    material: ClassVar[bool] = True
    cost: ClassVar[str] = (
        "an encoding per row; (sample)² · dimension operations to learn, 40 s for 20,000 rows"
    )
    limits: ClassVar[str] = (
        "As good as the encoder and the texts: short questions of many words for one wish scatter, and "
        "replies, where there are any, tell more than questions (`on`). Rare intents join larger ones, "
        "a few large ones come in parts (8 in 506 texts: 37). Languages come apart, unless the encoder "
        "reads both."
    )
    source: ClassVar[str] = "Ng, Jordan & Weiss 2001 (spectral clustering); Grootendorst 2022 (class TF-IDF)"

    on: Literal["all", "user", "question"] = Field(
        "all", description="which text tells the intent: all turns, the user's, or the last question"
    )
    clusters: int | None = Field(None, ge=2, description="how many intents; null: as many as the texts show")
    list_file: str | None = Field(None, description="a list of intents that a person has edited")
    sample: int = Field(20_000, ge=100, description="learn from so many rows at most, drawn at random")

    def writes(self) -> dict[str, pl.DataType]:
        """The intent, and how sure it is."""
        return {"intent": pl.String(), "score": pl.Float64()}

    def files(self) -> tuple[str, ...]:
        """The edited list."""
        return (self.list_file,) if self.list_file else ()

    def uses_encoder(self) -> bool:
        """The vectors decide."""
        return True

    def fit(self, rows: pl.DataFrame, context: Context, folder: Path) -> None:
        """Clusters, names, and the list to edit."""
        texts = _TEXTS[self.on](rows["messages"])
        told = texts.str.strip_chars() != ""
        rows, texts = rows.filter(told), texts.filter(told)
        if not rows.height:
            return
        drawn = pl.Series(context.uniform(rows["id"])).arg_sort()[: self.sample]
        sample = texts.gather(drawn).sort().to_list()
        edited = context.root / self.list_file if self.list_file else None
        learn(sample, context.encoder, folder, context.seed, self.clusters, edited)

    def measure(self, rows: pl.DataFrame, context: Context) -> pl.DataFrame:
        """Intent and score of each row."""
        state = context.fitted
        texts = _TEXTS[self.on](rows["messages"]).to_list()
        if not any(text.strip() for text in texts):
            return pl.DataFrame({"intent": [None] * len(texts), "score": [0.0] * len(texts)}, self.writes())
        names, scores = Known.read(state).told(texts, context.encoder)
        return pl.DataFrame({"intent": names, "score": scores}, schema=self.writes())
