"""One request over HTTP: certificates, redirects, compressed bodies, proxies; every end is a typed one."""

from __future__ import annotations

import asyncio
import gzip
import shutil
import socket
import ssl
import subprocess
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from zhiling.errors import MissingInput, UsageError
from zhiling.llm.answers import fault_of
from zhiling.llm.endpoints import Endpoint
from zhiling.llm.failures import FailureClass, Stop
from zhiling.llm.pace import Pace
from zhiling.llm.role import Role
from zhiling.llm.transport import Answer, Broken, HttpTransport

Handler = Callable[[web.BaseRequest], Coroutine[Any, Any, web.StreamResponse]]
PATH = "chat/completions"


def asked(
    handler: Handler, *, tls: ssl.SSLContext | None = None, base: str = "v1", **settings: Any
) -> Answer:
    """What comes of one request to a server that does this."""

    async def story() -> Answer:
        runner = web.ServerRunner(web.Server(handler), shutdown_timeout=0)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
        await site.start()
        url = f"{'https' if tls else 'http'}://127.0.0.1:{runner.addresses[0][1]}/{base}"
        try:
            return await sent(url, **settings)
        finally:
            await runner.cleanup()

    return asyncio.run(story())


async def sent(url: str, **settings: Any) -> Answer:
    transport = HttpTransport(Role.model_validate({"endpoint": url, "model": "m"} | settings), None)
    try:
        return await transport.send(Endpoint(url, 1, Pace(), asyncio.get_running_loop().time), PATH, b"{}")
    finally:
        await transport.close()


def test_the_path_is_joined_and_a_query_stays() -> None:
    async def tell(request: web.BaseRequest) -> web.Response:
        return web.json_response({"asked": request.path_qs, "type": request.content_type})

    for base, path in (
        ("v1", f"/v1/{PATH}"),
        ("v1/", f"/v1/{PATH}"),
        ("x?version=2", f"/x/{PATH}?version=2"),
    ):
        assert asked(tell, base=base).tree == {"asked": path, "type": "application/json"}


def test_a_compressed_body_is_bounded_by_what_it_grows_to() -> None:
    async def bomb(request: web.BaseRequest) -> web.Response:
        return web.Response(body=gzip.compress(bytes(30 * 10**6)), headers={"Content-Encoding": "gzip"})

    with pytest.raises(Broken) as caught:
        asked(bomb, max_reply_mb=1)
    assert caught.value.failure.cls is FailureClass.TOO_LARGE


def test_an_announced_body_that_is_too_large_is_not_read() -> None:
    async def large(request: web.BaseRequest) -> web.Response:
        return web.Response(body=bytes(2 * 10**6))

    with pytest.raises(Broken, match="passes 1 MB"):
        asked(large, max_reply_mb=1)


def test_a_redirect_is_told_and_not_followed() -> None:
    async def away(request: web.BaseRequest) -> web.Response:
        return web.Response(status=308, headers={"Location": "http://127.0.0.1:9/elsewhere"})

    answer = asked(away)
    with pytest.raises(Stop) as caught:
        fault_of(answer, "http://here/v1", answered=False, key_env=None)
    assert isinstance(caught.value.error, UsageError)


def test_a_certificate_that_nobody_trusts_ends_the_run(tmp_path: Path) -> None:
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("openssl is not installed: no certificate can be made")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    make = [program, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=127.0.0.1", "-days", "1"]
    subprocess.run([*make, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)

    async def fine(request: web.BaseRequest) -> web.Response:
        return web.json_response({})

    with pytest.raises(Stop, match="no trusted connection") as caught:
        asked(fine, tls=tls)
    assert isinstance(caught.value.error, MissingInput)


def test_a_server_without_tls_behind_https_cannot_be_reached() -> None:
    async def fine(request: web.BaseRequest) -> web.Response:
        return web.json_response({})

    async def story() -> None:
        runner = web.ServerRunner(web.Server(fine), shutdown_timeout=0)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        try:
            await sent(f"https://127.0.0.1:{runner.addresses[0][1]}/v1")
        finally:
            await runner.cleanup()

    with pytest.raises(Broken, match="cannot be reached") as caught:
        asyncio.run(story())
    assert (caught.value.unreachable, caught.value.charged) == (True, False)


def test_a_name_that_does_not_exist_cannot_be_reached() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(Broken, match="cannot be reached") as caught:
            asyncio.run(sent(f"http://127.0.0.1:{unused.getsockname()[1]}/v1"))
    assert caught.value.unreachable


def test_the_environments_proxy_is_used_but_not_for_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    async def proxy(request: web.BaseRequest) -> web.Response:
        seen.append(request.headers["Host"])
        return web.json_response({"by": "proxy"})

    async def story() -> Answer:
        runner = web.ServerRunner(web.Server(proxy), shutdown_timeout=0)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{runner.addresses[0][1]}")
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        try:
            return await sent("http://models.example/v1")
        finally:
            await runner.cleanup()

    assert asyncio.run(story()).tree == {"by": "proxy"}
    assert seen == ["models.example"]
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(Broken):
            asyncio.run(sent(f"http://127.0.0.1:{unused.getsockname()[1]}/v1"))
    assert len(seen) == 1
