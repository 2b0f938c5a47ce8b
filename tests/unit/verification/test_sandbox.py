"""The sandbox: what a program may do and what it may not, and what becomes of those that try."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from zhiling.verification import sandbox
from zhiling.verification.sandbox import Limits, NoSandbox, Outcome, available, run

isolated = pytest.mark.skipif(
    sys.platform != "linux" or not available(), reason="programs cannot be isolated on this system"
)
C = "import ctypes; c = ctypes.CDLL(None, use_errno=True); "


@isolated
def test_a_program_is_told_by_how_it_ends() -> None:
    programs = {
        "passed": ["x = 1", "y = x + 1", "assert y == 2"],
        "failed": ["assert 1 == 2, '一不等于二'"],
        "error": ["1 / 0"],
        "broken": ["def f(:"],
        "timeout": ["while True: pass"],
        "memory": ["x = 'a' * 10**10"],
        "killed": ["import os; os._exit(0)"],
    }
    outcomes = run(list(programs.values()), Limits(seconds=1.5))
    assert [outcome.status for outcome in outcomes] == list(programs)
    assert outcomes[1].detail == "AssertionError: 一不等于二"
    assert outcomes[4].detail in (
        "no end within 1.5 s of the processor",
        "no end within 7 s",
    )  # if it is busy
    slept = run([["import time; time.sleep(9)"]], Limits(seconds=0.1))[0]
    assert slept == Outcome("timeout", "no end within 2 s")
    assert run([]) == []


@isolated
@pytest.mark.parametrize(
    "code",
    [
        "import sys; sys.exit(0)",
        "import os; os.write(4, b'passed'); os._exit(0)",
        "import os; [os.write(n, b'passed x') for n in range(3, 9)]; os._exit(0)",
        "import sys; sys.excepthook = lambda *_: None; assert False",
        "import atexit, os; atexit.register(os._exit, 0); assert False",
    ],
)
def test_leaving_early_is_not_passing(code: str) -> None:
    assert run([[code]])[0].status != "passed"


@isolated
@pytest.mark.parametrize(
    "code",
    [
        "import socket; socket.socket()",
        "import os; os.fork()",
        "import subprocess; subprocess.run(['true'])",
        "open({folder!r} + '/written', 'w')",
        "import os; os.remove({file!r})",
        "import os; os.chmod({file!r}, 0o777)",
        "open('/dev/zero', 'rb')",
        C + "assert not c.mount(b'tmpfs', b'/tmp', b'tmpfs', 0, None)",
        C + "assert not c.umount2(b'/proc', 2)",
        C + "assert not c.unshare(0x10000000)",
        "open('big', 'wb').write(bytes(3 << 20))",
        "[open(str(n), 'wb').write(bytes(1 << 20)) for n in range(100)]",
        "import os, pathlib; assert pathlib.Path(f'/proc/{pid}').exists()",
        "input()",
    ],
)
def test_what_a_program_may_not_do(code: str, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.write_text("kept", encoding="utf-8")
    code = code.replace("{folder!r}", repr(str(tmp_path))).replace("{file!r}", repr(str(kept)))
    code = code.replace("{pid}", str(os.getpid()))
    assert run([[code]], Limits(file_mb=2))[0].status in ("error", "failed")
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


@isolated
def test_what_a_program_may_do() -> None:
    programs = [
        ["open('a', 'w').write('x')", "assert open('a').read() == 'x'"],
        ["import os; assert os.listdir() == []"],  # nothing of the program before is left
        ["import os; assert set(os.environ) <= {'LANG', 'LC_CTYPE'}, os.environ"],
        ["import threading; t = threading.Thread(target=print); t.start(); t.join()"],
        ["import asyncio; asyncio.run(asyncio.sleep(0))"],
        ["import tempfile; tempfile.TemporaryFile()"],
        ["print('中文' * 100000)"],
    ]
    assert [outcome for outcome in run(programs) if outcome.status != "passed"] == []


@isolated
def test_packages_are_there_only_on_request() -> None:
    assert run([["import numpy"]])[0].detail == "ModuleNotFoundError: No module named 'numpy'"
    limits = Limits(memory_mb=4096, seconds=60)
    assert run([["import numpy; assert numpy.ones(3).sum() == 3"]], limits, packages=True) == [
        Outcome("passed")
    ]


def test_where_nothing_can_be_isolated_nothing_is_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: Any, **__: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess([], 3, "", "unshare: Operation not permitted")

    monkeypatch.setattr(sandbox.subprocess, "run", refused)
    with pytest.raises(NoSandbox, match=r"unshare: Operation not permitted[\s\S]*user namespaces"):
        run([["pass"]])
    assert not available()
    monkeypatch.setattr(sandbox.sys, "platform", "darwin")
    with pytest.raises(NoSandbox, match="darwin"):
        run([["pass"]])
