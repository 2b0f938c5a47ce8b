"""Python programs run apart from everything: no network, no file but their own, little time and memory.

Each call starts one process in namespaces of its own (user, network, mount, IPC, process: Linux). In there
all files are read-only, no device can be opened, the working folder is an empty one in memory (64 MB), the
environment is empty, rights are dropped, limits hold for time, memory and file size, and a filter of system
calls refuses sockets and further processes (threads may be had). Where any of this cannot be had, nothing is
run.

What it does not cover: a program can read the files that its user can read. It can look at the frames of the
code that runs it, so one that is written to cheat may pass. A hole of the kernel is open to it: programs of
people who mean harm belong into a virtual machine.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path
from typing import Literal

from zhiling.errors import UsageError

Status = Literal["passed", "failed", "error", "broken", "timeout", "memory", "killed"]
"""Came to its end; an assertion did not hold; raised; is no Python; took too long or too much memory; was
ended by the system, or left before its end."""

_REFUSED = 3
_START_S = 30.0


class NoSandbox(UsageError):
    """Programs cannot be isolated here, so none is run."""


@dataclass(frozen=True)
class Limits:
    """What one program may use.

    Attributes:
        seconds: of the processor, rounded up to whole ones.
        memory_mb: of address space.
        file_mb: of one file; all files together may have 64 MB.
    """

    seconds: float = 5.0
    memory_mb: int = 512
    file_mb: int = 16

    @property
    def waited_seconds(self) -> float:
        """Of time, running or waiting; enough for a machine that is busy with other work."""
        return 10 * self.seconds + 1


@dataclass(frozen=True)
class Outcome:
    """What became of a program; `detail` is the error in a line."""

    status: Status
    detail: str = ""


def run(
    programs: Sequence[Sequence[str]], limits: Limits = Limits(), *, packages: bool = False
) -> list[Outcome]:
    """What becomes of each program, alone in a process and an empty folder of its own.

    Args:
        programs: each a list of parts (set-up, code, test) that run one after another with common names.
        limits: for each of them.
        packages: whether they can import what is installed here, beside the standard library.

    Raises:
        NoSandbox: this system cannot isolate them.
    """
    if not programs:
        return []
    if sys.platform != "linux":
        raise NoSandbox(f"code cannot be isolated on {sys.platform!r}", hint="run this step on Linux")
    with tempfile.TemporaryDirectory(prefix="zhiling-sandbox-") as folder:
        told = asdict(limits) | {"waited_seconds": limits.waited_seconds}
        order = {"limits": told, "programs": [list(each) for each in programs], "folder": folder}
        child = Path(str(files("zhiling.verification") / "sandbox_child.py"))
        try:
            done = subprocess.run(
                [sys.executable, "-I", *([] if packages else ["-S"]), str(child)],
                input=json.dumps(order), capture_output=True, text=True, check=False, cwd=folder,
                env={"LANG": "C.UTF-8"}, timeout=_START_S + len(programs) * (limits.waited_seconds + 1),
            )  # fmt: skip
        except subprocess.TimeoutExpired as error:
            raise NoSandbox(f"the sandbox did not end within {error.timeout:g} s") from error
    return _outcomes(done, len(programs))


def _outcomes(done: subprocess.CompletedProcess[str], expected: int) -> list[Outcome]:
    lines = done.stdout.splitlines()
    if done.returncode == _REFUSED or len(lines) != expected:
        raise NoSandbox(
            f"code cannot be isolated here: {done.stderr.strip()[-200:] or f'exit code {done.returncode}'}",
            hint="it needs Linux with user namespaces (sysctl kernel.unprivileged_userns_clone=1, or a "
            "container that allows unshare and mount); leave out the step where these are not allowed",
        )
    return [Outcome(**json.loads(line)) for line in lines]


def available() -> bool:
    """Whether programs can be isolated here."""
    try:
        return run([["pass"]])[0].status == "passed"
    except NoSandbox:
        return False
