"""generation.5: what is asked anew when the prompt is changed, a row is added, replies travel in batch files?

python benchmarks/generation/again.py
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1]), str(HERE.parent)]

from record import record, row  # noqa: E402

from benchmarks.generation import projects  # noqa: E402
from zhiling.llm.fake_server import Behaviour, FakeServer, running  # noqa: E402
from zhiling.synthesis.backtranslate import Backtranslate  # noqa: E402
from zhiling.synthesis.teacher import PROMPTS  # noqa: E402

COUNT = 40
BATCH = {"batch": True}


class Project:
    """A project that is run again and again; `new_calls` tells what the last run sent."""

    def __init__(self, root: Path, server: FakeServer) -> None:
        self._root, self._server, self._before = root, server, 0

    def new_calls(self, count: int, **changed: object) -> int:
        """Runs with so many texts, and counts what the server saw of it."""
        projects.write(self._root, self._server, map(projects.text, range(count)), **changed)  # type: ignore[arg-type]
        kept = projects.run(self._root).counts["made"]
        if kept != count:
            raise SystemExit(f"{kept} rows were made of {count}")
        seen = sum(self._server.seen.values())
        self._before, new = seen, seen - self._before
        return new


def measured() -> dict[str, tuple[int, int]]:
    """Change → calls that it made, and calls that it must make."""
    with tempfile.TemporaryDirectory() as folder, running(Behaviour(answer=projects.instruction)) as server:
        root = Path(folder)
        own = root / "own.jinja"
        shipped = (PROMPTS / f"{Backtranslate.name}.en.jinja").read_text("utf-8")
        own.write_text(shipped.replace("=== user", "Be brief.\n=== user", 1), encoding="utf-8")
        prompt = {"own_prompts": {f"{Backtranslate.name}.en": own.name}}
        project = Project(root, server)
        return {
            "first run": (project.new_calls(COUNT), COUNT),
            "nothing changed": (project.new_calls(COUNT), 0),
            "one row added": (project.new_calls(COUNT + 1), 1),
            "batch mode switched on": (project.new_calls(COUNT + 1, role=BATCH), 0),
            "system prompt changed": (project.new_calls(COUNT + 1, step=prompt), COUNT + 1),
            "changed back": (project.new_calls(COUNT + 1), 0),
        }


if __name__ == "__main__":
    found = measured()
    off = sum(abs(calls - wanted) for calls, wanted in found.values())
    rows = [
        row(
            "generation.5", "calls too many or too few after a change", off, 0, "lower", n=len(found),
            unit="calls", beside={name: calls for name, (calls, _) in found.items()},
            data=f"{COUNT} texts of the script", note="beside: new calls of each run",
        )
    ]  # fmt: skip
    print(record("generation", rows), file=sys.stderr)
