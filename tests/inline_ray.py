"""What the Ray engine needs of Ray, in this process: tasks run at once, and everything sent is pickled."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any


class InlineRay:
    """Stands where the module `ray` does."""

    exceptions = SimpleNamespace(
        RayTaskError=type("RayTaskError", (Exception,), {}), RayError=type("RayError", (Exception,), {})
    )

    def __init__(self) -> None:
        self.tasks = 0
        self.cancelled = 0

    def put(self, value: Any) -> bytes:
        return pickle.dumps(value)

    def get(self, ref: bytes) -> Any:
        return pickle.loads(ref)

    def cancel(self, ref: bytes) -> None:
        self.cancelled += 1

    def remote(self, function: Callable[..., Any]) -> InlineTask:
        return InlineTask(self, function, 1)


class InlineTask:
    """A function as a task that returns one reference, or a list of them."""

    def __init__(self, ray: InlineRay, function: Callable[..., Any], returns: int) -> None:
        self._ray, self._function, self._returns = ray, function, returns

    def options(self, num_returns: int) -> InlineTask:
        return InlineTask(self._ray, self._function, num_returns)

    def remote(self, shared: bytes, *arguments: Any) -> Any:
        self._ray.tasks += 1
        sent = pickle.loads(pickle.dumps(arguments))
        told = self._function(self._ray.get(shared), *sent)
        if self._returns == 1:
            return pickle.dumps(told)
        assert len(told) == self._returns
        return [pickle.dumps(each) for each in told]
