"""Language: in which language a row is written."""

from __future__ import annotations

from typing import ClassVar

import polars as pl
from pydantic import Field, field_validator

from zhiling.curation.parts import Part, part_text
from zhiling.pipeline.step import Context, Measure
from zhiling.text.languages import DEFAULT, codes, detector

UNDETERMINED = "und"


class Language(Measure):
    """Writes the language of each row as a BCP-47 tag (`zh`, `en`) and how sure the detector is.

    Only the languages in `languages` can be answered: a short list makes short texts right more often. A
    text without a letter, or that none of them could have written, is `und` with score 0.
    """

    name: ClassVar[str] = "language"
    cost: ClassVar[str] = "about 0.1 ms a row, and 350 MB for the detector's models"
    limits: ClassVar[str] = (
        "Texts of one or two words are often wrong in Latin script. Simplified and traditional Chinese are "
        "both `zh`. A row of mixed languages gets the strongest. Only the beginning (`characters`) is read."
    )
    source: ClassVar[str] = "lingua-py 2: character 1- to 5-grams and rules by script"

    on: Part = Field("all", description="Which text is judged.")
    languages: tuple[str, ...] = Field(
        DEFAULT, min_length=2, description="The languages to choose from, as two-letter codes (ISO 639-1)."
    )
    characters: int = Field(1000, ge=20, le=100_000, description="How many characters of each text are read.")

    @field_validator("languages")
    @classmethod
    def _known(cls, languages: tuple[str, ...]) -> tuple[str, ...]:
        if languages == DEFAULT:
            return languages
        known = codes()
        unknown = sorted(set(languages) - set(known))
        if unknown:
            raise ValueError(f"unknown languages {unknown!r}; known: {', '.join(known)}")
        if len(set(languages)) < 2:
            raise ValueError(f"a choice needs two different languages, got {list(languages)!r}")
        return languages

    def writes(self) -> dict[str, pl.DataType]:
        """The tag, and the detector's confidence in [0, 1]."""
        return {"language": pl.String(), "score": pl.Float64()}

    def measure(self, rows: pl.DataFrame, context: Context) -> pl.DataFrame:
        """`language` and `score` of each row."""
        text = part_text(rows["messages"], self.on).str.slice(0, self.characters)
        # Each distinct text once, and none without a letter: the detector would guess by its priors.
        distinct = text.filter(text.str.contains(r"\p{L}")).unique(maintain_order=True)
        answers = detector(tuple(sorted(set(self.languages)))).compute_language_confidence_values_in_parallel(
            distinct.to_list()
        )
        best = [values[0] if values and values[0].value > 0 else None for values in answers]
        found = pl.DataFrame(
            {
                "text": distinct,
                "language": pl.Series(
                    [value.language.iso_code_639_1.name.lower() if value else None for value in best],
                    dtype=pl.String,
                ),
                # the detector adds up in an order that changes from process to process: the last bits differ
                "score": pl.Series(
                    [round(value.value, 9) if value else None for value in best], dtype=pl.Float64
                ),
            }
        )
        placed = pl.DataFrame({"text": text}).join(found, on="text", how="left", maintain_order="left")
        return placed.select(pl.col("language").fill_null(UNDETERMINED), pl.col("score").fill_null(0.0))
