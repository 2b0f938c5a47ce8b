"""Batch files: requests that are written down instead of sent, and answers that are read back into the store.

A line is a request of the OpenAI batch form; whoever runs the model answers it whenever it likes. The store
knows what stands in which file: a reply that is awaited is never asked for twice, by a file or directly, and
what it can cost counts from the moment on that it is written.

Source: OpenAI, Batch API (fields `custom_id`, `method`, `url`, `body`; of answers `response`, `error`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import orjson

from zhiling.errors import AwaitingBatch, MissingInput, UsageError
from zhiling.llm.calls import Call, with_samples
from zhiling.llm.failures import CallFailure, FailureClass
from zhiling.llm.journal import Journal
from zhiling.llm.ledger import Note
from zhiling.llm.reply import NotTheProtocol, payloads, usage_of
from zhiling.llm.role import Role
from zhiling.llm.sender import Sender
from zhiling.llm.store import Awaited, ResponseStore, Slot
from zhiling.llm.wire import EmbeddingRequest

FOLDER = "batches"
"""Beside the database."""


class BatchSender(Sender):
    """Writes calls down instead of sending them; otherwise as `Sender`."""

    def await_in(self, journal: Journal, folder: Path) -> None:
        """Where calls are noted, and where their files are written."""
        self._journal, self._folder = journal, folder
        self._awaits = False

    async def send(self, call: Call) -> list[bytes] | CallFailure:
        """Notes what of the call is not awaited yet; the reply is one that does not come now.

        Vectors are asked for directly: one call brings those of many texts.
        """
        if call.path == EmbeddingRequest.path:
            return await super().send(call)
        known = await self._journal.awaited([slot.key for slot in call.slots])
        held = {
            Slot(line.key, sample, line.ask)
            for line in known
            for sample in range(line.first, line.first + line.samples)
        }
        for slots in runs([slot for slot in call.slots if slot not in held]):
            piece = with_samples(call, slots)
            self._ledger.park(await self._ledger.open(self.name, self.role, piece, noted(self.name, piece)))
        self._awaits = True
        return CallFailure(FailureClass.PENDING, "its answer is awaited in a batch file")

    async def finish(self) -> None:
        """Writes new lines into a new file.

        Raises:
            AwaitingBatch: some reply is awaited.
        """
        if not self._awaits:
            return
        self._awaits = False
        file = await self._journal.name_batch(self.name)
        lines = await self._journal.awaited_of(self.name)
        if file is not None:
            self._folder.mkdir(exist_ok=True)
            rows = [request_line(line) for line in lines if line.file == file]
            (self._folder / file).write_bytes(b"\n".join([*rows, b""]))
        files = sorted({line.file for line in lines})
        raise AwaitingBatch(
            f"{len(lines)} requests of role {self.name!r} await their answers in"
            f" {', '.join(f'{FOLDER}/{each}' for each in files)}",
            hint="have them answered, `zhiling batch ANSWERS` for each file of answers, then `zhiling run`",
        )


def runs(slots: Sequence[Slot]) -> Iterator[list[Slot]]:
    """Slots whose samples follow each other."""
    ordered = sorted(slots)
    cuts = [
        0,
        *(at for at, (one, other) in enumerate(pairwise(ordered), 1) if other.sample != one.sample + 1),
    ]
    for start, stop in pairwise([*cuts, len(ordered)]):
        if start < stop:
            yield ordered[start:stop]


def noted(role: str, call: Call) -> Note:
    """The line that awaits a call's answer, in no file yet, once its place in the ledger is known."""
    first = call.slots[0]
    return partial(
        Awaited, first.key, first.ask, first.sample, len(call.slots), role, "", call.path, call.body
    )


def request_line(line: Awaited) -> bytes:
    """A call as it stands in a batch file, without the end of the line."""
    head = {"custom_id": line.custom_id, "method": "POST", "url": f"/v1/{line.path}"}
    return orjson.dumps({**head, "body": orjson.Fragment(line.body)})


@dataclass(frozen=True)
class Answered:
    """What came of a file of answers.

    Attributes:
        stored: requests whose replies are in the store now.
        failed: requests without a reply; the next run writes them into a new file.
        unknown: lines that nobody awaits: answered before, or of another project.
    """

    stored: int
    failed: int
    unknown: int


def read_answers(file: Path, store: ResponseStore, roles: Mapping[str, Role]) -> Answered:
    """Reads a file of answers into the store; a line that was read before changes nothing.

    Raises:
        MissingInput: no such file.
        UsageError: a line that is no answer, or of a role that the recipe does not have.
    """
    counts = {"stored": 0, "failed": 0, "unknown": 0}
    for number, answer in _answers(file):
        place = f"{file.name}:{number}"
        line = store.awaited_as(str(answer.get("custom_id")))
        if line is None:
            counts["unknown"] += 1
            continue
        role = roles.get(line.role)
        if role is None:
            raise UsageError(f"role {line.role!r} is not in the recipe", place=place, hint="name the recipe")
        counts["stored" if _take(answer, line, role, store) else "failed"] += 1
    return Answered(**counts)


def _take(answer: Mapping[str, Any], line: Awaited, role: Role, store: ResponseStore) -> bool:
    """Stores an answer with its cost; False where it holds no reply, and then it is awaited no longer."""
    response: Any = answer.get("response")
    response = cast(dict[str, Any], response) if isinstance(response, dict) else {}
    body = response.get("body")
    try:
        found = payloads(line.path, body, line.samples) if response.get("status_code", 200) == 200 else []
    except NotTheProtocol:
        found = []
    usage = usage_of(cast(dict[str, Any], body)) if found else None
    cost = None if usage is None else (role.price.pico(usage.prompt, usage.completion), *_both(usage))
    slots = [Slot(line.key, line.first + offset, line.ask) for offset in range(line.samples)]
    store.answer(line, cost, list(zip(slots, found, strict=True)) if found else [])
    return bool(found)


def _both(usage: Any) -> tuple[int, int]:
    return usage.prompt, usage.completion


def _answers(file: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    try:
        stream = file.open("rb")
    except FileNotFoundError:
        raise MissingInput("no such file of answers", place=str(file)) from None
    with stream:
        for number, text in enumerate(stream, 1):
            if not text.strip():
                continue
            try:
                value: Any = orjson.loads(text)
            except orjson.JSONDecodeError as error:
                raise UsageError(f"not JSON: {error}", place=f"{file.name}:{number}") from None
            if not isinstance(value, dict) or "custom_id" not in value:
                raise UsageError("a line without `custom_id`", place=f"{file.name}:{number}")
            yield number, cast(dict[str, Any], value)
