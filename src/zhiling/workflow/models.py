"""The models of a run: opened when a step first asks, behind the run's limits, closed with the run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from zhiling.errors import ZhilingError
from zhiling.llm.limits import Deadline
from zhiling.llm.location import content_hash, model_folder
from zhiling.llm.role import Role
from zhiling.llm.store import ResponseStore, Spending
from zhiling.pipeline.database import FILE_NAME

if TYPE_CHECKING:
    from pathlib import Path

    from zhiling.llm.engine import Engine
    from zhiling.llm.verdict import Ask, Outcome
    from zhiling.pipeline.runner import Listener
    from zhiling.workflow.recipe import Recipe


class RunModels:
    """Gives the models of a run when it is called; a context manager that closes them.

    Args:
        recipe: its roles and its budget.
        run: whose limits count.
        deadline: when the budget's minutes are over.
        attempt: how often what had failed is asked anew; see `Ask.attempt`.
        listen: is told of calls while they are made (event `calls`).
    """

    def __init__(
        self, recipe: Recipe, run: str, *, deadline: Deadline | None = None, attempt: int = 0,
        listen: Listener | None = None,
    ) -> None:  # fmt: skip
        self._recipe, self._run, self._deadline, self._attempt = recipe, run, deadline, attempt
        self._listen = listen
        self._engine: Engine | None = None

    def __call__(self, step: str) -> Self:
        """Itself, for every step: `ask` opens what it needs."""
        return self

    def ask(self, role: str, asks: Sequence[Ask]) -> list[Outcome]:
        """A reply or a typed failure for each ask; see `Engine.ask`."""
        if self._engine is None:
            from zhiling.llm.engine import Engine

            self._engine = Engine(
                self._recipe.roles(), self._recipe.root / FILE_NAME, run=self._run,
                limits=self._recipe.budget, deadline=self._deadline,
            )  # fmt: skip
            if (listen := self._listen) is not None:
                self._engine.watch(lambda calls, usd: listen({"event": "calls", "calls": calls, "usd": usd}))
        if self._attempt:
            asks = [replace(ask, attempt=self._attempt) for ask in asks]
        try:
            return self._engine.ask(role, asks)
        except ZhilingError:
            self.close()  # it sends nothing more, for no role; who goes on without this one needs another
            raise

    def budget_left(self) -> float | None:
        """The share of the budget that is left; see `Limits.left`."""
        limits = self._recipe.budget
        if limits.left(Spending()) is None:
            return None
        return limits.left(spending(self._recipe.root, self._run))

    def close(self) -> None:
        """Closes what was opened; the next `ask` opens it anew."""
        if self._engine is not None:
            engine, self._engine = self._engine, None
            engine.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def spending(root: Path, run: str) -> Spending:
    """What the calls of a run came to so far."""
    with ResponseStore(root / FILE_NAME) as store:
        return store.spending(run)


def role_identities(recipe: Recipe) -> Callable[[str], str] | None:
    """From a role to the hash of what shapes its replies; None where the recipe names no role."""
    if not recipe.models:
        return None

    @cache
    def shape(name: str) -> str:
        role = recipe.models[name]
        return role.shape(name, _content(role, recipe.root))

    return shape


def _content(role: Role, root: Path) -> str:
    """The hash of a local model's files; empty for one behind an endpoint."""
    return "" if role.path is None else content_hash(model_folder(role.path, root))


def told(spent: Spending) -> dict[str, Any]:
    """What calls came to, as manifests and events say it."""
    return {"calls": spent.calls, "tokens": spent.tokens, "usd": spent.usd, "unsettled": spent.unsettled}
