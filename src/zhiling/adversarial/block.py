"""`use: adversarial`: generators propose, discriminators accept, round after round; the best one stays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from zhiling.adversarial.acceptance import Acceptance
from zhiling.pipeline.block import Block


class Adversarial(Acceptance, Block):
    """A `repeat` of `propose`, the gates, and `accept`, which ends it.

    With id `gan` its steps are `gan_propose`, the gates under their own ids, and `gan_accept`; what they do
    stands in their own cards.
    """

    name = "adversarial"

    generators: tuple[dict[str, Any], ...] = Field(
        min_length=1, description="Make steps, each written as {use: NAME, ...settings}"
    )
    gates: tuple[dict[str, Any], ...] = Field(
        default=(), description="steps between proposal and acceptance, each with its `id` and `use`"
    )
    rounds: int = Field(5, ge=1, description="rounds at most")
    accepted: int | None = Field(
        None, ge=1, description="exactly so many rows; null: until a guard says stop"
    )
    per_round: int = Field(1000, ge=1, description="rows that a round proposes at most")
    aimed: float = Field(0.5, ge=0, le=1, description="share of them that is aimed at what is not known yet")
    snap: float | None = Field(
        None, ge=-1, le=1, description="cosine from which a text gives way to the real line most like it"
    )

    def unfolded(self, block_id: str) -> dict[str, Any]:
        """`repeat` until `accept` says stop, or enough is accepted."""
        told = self.model_dump(mode="json", exclude_unset=True)

        def step(name: str, *settings: str) -> Mapping[str, Any]:
            return {"id": f"{block_id}_{name}", "use": name} | {
                key: told[key] for key in settings if key in told
            }

        until = {"stop": f"{block_id}_accept"} | ({"accepted": self.accepted} if self.accepted else {})
        return {
            "rounds": self.rounds,
            "until": until,
            "steps": [
                step("propose", "generators", "per_round", "aimed", "snap", "held_back"),
                *self.gates,
                step("accept", *Acceptance.model_fields),
            ],
        }
