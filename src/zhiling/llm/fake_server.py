"""A server of the OpenAI protocol that thinks up its replies and breaks on demand, for tests and benchmarks.

    python -m zhiling.llm.fake_server --latency 0.05 --faults '{"rate_limit": 0.3}' --seed 7

Prints its address and serves until it is stopped. Whether a request meets a fault depends on the seed, the
request's body and how often it came: not on the order of requests. `GET /fake` tells what it saw.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import sys
import threading
from collections import Counter
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Self

import orjson
from aiohttp import web

from zhiling.llm.fake_batches import FakeBatches
from zhiling.llm.fake_replies import embeddings, events, sampled, words
from zhiling.llm.wire import Json

FAULTS = (
    "rate_limit", "server_error", "timeout", "disconnect", "cut", "html", "not_json", "truncated", "empty",
    "refusal", "bad_json", "slow_stream", "endless", "huge",
)  # fmt: skip
"""What can go wrong, each with a share from 0 to 1."""
_BILLED = ("timeout", "disconnect", "cut")
"""Faults that come when the model has done its work: its tokens count."""
Answer = Callable[[Json], str]
_HUGE_PIECE = b" " * 2**20
_PAGE = "<html><title>502 Bad Gateway</title><body><h1>502 Bad Gateway</h1></body></html>"
_SIGN_IN = "<html><body>Sign in to the network</body></html>"


@dataclass(frozen=True)
class Behaviour:
    """How the server behaves.

    Attributes:
        latency_s: before each answer.
        faults: name of `FAULTS` → share of requests that meet it.
        seed: of the faults.
        key: what `Authorization` must hold; None: anything.
        models: names that are known; none: all are.
        retry_after_s: what a 429 asks for; None: it says nothing.
        hang_s: how long a timeout lasts, and the pauses of a slow stream.
        huge_mb: how much a huge answer holds.
        answer: what is replied to a request's body; None: words drawn from the body's hash.
        most_words: longest reply that is thought up.
        batch_s: from the creation of a batch to its end.
        batch_faults: name of `BATCH_FAULTS` → share of batches that meet it.
    """

    latency_s: float = 0.0
    faults: Mapping[str, float] = field(default_factory=dict[str, float])
    seed: int = 0
    key: str | None = None
    models: tuple[str, ...] = ()
    retry_after_s: float | None = 0.05
    hang_s: float = 5.0
    huge_mb: int = 100
    answer: Answer | None = None
    most_words: int = 20
    batch_s: float = 0.0
    batch_faults: Mapping[str, float] = field(default_factory=dict[str, float])


class FakeServer:
    """Serves on a free port of this machine; an asynchronous context manager.

    Attributes:
        seen: body digest → how often it was asked.
        answered: body digest → how often a whole reply was sent.
        met: fault → how often.
        prompt_tokens: what a server would bill, with what never arrived.
        completion_tokens: as well.
    """

    def __init__(self, behaviour: Behaviour | None = None, port: int = 0) -> None:
        self.behaviour, self.port = behaviour or Behaviour(), port
        self.seen, self.answered, self.met = Counter[str](), Counter[str](), Counter[str]()
        self.in_flight = self.most_in_flight = 0
        self.prompt_tokens = self.completion_tokens = 0
        does = self.behaviour
        self.batches = FakeBatches(self._line, does.batch_s, does.batch_faults, does.seed)
        self._runner: web.ServerRunner | None = None

    @property
    def url(self) -> str:
        """What a role names as its endpoint."""
        return f"http://127.0.0.1:{self.port}/v1"

    async def start(self) -> Self:
        """Begins to serve."""
        self._runner = web.ServerRunner(web.Server(self._serve), shutdown_timeout=0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port, backlog=1024)
        await site.start()
        self.port = self._runner.addresses[0][1]
        return self

    async def stop(self) -> None:
        """Ends serving; open connections are closed."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.path == "/fake":
            return _json(self._report())
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            if request.path.startswith(("/v1/files", "/v1/batches")):
                return await self._batch(request)
            return await self._reply(request, await request.read())
        finally:
            self.in_flight -= 1

    def _report(self) -> Json:
        return {
            "seen": dict(self.seen), "answered": dict(self.answered), "met": dict(self.met),
            "most_in_flight": self.most_in_flight,
            "prompt_tokens": self.prompt_tokens, "completion_tokens": self.completion_tokens,
        }  # fmt: skip

    async def _reply(self, request: web.BaseRequest, data: bytes) -> web.StreamResponse:
        does = self.behaviour
        if (stranger := self._stranger(request)) is not None:
            return stranger
        try:
            body: Json = orjson.loads(data)
        except orjson.JSONDecodeError:
            return _error(400, "the body is no JSON", "invalid_request")
        if does.models and body.get("model") not in does.models:
            return _error(404, f"The model `{body.get('model')}` does not exist", "model_not_found")
        digest = blake2b(data, digest_size=8).hexdigest()
        self.seen[digest] += 1
        fault = self._fault(digest)
        if does.latency_s:
            await asyncio.sleep(does.latency_s)
        if fault is not None:
            self.met[fault] += 1
            if fault in _BILLED:
                self._answer(request.path, body, digest, None)
            broken = await self._broken(fault, request)
            if broken is not None:
                return broken
        answer = self._answer(request.path, body, digest, fault)
        self.answered[digest] += 1
        if body.get("stream"):
            return await self._stream(request, answer, fault)
        return _json(answer)

    def _stranger(self, request: web.BaseRequest) -> web.Response | None:
        given, key = request.headers.get("Authorization", "none"), self.behaviour.key
        if key is None or given == f"Bearer {key}":
            return None
        return _error(401, f"Incorrect API key provided: {given}", "invalid_api_key")

    async def _batch(self, request: web.BaseRequest) -> web.StreamResponse:
        found = self._stranger(request) or await self.batches.answer(request)
        if found is None:
            return _error(404, f"no {request.path}", "not_found")
        if isinstance(found, bytes):
            return web.Response(body=found, content_type="application/jsonl")
        return found if isinstance(found, web.StreamResponse) else _json(found)

    def _line(self, path: str, body: Json) -> Json | bytes | None:
        """What a batch makes of one request, with the faults that one over HTTP would meet."""
        digest = blake2b(orjson.dumps(body), digest_size=8).hexdigest()
        if self.behaviour.models and body.get("model") not in self.behaviour.models:
            return {"response": {"status_code": 404, "body": {"error": {"message": "no such model"}}}}
        self.seen[digest] += 1
        fault = self._fault(digest)
        if fault is not None:
            self.met[fault] += 1
        if fault in ("rate_limit", "server_error"):
            status = 429 if fault == "rate_limit" else 500
            return {"response": {"status_code": status, "body": {"error": {"message": fault}}}}
        answer = self._answer(path, body, digest, fault)
        if fault in _BILLED:
            error = {"code": "request_timeout", "message": "the model took too long"}
            return {"response": None, "error": error} if fault == "timeout" else None
        if fault == "not_json":
            return _SIGN_IN.encode()
        self.answered[digest] += 1
        return {"response": {"status_code": 200, "request_id": digest, "body": answer}}

    def _fault(self, digest: str) -> str | None:
        """The fault of this try, drawn from seed, body and number of the try."""
        if not self.behaviour.faults:
            return None
        draw = f"{self.behaviour.seed} {digest} {self.seen[digest]}".encode()
        number = int.from_bytes(blake2b(draw, digest_size=8).digest(), "little") / 2**64
        for name, share in self.behaviour.faults.items():
            if number < share:
                return name
            number -= share
        return None

    async def _broken(self, fault: str, request: web.BaseRequest) -> web.StreamResponse | None:
        """What a fault of the transport answers; None where the fault is in the reply itself."""
        does = self.behaviour
        if fault == "rate_limit":
            asked = {} if does.retry_after_s is None else {"Retry-After": f"{does.retry_after_s:g}"}
            return _error(429, "Rate limit reached", "rate_limit_exceeded", asked)
        if fault == "server_error":
            return _error(500, "The server had an error", "server_error")
        if fault == "html":
            return web.Response(status=502, text=_PAGE, content_type="text/html")
        if fault == "not_json":
            return web.Response(text=_SIGN_IN, content_type="text/html")
        if fault == "timeout":
            await asyncio.sleep(does.hang_s)
            return _error(504, "too late", "timeout")
        if fault in ("disconnect", "cut"):
            return await _cut(request, whole=fault == "cut")
        if fault in ("huge", "endless"):
            return await self._flood(request, endless=fault == "endless")
        return None

    async def _flood(self, request: web.BaseRequest, *, endless: bool) -> web.StreamResponse:
        """A body far larger than any reply, or one that never ends."""
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        with contextlib.suppress(ConnectionError):
            await response.prepare(request)
            sent = 0
            while endless or sent < self.behaviour.huge_mb:
                await response.write(_HUGE_PIECE)
                sent += 1
                await asyncio.sleep(0)
        return response

    def _answer(self, path: str, body: Json, digest: str, fault: str | None) -> Json:
        if path.endswith("/embeddings"):
            answer = embeddings(body)
        else:
            does = self.behaviour
            number = int(digest, 16) ^ does.seed
            text = does.answer(body) if does.answer else words(body, number, does.most_words)
            answer = sampled(path, body, text, fault)
        self.prompt_tokens += answer["usage"]["prompt_tokens"]
        self.completion_tokens += answer["usage"].get("completion_tokens", 0)
        return answer

    async def _stream(self, request: web.BaseRequest, answer: Json, fault: str | None) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        with contextlib.suppress(ConnectionError):
            await response.prepare(request)
            for event in events(answer):
                await response.write(b"data: " + orjson.dumps(event) + b"\n\n")
                if fault == "slow_stream":
                    await asyncio.sleep(self.behaviour.hang_s)
            await response.write(b"data: [DONE]\n\n")
        return response


