"""Replies that outlive a run, and the ledger of every call that was sent: two tables in `zhiling.sqlite`.

A reply is found by the hash of what was really sent, the identity of its role, the sample's number and how
often it was asked for; so any run that asks the same again reads it and sends nothing. A call stands in the
ledger before it is sent, at the most that it can cost; its true cost replaces that when the answer is stored,
in the same transaction as the answer. What a kill leaves behind stays counted at its most.
"""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, NamedTuple

from zhiling.llm.role import PICO
from zhiling.pipeline.database import Database

_KEY_BYTES = 16
_SCHEME = b"1"
_KEYS_PER_QUERY = 500


class Slot(NamedTuple):
    """Where one reply stands.

    Attributes:
        key: the hash of request and role.
        sample: its number among the samples of that request.
        ask: 0 at first; 1 where a malformed reply was asked for again; 2 and 3, 4 and 5, … when what had
            failed was asked for anew.
    """

    key: bytes
    sample: int
    ask: int


class Sent(NamedTuple):
    """A call about to be sent, at the most that it can cost."""

    run: str
    session: int
    number: int
    role: str
    pico: int
    prompt: int
    completion: int


class Settled(NamedTuple):
    """What a call did cost; `state` says how that is known: `done`, `free` or `unknown` (its most stands)."""

    state: str
    pico: int
    prompt: int
    completion: int
    seconds: float
    run: str
    session: int
    number: int


class Awaited(NamedTuple):
    """A call whose answer comes by a batch file: its slots, its request, and its line in the ledger.

    Attributes:
        key: of its slots, as `ask`; their numbers are `first` and those that follow it.
        file: that it stands in; empty until it is written.
    """

    key: bytes
    ask: int
    first: int
    samples: int
    role: str
    file: str
    path: str
    body: bytes
    run: str
    session: int
    number: int

    @property
    def custom_id(self) -> str:
        """The name of its line, by which its answer is found."""
        return f"{self.key.hex()}-{self.ask}-{self.first}"


class Posted(NamedTuple):
    """A batch file that is handed to a server.

    Attributes:
        file: its name here.
        endpoint: the server.
        id: its name there; None until it is uploaded.
        batch: the batch that was made of it; None where that is not known.
    """

    file: str
    endpoint: str
    id: str | None = None
    batch: str | None = None


class Aside(NamedTuple):
    """What was set aside for a call, and when (seconds since 1970)."""

    pico: int
    prompt: int
    completion: int
    at: int


@dataclass
class Batch:
    """What one transaction writes."""

    sent: list[Sent] = field(default_factory=list[Sent])
    settled: list[Settled] = field(default_factory=list[Settled])
    replies: list[tuple[Slot, bytes]] = field(default_factory=list[tuple[Slot, bytes]])
    awaited: list[Awaited] = field(default_factory=list[Awaited])
    answered: list[Awaited] = field(default_factory=list[Awaited])


@dataclass(frozen=True)
class Spending:
    """What a run's calls came to: settled ones at their cost, all others at the most that they can cost."""

    calls: int = 0
    pico: int = 0
    prompt: int = 0
    completion: int = 0
    unsettled: int = 0

    @property
    def usd(self) -> float:
        """Money in US dollars."""
        return self.pico / PICO

    @property
    def tokens(self) -> int:
        """Tokens of prompts and replies."""
        return self.prompt + self.completion


class CallFacts(NamedTuple):
    """What one answered call took."""

    prompt: int
    completion: int
    seconds: float


def store_key(identity: str, path: str, body: bytes) -> bytes:
    """The key of a request: its role's identity, the kind of call, and every byte of its body."""
    hasher = blake2b(_SCHEME, digest_size=_KEY_BYTES, key=path.encode())
    hasher.update(identity.encode())
    hasher.update(body)
    return hasher.digest()


