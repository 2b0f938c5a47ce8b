"""How to learn from few labelled rows, as a section of a recipe; needs no torch."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field

Auto = Literal["auto"]


class FewLabelSettings(BaseModel):
    """What says `auto` is chosen on held-out seeds: what is no better there than seeds only is not taken."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    contrastive: bool | Auto = Field(
        default="auto",
        description="Tune the encoder so that seeds of a label come together and others apart; what of it is "
        "tuned says `method` (frozen: all of it).",
    )
    names: bool | Auto = Field(default="auto", description="Each label's names are further seeds of it.")
    label_names: str | None = Field(
        default=None, description="YAML file: label → names per language; unset: the labels, spelled."
    )
    unlabelled: Literal["auto", "none", "self_training", "propagation", "mixture"] = Field(
        default="auto", description="How rows without a label are learnt from."
    )
    unlabelled_rows: int = Field(
        default=20_000, ge=1, description="Most rows without a label; of more, so many are drawn at random."
    )
    epochs: int = Field(default=10, ge=1, description="Passes of the contrastive tuning over the seeds.")

    def files(self) -> list[str]:
        """Files that it reads, relative to the recipe."""
        return [self.label_names] if self.label_names else []

    def located(self, root: Path) -> Self:
        """The settings with the file found from the recipe's."""
        return self.model_copy(update={"label_names": self.label_names and str(root / self.label_names)})
