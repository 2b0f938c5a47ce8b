"""Failures of model calls: typed values, each with a class, and whether trying again may help.

One request that fails is one failed row. What would fail every request stops the run at once instead
(`Stop`): a refused key, an unknown model, an account without credit, a server that cannot be reached.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from zhiling.errors import ZhilingError
from zhiling.pipeline.step import Failure


class FailureClass(StrEnum):
    """What went wrong with a call."""

    TIMEOUT = "timeout"
    RATE_LIMIT = "rate_limit"
    SERVER = "server"
    TOO_LARGE = "too_large"
    REJECTED = "rejected"
    NOT_FOUND = "not_found"
    AUTH = "auth"
    REFUSAL = "refusal"
    BAD_JSON = "bad_json"
    SCHEMA = "schema"
    TRUNCATED = "truncated"
    EMPTY = "empty"
    PENDING = "pending"


RETRYABLE = frozenset({
    FailureClass.TIMEOUT, FailureClass.RATE_LIMIT, FailureClass.SERVER, FailureClass.BAD_JSON,
    FailureClass.SCHEMA, FailureClass.EMPTY,
})  # fmt: skip
"""Classes that another try may mend; the others come back the same."""
ASKED_AGAIN = frozenset({FailureClass.BAD_JSON, FailureClass.SCHEMA, FailureClass.EMPTY})
"""Replies that are asked for once more before they count as failed."""


@dataclass(frozen=True, slots=True)
class CallFailure:
    """A call that came to nothing.

    Attributes:
        cls: its class.
        message: what happened, for people; never a key.
        place: the endpoint; empty where the reply itself is at fault.
        text: what the model had said, where it had said something.
        reason: the caller's own class, where its check refused the reply; empty: `cls` says it.
    """

    cls: FailureClass
    message: str
    place: str = ""
    text: str = ""
    reason: str = ""

    @property
    def retryable(self) -> bool:
        """Whether another try may help."""
        return self.cls in RETRYABLE

    def of_row(self, row: str) -> Failure:
        """The same as the failure of a row, as a step gives it back."""
        return Failure(row, self.reason or self.cls.value, self.message, self.place, self.retryable)


class Stop(Exception):
    """What would fail every request: no further one is sent, and `error` is told to the user."""

    def __init__(self, error: ZhilingError) -> None:
        super().__init__(str(error))
        self.error = error
