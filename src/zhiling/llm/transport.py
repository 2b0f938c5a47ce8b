"""One request over HTTP and its answer, bounded in time and size; certificates are always verified."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.request import getproxies, proxy_bypass

import aiohttp
import orjson
from yarl import URL

from zhiling.errors import MissingInput
from zhiling.llm.endpoints import Endpoint
from zhiling.llm.failures import CallFailure, FailureClass, Stop
from zhiling.llm.reply import NotTheProtocol
from zhiling.llm.role import Role, Secret
from zhiling.llm.streaming import Assembler

_CONNECT_S = 10.0
_MEGABYTE = 10**6
Reader = Callable[[aiohttp.StreamReader], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server answered: always a status; `tree` where it is JSON."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    tree: Any = None


class Broken(Exception):
    """No whole answer came.

    Attributes:
        failure: its class and what happened.
        charged: whether the server may have worked, and bill for it.
        unreachable: no connection came about.
    """

    def __init__(self, failure: CallFailure, *, charged: bool = True, unreachable: bool = False) -> None:
        super().__init__(failure.message)
        self.failure, self.charged, self.unreachable = failure, charged, unreachable


class Transport(Protocol):
    """How a request reaches a model: over HTTP, or in this process."""

    async def send(self, endpoint: Endpoint, path: str, body: bytes) -> Answer:
        """The answer.

        Raises:
            Broken: none came, or not all of it.
            Stop: no request can succeed.
        """
        ...

    async def close(self) -> None:
        """Lets go of connections."""
        ...


class HttpTransport:
    """A pool of connections of one role; needs a running event loop."""

    def __init__(self, role: Role, key: Secret | None) -> None:
        self._key, self._timeout_s, self._stream = key, role.timeout_s, role.stream
        self._most_bytes = int(role.max_reply_mb * _MEGABYTE)
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if key is not None:
            headers["Authorization"] = f"Bearer {key.reveal()}"
        self._session = aiohttp.ClientSession(
            headers=headers,
            connector=aiohttp.TCPConnector(limit=0, ttl_dns_cache=60),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=role.timeout_s, sock_connect=_CONNECT_S),
        )
        self._targets: dict[tuple[str, str], tuple[URL, URL | None]] = {}

    async def send(self, endpoint: Endpoint, path: str, body: bytes) -> Answer:
        """The answer; its body is scrubbed of the key."""
        return await self.request("POST", endpoint.url, path, data=body)

    async def request(
        self, method: str, place: str, path: str, *, read: Reader | None = None, **sent: Any
    ) -> Answer:
        """The answer to any request of the protocol, its body scrubbed of the key.

        Args:
            method: of HTTP.
            place: the endpoint.
            path: what follows it.
            read: takes the body of a 200 that is too large to be held; it is not scrubbed.
            sent: what else aiohttp's request takes.

        Raises:
            Broken: no whole answer came.
            Stop: no request can succeed.
        """
        url, proxy = self._target(place, path)
        try:
            async with self._session.request(
                method, url, proxy=proxy, allow_redirects=False, **sent
            ) as response:
                if response.status == 200 and response.content_type == "text/event-stream":
                    return Answer(200, response.headers, b"", await self._assembled(response, place))
                if response.status == 200 and read is not None:
                    await read(response.content)
                    return Answer(200, response.headers, b"")
                body = await self._read(response, place)
        except aiohttp.ClientConnectorCertificateError as error:
            raise Stop(_untrusted(place, error)) from None
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise self._broken(
                place, f"cannot be reached ({error})", charged=False, unreachable=True
            ) from None
        except TimeoutError:
            failure = CallFailure(FailureClass.TIMEOUT, f"no answer in {self._timeout_s:g} seconds", place)
            raise Broken(failure) from None
        except (aiohttp.ClientError, OSError) as error:
            raise self._broken(place, f"the answer broke off ({type(error).__name__}: {error})") from None
        return Answer(
            response.status, response.headers, body, tree_of(body) if response.status == 200 else None
        )

    async def close(self) -> None:
        """Closes all connections."""
        await self._session.close()

    async def _read(self, response: aiohttp.ClientResponse, place: str) -> bytes:
        pieces, size = list[bytes](), response.content_length or 0
        if size <= self._most_bytes:
            size = 0
            while piece := await response.content.readany():
                pieces.append(piece)
                size += len(piece)
                if size > self._most_bytes:
                    break
        if size > self._most_bytes:
            raise self._too_large(response, place)
        whole = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        return whole if self._key is None else self._key.scrub_bytes(whole)

    async def _assembled(self, response: aiohttp.ClientResponse, place: str) -> dict[str, Any]:
        assembler, size = Assembler(), 0
        try:
            while not assembler.done and (piece := await response.content.readany()):
                size += len(piece)
                if size > self._most_bytes:
                    raise self._too_large(response, place)
                assembler.feed(piece)
            answer = assembler.answer()
        except NotTheProtocol as error:
            raise self._broken(place, str(error)) from None
        if self._key is None:
            return answer
        return orjson.loads(self._key.scrub_bytes(orjson.dumps(answer)))

    def _too_large(self, response: aiohttp.ClientResponse, place: str) -> Broken:
        response.close()
        megabytes = self._most_bytes / _MEGABYTE
        return Broken(CallFailure(FailureClass.TOO_LARGE, f"the answer passes {megabytes:g} MB", place))

    def _broken(self, place: str, message: str, **known: bool) -> Broken:
        message = self._key.scrub(message) if self._key else message
        return Broken(CallFailure(FailureClass.SERVER, message, place), **known)

    def _target(self, place: str, path: str) -> tuple[URL, URL | None]:
        """Address and proxy, worked out once: reading the environment costs as much as a request."""
        found = self._targets.get((place, path))
        if found is None:
            base = URL(place)
            url = base.with_path(f"{base.path.rstrip('/')}/{path}", keep_query=True)
            named = None if proxy_bypass(base.host or "") else getproxies().get(base.scheme)
            found = self._targets[place, path] = (url, URL(named) if named else None)
        return found


def tree_of(body: bytes) -> Any:
    """The JSON of a body; None where it is none."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None


def _untrusted(place: str, error: Exception) -> MissingInput:
    return MissingInput(
        f"no trusted connection ({error})",
        place=place,
        hint="certificates are always verified: name the host as its certificate does, and let SSL_CERT_FILE"
        " point to the authority that signed it",
    )
