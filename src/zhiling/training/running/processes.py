"""Several processes that train one model together: each computes its share of every batch.

`torchrun` and `accelerate launch` start them and say in the environment how many there are. Gradients are
added up once a step, behind all micro-batches, and not by torch's DDP: weights that a batch does not reach,
layers that are freed later and a batch with fewer rows than processes then need no special case.
"""

from __future__ import annotations

import atexit
import importlib
import os
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

if TYPE_CHECKING:
    from torch import nn

T = TypeVar("T")
_together: list[None] = []
"""Not empty while this process and the others train one model."""
PATIENCE = timedelta(days=7)
"""How long a process waits for the others: the first may bring a run's rows up to date before it trains."""


@dataclass(frozen=True)
class Processes:
    """The number of this process, from 0, and how many there are."""

    number: int = 0
    count: int = 1

    @classmethod
    def here(cls) -> Self:
        """Those that train together, inside of `together`; this one alone elsewhere."""
        return cls.started() if _together else cls()

    @classmethod
    def started(cls) -> Self:
        """All that were started together, as the environment says; one where it says nothing."""
        count = int(os.environ.get("WORLD_SIZE", "1"))
        if count == 1 or "RANK" not in os.environ:
            return cls()
        _connect()
        return cls(int(os.environ["RANK"]), count)

    @property
    def first(self) -> bool:
        """Whether this is the one that writes and tells."""
        return self.number == 0

    def share(self, rows: Sequence[T]) -> Sequence[T]:
        """The rows of this process: every `count`-th, so that all get texts of like length."""
        return rows[self.number :: self.count]

    def from_first(self, value: T) -> T:
        """What the first process has; the others' value is not read."""
        return value if self.count == 1 else _operations().broadcast_object_list([value])[0]

    def of_all(self, value: T) -> list[T]:
        """What each process has, in their order."""
        return [value] if self.count == 1 else _operations().gather_object([value])

    def whole(self, shares: Sequence[T]) -> list[T]:
        """All rows in their order, of which each process has its share."""
        found = self.of_all(list(shares))
        rows = cast(list[T], [None] * sum(map(len, found)))
        for number, part in enumerate(found):
            rows[number :: self.count] = part
        return rows

    def total(self, value: float) -> float:
        """The sum over all processes."""
        return sum(self.of_all(value))

    def add_gradients(self, weights: Iterable[nn.Parameter]) -> None:
        """Gives each weight the sum of all processes' gradients; one that none of them reached keeps none."""
        if self.count == 1:
            return
        import torch

        tuned = [weight for weight in weights if weight.requires_grad]
        reached = torch.tensor([float(weight.grad is not None) for weight in tuned])
        own = [torch.zeros_like(each) if each.grad is None else each.grad for each in tuned]
        flat: Any = _operations().reduce(torch.cat([reached, *map(torch.flatten, own)]), "sum")
        sums = flat[len(tuned) :].split([weight.numel() for weight in tuned])
        for weight, gradient, reaching in zip(tuned, sums, flat[: len(tuned)] > 0, strict=True):
            weight.grad = gradient.view_as(weight) if reaching else None


@contextmanager
def together() -> Generator[None]:
    """While it lasts all processes do the same, and what is trained is shared among them."""
    _together.append(None)
    try:
        yield
    finally:
        _together.pop()


@cache
def _connect() -> None:
    """Joins the other processes, once, and leaves them when this one ends.

    A process that ends without leaving is at times aborted ("terminate called without an active exception"):
    gloo's threads outlive what they use (pytorch issue 190489). They end with the group, and the defaults of
    `torch.distributed.nn.functional` hold the group that is there when that module is first imported, for
    good; so it is imported while there is none.
    """
    importlib.import_module("torch.distributed.nn.functional")
    from accelerate import PartialState

    state: Any = PartialState(cpu=True, timeout=PATIENCE)
    atexit.register(state.destroy_process_group)


def _operations() -> Any:
    from accelerate.utils import operations

    return operations
