"""A real server of somebody else's on loopback, `transformers serve`, says what the same model says in here.

It needs what `pip install "transformers[serving]"` brings, and is skipped where that is missing.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.tiny_lm import CHINESE, ENGLISH, TEMPLATE, write_tiny_lm
from zhiling.llm.engine import Engine
from zhiling.llm.reply import Reply
from zhiling.llm.role import Role
from zhiling.llm.verdict import Ask
from zhiling.llm.wire import ChatRequest, CompletionRequest, Sampling, user

for needed in ("torch", "transformers", "fastapi", "uvicorn", "openai"):
    pytest.importorskip(needed)

pytestmark = pytest.mark.slow
GREEDY = Sampling(temperature=0, max_tokens=16)
START_S = 120


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Trained here until it knows its texts."""
    folder = tmp_path_factory.mktemp("served") / "tiny"
    return write_tiny_lm(folder, kind="llama", template=TEMPLATE, steps=300)


@pytest.fixture(scope="module")
def url(model: Path) -> Generator[str]:
    """The server's address, once it answers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    program = shutil.which("transformers", path=str(Path(sys.executable).parent))
    assert program is not None
    command = [program, "serve", "--host", "127.0.0.1", "--port", str(port), "--device", "cpu"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as server:
        end = time.monotonic() + START_S
        while time.monotonic() < end and server.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.2)
        yield f"http://127.0.0.1:{port}/v1"
        server.terminate()


@pytest.mark.parametrize("stream", [False, True])
def test_a_server_and_the_model_in_this_process_say_the_same(
    model: Path, url: str, stream: bool, tmp_path: Path
) -> None:
    served = Role.model_validate({"endpoint": url, "model": str(model), "stream": stream, "retries": 0})
    asks = [Ask(ChatRequest(user(text), GREEDY), whole=False) for text in (*ENGLISH, *CHINESE)]
    if not stream:
        asks += [Ask(CompletionRequest(text[:6], GREEDY), whole=False) for text in ENGLISH]
    with Engine({"served": served, "local": Role(path=str(model))}, tmp_path / "z.sqlite") as engine:
        theirs, ours = engine.ask("served", asks), engine.ask("local", asks)
        assert [type(each) for each in theirs] == [type(each) for each in ours]
        # Cut at `max_tokens` in the middle of a letter, a stream leaves out what stands of it.
        assert [each.text.rstrip("�") for each in theirs] == [each.text.rstrip("�") for each in ours]
        assert sum(isinstance(each, Reply) for each in theirs) >= len(asks) // 2
        assert engine.spending().unsettled == 0
        assert engine.ask("served", asks)[0].text == theirs[0].text
