"""Files and batches of the fake server: in memory, worked on when they are created, told some time later."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b

import orjson
from aiohttp import BodyPartReader, web

from zhiling.llm.wire import Json

BATCH_FAULTS = ("failed", "full", "expired", "cancelled", "unheard")
"""What can befall a batch: refused, too much at once, ended half-way in two ways, created without a word."""
Work = Callable[[str, Json], Json | bytes | None]
"""From path and body to the rest of a line of answers; None: there is no line; bytes: a spoilt one."""


@dataclass
class FakeBatches:
    """What `/files` and `/batches` answer.

    Attributes:
        work: computes one request.
        takes_s: from the creation of a batch to its end.
        faults: name of `BATCH_FAULTS` → share of batches that meet it.
        seed: of the faults.
        files: name → content.
        batches: name → what is told about it, and when it ends.
    """

    work: Work
    takes_s: float = 0.0
    faults: Mapping[str, float] = field(default_factory=dict[str, float])
    seed: int = 0
    files: dict[str, bytes] = field(default_factory=dict[str, bytes])
    batches: dict[str, tuple[Json, float]] = field(default_factory=dict[str, tuple[Json, float]])

    async def answer(self, request: web.BaseRequest) -> Json | bytes | None:
        """A JSON object, a file's content, or None where there is no such thing."""
        kind, *rest = request.path.removeprefix("/v1/").split("/")
        match (request.method, kind, *rest):
            case ("POST", "files"):
                return self._keep(await _uploaded(request))
            case ("POST", "batches"):
                return await self._create(orjson.loads(await request.read()), request)
            case ("GET", "batches"):
                return self._page(request.query)
            case ("GET", "batches", name) if name in self.batches:
                return self._told(name)
            case ("GET", "files", name, "content"):
                return self.files.get(name)
            case _:
                return None

    def _keep(self, content: bytes) -> Json:
        name = f"file-{len(self.files):04d}"
        self.files[name] = content
        return {"id": name, "object": "file", "bytes": len(content), "purpose": "batch"}

    async def _create(self, asked: Json, request: web.BaseRequest) -> Json:
        name, fault = f"batch-{len(self.batches):04d}", self.draws()
        batch: Json = {"id": name, "object": "batch", "status": "in_progress", **asked}
        end = {"expired": "expired", "cancelled": "cancelled", "failed": "failed", "full": "failed"}
        told = batch | {"status": end.get(fault, "completed")}
        if told["status"] == "failed":
            code = "token_limit_exceeded" if fault == "full" else "invalid_request"
            told["errors"] = {"object": "list", "data": [{"code": code, "message": "not taken", "line": 1}]}
        else:
            told |= self._worked(self.files[asked["input_file_id"]], told["status"])
        self.batches[name] = told, time.monotonic() + self.takes_s
        if fault == "unheard" and request.transport is not None:
            request.transport.close()
        await asyncio.sleep(0)
        return batch

    def _worked(self, content: bytes, status: str) -> Json:
        """Computes all lines, or half of them, and keeps the files of outputs and errors."""
        lines = [orjson.loads(line) for line in content.splitlines()]
        until = len(lines) if status == "completed" else len(lines) // 2
        outputs, errors = list[bytes](), list[bytes]()
        for number, line in enumerate(lines):
            made = (
                self.work(line["url"], line["body"])
                if number < until
                else {"response": None, "error": {"code": f"batch_{status}", "message": f"batch {status}"}}
            )
            if isinstance(made, bytes):
                outputs.append(made)
            elif made is not None:
                good = (made["response"] or {}).get("status_code") == 200
                told = {"id": f"line-{number}", "custom_id": line["custom_id"], "error": None, **made}
                (outputs if good else errors).append(orjson.dumps(told))
        found: Json = {}
        for name, rows in (("output_file_id", outputs[::-1]), ("error_file_id", errors)):
            found[name] = self._keep(b"\n".join(rows))["id"] if rows else None
        return found

    def draws(self) -> str:
        """The fault of the next batch; empty: none."""
        draw = f"{self.seed} batch {len(self.batches)}".encode()
        number = int.from_bytes(blake2b(draw, digest_size=8).digest(), "little") / 2**64
        for name, share in self.faults.items():
            if number < share:
                return name
            number -= share
        return ""

    def _told(self, name: str) -> Json:
        told, ends_s = self.batches[name]
        if time.monotonic() >= ends_s:
            return told
        return {key: told[key] for key in ("id", "object", "input_file_id")} | {"status": "in_progress"}

    def _page(self, query: Mapping[str, str]) -> Json:
        """The newest first, `limit` of them behind `after`."""
        names = sorted(self.batches, reverse=True)
        start = names.index(query["after"]) + 1 if "after" in query else 0
        page = names[start : start + int(query.get("limit", 20))]
        more = start + len(page) < len(names)
        return {"object": "list", "data": [self._told(name) for name in page], "has_more": more}


async def _uploaded(request: web.BaseRequest) -> bytes:
    content = bytearray()
    async for part in await request.multipart():
        if isinstance(part, BodyPartReader) and part.name == "file":
            while piece := await part.read_chunk(2**20):  # `read` takes no more than a megabyte
                content += piece
    return bytes(content)
