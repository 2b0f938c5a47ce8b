"""How a proposal is accepted: the settings that `accept`, its trial and the block have in common."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from zhiling.adversarial.discriminators.scorer import TransformerSettings
from zhiling.adversarial.guards.rules import Limits


class Acceptance(BaseModel):
    """What a row must be, which real rows say so, and what ends the rounds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    held_back: float = Field(
        0.2, gt=0, lt=1, description="share of real rows that scores the student and probes acceptance"
    )
    wrong: float = Field(
        0.05, gt=0, lt=1, description="share of wrong labels that may pass, by real rows out of fold"
    )
    sure: float = Field(
        0.9,
        ge=0,
        lt=1,
        description="how sure a label must be, by `match` and its generator together, whose generator tells "
        "its `confidence`",
    )
    rejection: bool = Field(True, description="sample by the odds that the text is real, too")
    per_label: int | None = Field(None, ge=1, description="accepted rows of a label at most, of all rounds")
    transformer: TransformerSettings | None = Field(
        default=None,
        description="a transformer that judges labels by their names, tuned each round; null: the light one",
        examples=[{"path": "models/encoder"}],
    )
    guards: Limits = Field(default=Limits(), description="bounds of the guards", examples=[{"patience": 3}])
