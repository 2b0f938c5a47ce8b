"""What an answer means: a reply, a fault that another try may mend, or the end of the run."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import orjson

from zhiling.errors import BudgetReached, UsageError
from zhiling.llm.failures import CallFailure, FailureClass, Stop
from zhiling.llm.pace import retry_after_s
from zhiling.llm.transport import Answer

_TOLD = 300
_TAGS = re.compile(r"(?s)<(script|style)\b.*?</\1>|<[^>]*>")
NO_CREDIT = ("insufficient_quota", "billing_hard_limit_reached", "insufficient_balance")
"""Codes of an account that has to be topped up."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A try that brought no reply.

    Attributes:
        failure: its class and what the server said.
        again: whether the same request may be sent again.
        wait_s: how long the server asks to wait before that.
        charged: whether the server may bill for it.
        unreachable: no connection came about.
    """

    failure: CallFailure
    again: bool
    wait_s: float | None = None
    charged: bool = False
    unreachable: bool = False


def fault_of(answer: Answer, place: str, *, answered: bool, key_env: str | None) -> Fault | None:
    """What is wrong with an answer, by its status; None where it is a reply.

    Args:
        answer: what came.
        place: the endpoint.
        answered: whether the role was ever answered; before that a wrong address or name is taken for one.
        key_env: the variable that holds the key, for the hint.

    Raises:
        Stop: every request would be answered so.
    """
    status = answer.status
    if status == 200:
        return None
    told = _message(answer.body)
    _stop_if_hopeless(status, told, place, answered=answered, key_env=key_env)
    wait_s = retry_after_s(answer.headers)
    message = f"HTTP {status}: {told}"
    if status in (429, 529) or (status == 503 and wait_s is not None):
        return Fault(CallFailure(FailureClass.RATE_LIMIT, message, place), again=True, wait_s=wait_s)
    if status >= 500 or status in (408, 409, 425) or status < 400:
        return Fault(CallFailure(FailureClass.SERVER, message, place), again=status != 501, wait_s=wait_s)
    cls = {401: FailureClass.AUTH, 404: FailureClass.NOT_FOUND}.get(status, FailureClass.REJECTED)
    return Fault(CallFailure(cls, message, place), again=False)


def _stop_if_hopeless(status: int, told: str, place: str, *, answered: bool, key_env: str | None) -> None:
    said = f"HTTP {status}: {told}"
    if status == 402 or (status == 429 and any(code in told for code in NO_CREDIT)):
        raise Stop(
            BudgetReached(
                f"the account has no credit left ({said})", place=place, hint="top it up, run again"
            )
        )
    if status == 401 or (status == 403 and not answered):
        named = f"the key in {key_env}" if key_env else "a request without a key"
        hint = f"export a valid key as {key_env}" if key_env else "name the key's variable in key_env"
        raise Stop(UsageError(f"{named} is refused ({said})", place=place, hint=hint))
    if answered:
        return
    if status in (404, 405) or 300 <= status < 400:
        hint = "check `endpoint` (up to /v1) and `model`: GET <endpoint>/models lists the models"
        raise Stop(UsageError(f"no such model or address ({said})", place=place, hint=hint))


def _message(body: bytes) -> str:
    """What a server says about an error: the protocol's message, or the text of a page."""
    try:
        tree = orjson.loads(body)
    except orjson.JSONDecodeError:
        text = _TAGS.sub(" ", body[:20_000].decode("utf-8", "replace"))
        return " ".join(text.split())[:_TOLD] or "nothing more is said"
    error: Any = cast(dict[str, Any], tree).get("error", tree) if isinstance(tree, dict) else tree
    if isinstance(error, dict):
        named = cast(Mapping[str, Any], error)
        parts = [str(named[name]) for name in ("message", "code", "type") if named.get(name)]
        error = " · ".join(parts) or named
    return str(error)[:_TOLD]
