"""One command in several processes that find each other on the loopback, as torchrun starts them."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path


def run_in_processes(
    arguments: list[str], *, count: int, cwd: Path | None = None
) -> list[tuple[int, str, str]]:
    """Exit code, output and errors of each process of `python ARGUMENTS`."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    shared = {
        **os.environ, "WORLD_SIZE": str(count), "LOCAL_WORLD_SIZE": str(count), "OMP_NUM_THREADS": "1",
        "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "NO_COLOR": "1", "HF_HUB_OFFLINE": "1",
    }  # fmt: skip
    started = [
        subprocess.Popen(
            [sys.executable, *arguments], cwd=cwd, text=True,
            env={**shared, "RANK": str(number), "LOCAL_RANK": str(number)},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )
        for number in range(count)
    ]  # fmt: skip
    told = [process.communicate(timeout=240) for process in started]
    return [(process.returncode, *each) for process, each in zip(started, told, strict=True)]
