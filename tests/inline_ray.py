"""What the Ray engine needs of Ray, in this process: tasks run at once, and everything sent is pickled."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any


class RayError(Exception):
    """Of Ray itself."""


class RayTaskError(RayError):
    """What a task raised."""

    def __init__(self, cause: Exception) -> None:
        super().__init__(str(cause))
        self.cause = cause


class InlineRay:
    """Stands where the module `ray` does."""

    exceptions = SimpleNamespace(RayTaskError=RayTaskError, RayError=RayError)

    def __init__(self) -> None:
        self.tasks = 0
        self.cancelled = 0

    def put(self, value: Any) -> bytes:
        return pickle.dumps(value)

    def get(self, ref: bytes) -> Any:
        value = pickle.loads(ref)
        if isinstance(value, Raised):
            raise RayTaskError(value.cause)
        return value

    def cancel(self, ref: bytes) -> None:
        self.cancelled += 1

    def remote(self, function: Callable[..., Any]) -> InlineTask:
        return InlineTask(self, function, 1)


@dataclass(frozen=True)
class Raised:
    """Stands for a result where there is none."""

    cause: Exception


class InlineTask:
    """A function as a task that returns one reference, or a list of them."""

    def __init__(self, ray: InlineRay, function: Callable[..., Any], returns: int) -> None:
        self._ray, self._function, self._returns = ray, function, returns

    def options(self, num_returns: int) -> InlineTask:
        return InlineTask(self._ray, self._function, num_returns)

    def remote(self, shared: bytes, *arguments: Any) -> Any:
        self._ray.tasks += 1
        sent = pickle.loads(pickle.dumps(arguments))
        try:
            told = self._function(self._ray.get(shared), *sent)
        except ValueError as error:
            told = Raised(error) if self._returns == 1 else [Raised(error)] * self._returns
        if self._returns == 1:
            return pickle.dumps(told)
        assert len(told) == self._returns
        return [pickle.dumps(each) for each in told]
