"""What a server says of a batch: line by line, and of lines that it has no answer for.

A batch ends as `completed`, `expired`, `cancelled` or `failed`. Answers stand in a file of outputs and one of
errors, in any order; a line holds the `custom_id` of its request, and either `response` (status and body, as
over HTTP) or `error`.

Source: OpenAI, Batch API.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, cast

import orjson

from zhiling.llm.answers import NO_CREDIT, Fault
from zhiling.llm.failures import CallFailure, FailureClass
from zhiling.llm.transport import Answer

ENDED = frozenset({"completed", "expired", "cancelled", "failed"})
_NAME = re.compile(rb'"custom_id"\s*:\s*"([^"\\]{1,64})"')
_NOT_RUN = frozenset({"batch_expired", "batch_cancelled"})
"""Errors of lines that were never worked on: they cost nothing."""
_FULL = "token_limit_exceeded"
"""So much was handed over that more is taken only when some of it is done."""
_TOLD = 300


class Lines:
    """Cuts a stream into lines; of one that is too long only its beginning is kept."""

    def __init__(self, most_bytes: int) -> None:
        self._most, self._rest, self._cut = most_bytes, bytearray(), False

    def feed(self, piece: bytes) -> Iterator[tuple[bytes, bool]]:
        """The lines that end in this piece, each with whether it was too long."""
        *whole, rest = piece.split(b"\n")
        for part in whole:
            self._add(part)
            yield from self.end()
        self._add(rest)

    def end(self) -> Iterator[tuple[bytes, bool]]:
        """The line that the stream ends with, if there is one."""
        line, cut = bytes(self._rest), self._cut
        self._rest.clear()
        self._cut = False
        if line.strip():
            yield line, cut

    def _add(self, part: bytes) -> None:
        room = self._most - len(self._rest)
        self._cut = self._cut or len(part) > room
        self._rest += part[:room]


def read_line(line: bytes, place: str, *, cut: bool = False) -> tuple[str, Answer | Fault] | None:
    """The name of a request and what came of it; None for a line that tells no name."""
    if cut:
        return _unread(line, FailureClass.TOO_LARGE, "the answer is too long", place)
    try:
        tree: Any = orjson.loads(line)
    except orjson.JSONDecodeError:
        return _unread(line, FailureClass.BAD_JSON, "a line that is no JSON", place)
    if not isinstance(tree, dict):
        return None
    told = cast(dict[str, Any], tree)
    name, response = told.get("custom_id"), told.get("response")
    if not isinstance(name, str):
        return None
    if isinstance(response, dict):
        return name, _answer(cast(dict[str, Any], response))
    return name, _not_answered(told.get("error"), place)


def _unread(line: bytes, cls: FailureClass, message: str, place: str) -> tuple[str, Fault] | None:
    found = _NAME.search(line)
    if found is None:
        return None
    failure = CallFailure(cls, f"{message}: {line[:80].decode('utf-8', 'replace')!r}", place)
    return found[1].decode("utf-8", "replace"), Fault(failure, failure.retryable, charged=True)


def _answer(response: Mapping[str, Any]) -> Answer:
    """As it would have come over HTTP; some servers leave the status of a good answer out."""
    status, body = response.get("status_code", 200), response.get("body")
    status = status if isinstance(status, int) else 500
    if status == 200 and isinstance(body, dict):
        return Answer(200, {}, b"", cast(dict[str, Any], body))
    return Answer(status, {}, orjson.dumps(body))


def _not_answered(error: Any, place: str) -> Fault:
    known = cast(dict[str, Any], error) if isinstance(error, dict) else {}
    code = str(known.get("code") or "")
    if code == "batch_cancelled":
        return _unwanted(place)
    failure = CallFailure(
        FailureClass.TIMEOUT if code in ("batch_expired", "request_timeout") else FailureClass.SERVER,
        str(known.get("message") or code or "neither `response` nor `error`")[:_TOLD],
        place,
    )
    return Fault(failure, again=True, charged=code not in _NOT_RUN)


def line_without(batch: Mapping[str, Any], number: int, place: str) -> Answer | Fault:
    """What became of a request that the files of an ended batch do not name.

    Nothing is billed of a batch that failed, nor for what was not finished in one that expired or was
    cancelled. A completed one says that all were worked on: what is missing there may be billed.

    Args:
        batch: what the server says of it.
        number: of the request in its file, from 1.
        place: the endpoint.
    """
    status = batch["status"]
    if status == "failed":
        return _refused(batch, number, place)
    if status == "expired":
        return Fault(CallFailure(FailureClass.TIMEOUT, "the batch expired before it", place), again=True)
    if status == "cancelled":
        return _unwanted(place)
    failure = CallFailure(FailureClass.SERVER, "the batch has no answer to it", place)
    return Fault(failure, again=True, charged=True)


def _unwanted(place: str) -> Fault:
    """Somebody cancelled the batch: it is not sent again by itself."""
    return Fault(CallFailure(FailureClass.SERVER, "the batch was cancelled before it", place), again=False)


def _refused(batch: Mapping[str, Any], number: int, place: str) -> Answer | Fault:
    """Of a file that was not taken: where errors name their lines, the others are sent again."""
    errors: Any = batch.get("errors")
    listed: Any = cast(dict[str, Any], errors).get("data") if isinstance(errors, dict) else errors
    items = cast(list[Any], listed) if isinstance(listed, list) else []
    known = [cast(dict[str, Any], each) for each in items if isinstance(each, dict)]
    mine = [each for each in known if each.get("line") == number]
    if not mine and any(each.get("line") for each in known):
        failure = CallFailure(FailureClass.SERVER, "other lines of its batch file were refused", place)
        return Fault(failure, again=True)
    error = next(iter([*mine, *known]), {"message": "the batch failed, nothing more is said"})
    busy = error.get("code") == _FULL or error.get("code") in NO_CREDIT
    return Answer(429 if busy else 400, {}, orjson.dumps({"error": error}))
