"""Files and batches of a server: upload, create, look, fetch; refusals and outages are waited out.

    POST /files · POST /batches · GET /batches · GET /batches/{id} · GET /files/{id}/content

Source: OpenAI, Batch API.
"""

from __future__ import annotations

import io
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeVar, cast

import aiohttp
import orjson

from zhiling.errors import MissingInput, UsageError
from zhiling.llm.answers import Fault, fault_of
from zhiling.llm.batch_answers import ENDED, Lines, read_line
from zhiling.llm.endpoints import Endpoints
from zhiling.llm.failures import CallFailure, FailureClass, Stop
from zhiling.llm.pace import Backoff
from zhiling.llm.role import Role, Secret
from zhiling.llm.transport import Answer, Broken, HttpTransport, tree_of
from zhiling.llm.wire import Json

Value = TypeVar("Value")
Told = list[tuple[str, Answer | Fault]]
_CONNECT_S = 10.0
POLL_S = 30.0
"""How often a batch is looked at by a role that hands over no more."""
_TOGETHER = 500
"""Lines that are handed on at once: one transaction."""
_PER_PAGE, _MOST_PAGES = 100, 1000


class _Unanswered(Exception):
    """One request that brought no answer; another try may."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.failure.message)
        self.fault = fault


class Refused(Exception):
    """A request that the server will not fulfil, whatever the number of tries.

    Attributes:
        failure: what it said.
    """

    def __init__(self, failure: CallFailure) -> None:
        super().__init__(failure.message)
        self.failure = failure

    def stop(self) -> Stop:
        """What the user is told about a file that was not taken."""
        return Stop(
            UsageError(
                f"the batch file is not taken ({self.failure.message})",
                place=self.failure.place,
                hint="leave out `batch_poll_s` where a server knows no /files and /batches",
            )
        )


class Unlisted(Refused):
    """A server that does not tell which batches it has."""


class BatchServer:
    """The endpoints of one role, as far as they take batch files.

    Every method waits out refusals for load (up to `patience_s`) and outages (up to `outage_s`).

    Raises, each method:
        Refused: it will never be done.
        Stop: the server is away for too long, the key is refused, or the run stops.
    """

    def __init__(self, http: HttpTransport, role: Role, endpoints: Endpoints, key: Secret | None) -> None:
        self._http, self._role, self._endpoints, self._key = http, role, endpoints, key
        self._backoff = Backoff()
        self._patient = aiohttp.ClientTimeout(
            total=None, sock_connect=_CONNECT_S, sock_read=role.timeout_s
        )  # a file takes as long as it takes; silence does not

    async def upload(self, place: str, name: str, content: bytes) -> str:
        """The file's name there."""

        async def once(_: int) -> str:
            form = aiohttp.MultipartWriter("form-data")
            form.append("batch").set_content_disposition("form-data", name="purpose")
            part = form.append(io.BytesIO(content), {"Content-Type": "application/jsonl"})
            part.set_content_disposition("form-data", name="file", filename=name)
            kind = {"Content-Type": form.content_type}
            tree = await self._asked("POST", place, "files", data=form, headers=kind, timeout=self._patient)
            return _name(tree, place)

        return await self._patiently(place, once)

    async def create(self, place: str, file: str, path: str, *, fresh: bool) -> str:
        """The name of the batch of a file; there is never a second one.

        Before each try that may not be the first, the server's list is looked through.

        Args:
            place: the endpoint.
            file: its name there.
            path: the kind of call.
            fresh: surely no batch was made of it yet.

        Raises:
            Unlisted: one may have been made, and the server lists none.
        """
        body = orjson.dumps({"input_file_id": file, "endpoint": f"/v1/{path}", "completion_window": "24h"})

        async def once(tried: int) -> str:
            try:
                found = None if fresh and not tried else await self._find(place, file)
            except _Unanswered as unanswered:
                if not unanswered.fault.again:
                    raise Unlisted(unanswered.fault.failure) from None
                raise
            return found or _name(await self._asked("POST", place, "batches", data=body), place)

        return await self._patiently(place, once)

    async def ended(self, place: str, batch: str) -> Json:
        """What the server says of a batch when it has ended."""

        async def once(_: int) -> Json:
            return await self._asked("GET", place, f"batches/{batch}")

        while True:
            found = await self._patiently(place, once)
            if str(found.get("status")).lower() in ENDED:
                return found | {"status": str(found["status"]).lower()}
            await self._endpoints.pause(self._role.batch_poll_s or POLL_S)

    async def answers(self, place: str, file: str, take: Callable[[Told], Awaitable[None]]) -> None:
        """Hands on what stands in a file of outputs or errors, piece by piece.

        After an interruption it begins again.
        """

        async def read(stream: aiohttp.StreamReader) -> None:
            told: Told = []
            async for line, cut in self._lines(stream):
                found = read_line(line, place, cut=cut)
                told += [] if found is None else [found]
                if len(told) == _TOGETHER:
                    await take(told)
                    told = []
            await take(told)

        async def once(_: int) -> None:
            await self._asked(
                "GET", place, f"files/{file}/content", read=read, timeout=self._patient, whole=False
            )

        await self._patiently(place, once)

    async def _lines(self, stream: aiohttp.StreamReader) -> AsyncIterator[tuple[bytes, bool]]:
        lines = Lines(int(self._role.max_reply_mb * 10**6))
        while piece := await stream.readany():
            for line, cut in lines.feed(piece):
                yield self._scrubbed(line), cut
        for line, cut in lines.end():
            yield self._scrubbed(line), cut

    def _scrubbed(self, line: bytes) -> bytes:
        return line if self._key is None else self._key.scrub_bytes(line)

    async def _find(self, place: str, file: str) -> str | None:
        """The batch that was made of a file, if there is one that did not fail."""
        after: dict[str, str] = {}
        for _ in range(_MOST_PAGES):
            tree = await self._asked("GET", place, "batches", params={"limit": str(_PER_PAGE)} | after)
            listed = cast(list[Json], tree.get("data") or [])
            for batch in listed:
                if batch.get("input_file_id") == file and str(batch.get("status")).lower() != "failed":
                    return _name(batch, place)
            if not tree.get("has_more") or not listed:
                break
            after = {"after": _name(listed[-1], place)}
        return None

    async def _asked(self, method: str, place: str, path: str, *, whole: bool = True, **sent: Any) -> Json:
        """The JSON object that the server answers; with `whole=False` the answer was read already."""
        try:
            answer = await self._http.request(method, place, path, **sent)
        except Broken as broken:
            raise _Unanswered(Fault(broken.failure, broken.failure.retryable)) from None
        if answer.status == 201:
            answer = Answer(200, answer.headers, answer.body, tree_of(answer.body))
        fault = fault_of(answer, place, answered=True, key_env=self._role.key_env)
        if fault is not None:
            raise _Unanswered(fault)
        if whole and not isinstance(answer.tree, dict):
            raise _Unanswered(_strange(place))
        return cast(Json, answer.tree)

    async def _patiently(self, place: str, once: Callable[[int], Awaitable[Value]]) -> Value:
        tried, troubled_s = 0, 0.0
        while True:
            try:
                return await once(tried)
            except _Unanswered as unanswered:
                fault = unanswered.fault
            if not fault.again:
                raise Refused(fault.failure)
            now = time.monotonic()
            tried, troubled_s = tried + 1, troubled_s or now
            busy = fault.failure.cls is FailureClass.RATE_LIMIT
            patience = self._role.patience_s if busy else self._role.outage_s
            left_s = troubled_s + patience - now
            if left_s <= 0:
                raise Stop(_away(place, patience, fault.failure.message))
            await self._endpoints.pause(min(left_s, self._backoff.wait_s(tried, fault.wait_s)))


def _name(tree: Json, place: str) -> str:
    found = tree.get("id")
    if not isinstance(found, str) or not found or "/" in found:
        raise _Unanswered(_strange(place))
    return found


def _strange(place: str) -> Fault:
    return Fault(CallFailure(FailureClass.BAD_JSON, "not the protocol of batches", place), again=True)


def _away(place: str, seconds: float, trouble: str) -> MissingInput:
    return MissingInput(
        f"the batch server gives no answer for {seconds:g} seconds ({trouble})",
        place=place,
        hint="run again: what was handed over is asked about, and not sent twice",
    )
