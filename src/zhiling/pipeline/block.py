"""A block: one line of a recipe that stands for several, written out before anything else reads it."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict


class Block(BaseModel):
    """Settings that become a `repeat` with its inner steps; what it does, these do."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: ClassVar[str]

    @abstractmethod
    def unfolded(self, block_id: str) -> dict[str, Any]:
        """The `repeat` as it would be written in the recipe: `rounds`, `until`, `steps`.

        Args:
            block_id: the block's id; ids of inner steps begin with it.
        """