def _json(tree: Json) -> web.Response:
    return web.Response(body=orjson.dumps(tree), content_type="application/json")


def _error(status: int, message: str, code: str, headers: Mapping[str, str] | None = None) -> web.Response:
    body = orjson.dumps({"error": {"message": message, "type": "error", "code": code}})
    return web.Response(status=status, body=body, headers=headers, content_type="application/json")


async def _cut(request: web.BaseRequest, *, whole: bool) -> web.StreamResponse:
    """Closes the connection: before any byte, or in the middle of a promised body."""
    response = web.StreamResponse(headers={"Content-Type": "application/json", "Content-Length": "500"})
    if whole:
        await response.prepare(request)
        await response.write(b'{"id": "fake", "choices": [{"mess')
    if request.transport is not None:
        request.transport.close()
    return response


@contextlib.contextmanager
def running(behaviour: Behaviour | None = None) -> Generator[FakeServer]:
    """A server in a thread of its own, for code that is not asynchronous."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="fake-server", daemon=True)
    thread.start()
    server = FakeServer(behaviour)
    try:
        asyncio.run_coroutine_threadsafe(server.start(), loop).result()
        yield server
    finally:
        asyncio.run_coroutine_threadsafe(server.stop(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def serve(behaviour: Behaviour, port: int) -> None:
    """Serves until it is cancelled; the address is the first line of stdout."""
    async with FakeServer(behaviour, port) as server:
        sys.stdout.write(f"{server.url}\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m zhiling.llm.fake_server", description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before each answer")
    parser.add_argument("--faults", type=json.loads, default={}, help="JSON: fault → share of requests")
    parser.add_argument("--retry-after", type=float, default=None, help="seconds that a 429 asks for")
    parser.add_argument("--batch", type=float, default=0.0, help="seconds that a batch takes")
    parser.add_argument("--seed", type=int, default=0)
    told = parser.parse_args()
    if unknown := set(told.faults) - set(FAULTS):
        parser.error(f"unknown faults {sorted(unknown)}; known: {', '.join(FAULTS)}")
    behaviour = Behaviour(
        told.latency, told.faults, told.seed, retry_after_s=told.retry_after, batch_s=told.batch
    )
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(behaviour, told.port))


if __name__ == "__main__":
    main()