class ResponseStore(Database):
    """Replies and calls; one thread at a time."""

    group = "responses"
    version = 1
    what = "stored replies"
    tables = {
        "responses": (
            "CREATE TABLE IF NOT EXISTS responses (key BLOB NOT NULL, sample INTEGER NOT NULL,"
            " ask INTEGER NOT NULL, reply BLOB NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (key, sample, ask))"
        ),
        "calls": (
            "CREATE TABLE IF NOT EXISTS calls (run TEXT NOT NULL, session INTEGER NOT NULL,"
            " number INTEGER NOT NULL, role TEXT NOT NULL, state TEXT NOT NULL, pico INTEGER NOT NULL,"
            " prompt INTEGER NOT NULL, completion INTEGER NOT NULL, seconds REAL, at INTEGER NOT NULL,"
            " PRIMARY KEY (run, session, number)) WITHOUT ROWID"
        ),
        "batch_files": (
            "CREATE TABLE IF NOT EXISTS batch_files"
            " (number INTEGER PRIMARY KEY AUTOINCREMENT, role TEXT NOT NULL)"
        ),
        "awaited": (
            "CREATE TABLE IF NOT EXISTS awaited (key BLOB NOT NULL, ask INTEGER NOT NULL,"
            " first INTEGER NOT NULL, samples INTEGER NOT NULL, role TEXT NOT NULL, file TEXT NOT NULL,"
            " path TEXT NOT NULL, body BLOB NOT NULL, run TEXT NOT NULL, session INTEGER NOT NULL,"
            " number INTEGER NOT NULL, PRIMARY KEY (key, ask, first))"
        ),
        "posted": (
            "CREATE TABLE IF NOT EXISTS posted (file TEXT PRIMARY KEY, endpoint TEXT NOT NULL, id TEXT,"
            " batch TEXT) WITHOUT ROWID"
        ),
    }

    def commit(self, batch: Batch) -> None:
        """Writes all of it or nothing; waits for another writer up to `wait_s`.

        Raises:
            RunBusy: another process did not stop writing.
            StepFailed: the disk is full or not writable.
        """
        now = int(time.time())
        with self._writing() as connection:
            connection.executemany(
                "INSERT INTO calls (run, session, number, role, state, pico, prompt, completion, at)"
                " VALUES (?, ?, ?, ?, 'sent', ?, ?, ?, ?)",
                [(*sent, now) for sent in batch.sent],
            )
            connection.executemany(
                "UPDATE calls SET state = ?, pico = ?, prompt = ?, completion = ?, seconds = ?"
                " WHERE run = ? AND session = ? AND number = ?",
                batch.settled,
            )
            connection.executemany(
                "INSERT OR IGNORE INTO responses VALUES (?, ?, ?, ?, ?)",
                [(*slot, reply, now) for slot, reply in batch.replies],
            )
            connection.executemany(
                "INSERT OR IGNORE INTO awaited VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", batch.awaited
            )
            connection.executemany(
                "DELETE FROM awaited WHERE key = ? AND ask = ? AND first = ? AND session = ? AND number = ?",
                [(*line[:3], line.session, line.number) for line in batch.answered],
            )

    def awaited(self, keys: Iterable[bytes]) -> list[Awaited]:
        """Calls for these requests whose answers are awaited."""
        query = "SELECT * FROM awaited WHERE key = ?"
        return [Awaited(*line) for key in dict.fromkeys(keys) for line in self._lines_of_batches(query, key)]

    def awaited_of(self, role: str) -> list[Awaited]:
        """Calls of a role whose answers are awaited, by file and in the order in which they were noted."""
        query = "SELECT * FROM awaited WHERE role = ? ORDER BY file, rowid"
        return [Awaited(*line) for line in self._lines_of_batches(query, role)]

    def awaited_in(self, role: str, file: str) -> list[Awaited]:
        """Those of a role that stand in one file; in none yet: an empty name."""
        query = "SELECT * FROM awaited WHERE role = ? AND file = ? ORDER BY rowid"
        return [Awaited(*line) for line in self._lines_of_batches(query, role, file)]

    def awaited_as(self, custom_id: str) -> Awaited | None:
        """The call with this name, if its answer is awaited."""
        match = re.fullmatch(r"([0-9a-f]{32})-(\d{1,9})-(\d{1,9})", custom_id)
        if match is None:
            return None
        query = "SELECT * FROM awaited WHERE key = ? AND ask = ? AND first = ?"
        values = bytes.fromhex(match[1]), int(match[2]), int(match[3])
        return next((Awaited(*line) for line in self._lines_of_batches(query, *values)), None)

    def name_batch(self, role: str) -> str | None:
        """Puts all calls of a role that stand in no file yet into a new one; None where there are none."""
        query = "SELECT 1 FROM awaited WHERE role = ? AND file = '' LIMIT 1"
        if not self._lines_of_batches(query, role):
            return None
        with self._writing() as connection:
            file = _new_file(connection, role)
            connection.execute("UPDATE awaited SET file = ? WHERE role = ? AND file = ''", (file, role))
        return file

    def post(self, role: str, endpoint: str, lines: Sequence[Awaited]) -> dict[str, str]:
        """Puts calls that stand in no file yet into a new one for a server; by name, where each stands now.

        One that is awaited no longer is left out.

        A file is known to be for a server from the moment on that it is named: so what was written for
        people is never posted.
        """
        places = [line[:3] for line in lines]
        which = "WHERE key = ? AND ask = ? AND first = ?"
        with self._writing() as connection:
            file = _new_file(connection, role)
            connection.executemany(
                f"UPDATE awaited SET file = ? {which} AND file = ''",  # noqa: S608
                [(file, *place) for place in places],
            )
            connection.execute("INSERT INTO posted (file, endpoint) VALUES (?, ?)", (file, endpoint))
            query = f"SELECT file FROM awaited {which}"  # noqa: S608
            return {line.custom_id: name for line in lines for (name,) in connection.execute(query, line[:3])}

    def posted(self) -> dict[str, Posted]:
        """All files for servers, by name."""
        if not self._read("SELECT 1 FROM sqlite_master WHERE name = 'posted'"):
            return {}
        return {line[0]: Posted(*line) for line in self._read("SELECT file, endpoint, id, batch FROM posted")}

    def roles_with_servers(self) -> set[str]:
        """Roles with calls in files that servers have and whose answers nobody stored yet."""
        if not self._read("SELECT 1 FROM sqlite_master WHERE name = 'posted'"):
            return set()
        query = "SELECT DISTINCT role FROM awaited JOIN posted USING (file) WHERE id IS NOT NULL"
        return {role for (role,) in self._read(query)}

    def note_posted(self, posted: Posted) -> None:
        """Writes down which server has a file, and under which names it knows the file and its batch."""
        with self._writing() as connection:
            connection.execute(
                "UPDATE posted SET endpoint = ?, id = ?, batch = ? WHERE file = ?",
                (*posted[1:], posted.file),
            )

    def line(self, run: str, session: int, number: int) -> tuple[str, int, int, int]:
        """State, 1e-12 USD and tokens of prompt and reply of a line in the ledger."""
        query = (
            "SELECT state, pico, prompt, completion FROM calls WHERE run = ? AND session = ? AND number = ?"
        )
        state, pico, prompt, completion = self._read(query, (run, session, number))[0]
        return state, pico, prompt, completion

    def set_aside(self, role: str) -> dict[str, Aside]:
        """By name, what was set aside for the calls of a role that are awaited."""
        query = (
            "SELECT a.key, a.ask, a.first, c.pico, c.prompt, c.completion, c.at FROM awaited a JOIN calls c"
            " ON c.run = a.run AND c.session = a.session AND c.number = a.number WHERE a.role = ?"
        )
        lines = self._lines_of_batches(query, role)
        return {f"{key.hex()}-{ask}-{first}": Aside(*aside) for key, ask, first, *aside in lines}

    def answer(
        self, line: Awaited, cost: tuple[int, int, int] | None, replies: Sequence[tuple[Slot, bytes]]
    ) -> None:
        """Stores the replies of a call from a batch with its cost, or frees it where there are none.

        Args:
            line: the call; it is awaited no longer.
            cost: 1e-12 USD, tokens of prompt and reply; None where the answer does not count them: then its
                most stands.
            replies: none where the call was not answered: it costs nothing.
        """
        if not replies:
            cost = (0, 0, 0)
        state, place = "done" if replies else "free", (line.run, line.session, line.number)
        settled = [] if cost is None else [Settled(state, *cost, 0, *place)]
        self.commit(Batch(settled=settled, replies=list(replies), answered=[line]))

    def _lines_of_batches(self, query: str, *values: bytes | str | int) -> list[tuple[Any, ...]]:
        """Of a database that is older than batches: none."""
        if not self._read("SELECT 1 FROM sqlite_master WHERE name = 'awaited'"):
            return []
        return self._read(query, values)

    def find(self, keys: Iterable[bytes]) -> dict[Slot, bytes]:
        """All stored replies of these requests."""
        wanted = list(dict.fromkeys(keys))
        found: dict[Slot, bytes] = {}
        for start in range(0, len(wanted), _KEYS_PER_QUERY):
            chunk = wanted[start : start + _KEYS_PER_QUERY]
            marks = ", ".join("?" * len(chunk))
            query = f"SELECT key, sample, ask, reply FROM responses WHERE key IN ({marks})"  # noqa: S608
            found.update(
                (Slot(key, sample, ask), reply) for key, sample, ask, reply in self._read(query, tuple(chunk))
            )
        return found

    def facts(self, run: str) -> dict[str, list[CallFacts]]:
        """Role → what each answered call of a run took."""
        query = "SELECT role, prompt, completion, seconds FROM calls WHERE run = ? AND state = 'done'"
        found: dict[str, list[CallFacts]] = {}
        for role, *facts in self._read(query, (run,)):
            found.setdefault(role, []).append(CallFacts(*facts))
        return found

    def spending(self, run: str) -> Spending:
        """What the calls of a run came to so far."""
        query = (
            "SELECT COALESCE(SUM(state <> 'free'), 0), COALESCE(SUM(pico), 0), COALESCE(SUM(prompt), 0),"
            " COALESCE(SUM(completion), 0), COALESCE(SUM(state = 'sent'), 0) FROM calls WHERE run = ?"
        )
        lines: Sequence[tuple[int, ...]] = self._read(query, (run,))
        return Spending(*lines[0]) if lines else Spending()


def _new_file(connection: sqlite3.Connection, role: str) -> str:
    """The name of a batch file that no other has."""
    number = connection.execute("INSERT INTO batch_files (role) VALUES (?)", (role,)).lastrowid
    return f"{role}-{number:04d}.jsonl"
