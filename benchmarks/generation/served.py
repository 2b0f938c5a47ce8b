"""A fake server in a process of its own, and what it saw."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.request import urlopen


@dataclass(frozen=True)
class Served:
    """A running server."""

    url: str

    def report(self) -> dict[str, Any]:
        """What it saw: requests by the hash of their body, answers, faults, tokens."""
        with urlopen(self.url.removesuffix("/v1") + "/fake", timeout=30) as answer:
            return json.load(answer)


@contextmanager
def served(*options: str) -> Generator[Served]:
    """A server with these options of its command line."""
    command = [sys.executable, "-m", "zhiling.llm.fake_server", *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield Served(process.stdout.readline().strip())
    finally:
        process.terminate()
        process.wait()
