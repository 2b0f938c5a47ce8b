"""How an encoder reads on in unlabelled text before a task is learnt, as a section of a recipe; no torch."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Continued(BaseModel):
    """Once, before all arms: with the texts of the train part (its unlabelled rows too), and of a file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    objective: Literal["masked", "contrastive"] = Field(
        default="masked",
        description="masked: guess hidden words (masked language modelling). contrastive: know a text again "
        "under another dropout (SimCSE).",
    )
    texts: str | None = Field(
        default=None,
        description="A file of unlabelled texts beside the train part's, JSONL or CSV: rows like those that "
        "the model will meet. Texts equal or near to one that is tested on are left out.",
    )
    field: str = Field(default="text", description="Field of the file with the text.")
    epochs: int = Field(default=1, ge=1, description="Passes over the texts.")
    batch_size: int = Field(default=32, ge=2, description="Texts per step.")
    learning_rate: float = Field(default=5e-5, gt=0, description="Of the whole encoder.")
    most: int = Field(
        default=20_000, ge=2, description="Texts at most, drawn at random where there are more."
    )

    def files(self) -> list[str]:
        """The files that it reads, relative to the recipe."""
        return [self.texts] if self.texts else []
