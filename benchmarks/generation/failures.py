"""generation.4: one reply of 50 that is no JSON, and one row of 50 on which the step raises: who is lost?

python benchmarks/generation/failures.py
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1]), str(HERE.parent)]

from record import record, row  # noqa: E402

from benchmarks.generation import projects  # noqa: E402
from zhiling.llm.fake_server import Behaviour, running  # noqa: E402
from zhiling.llm.reply import Reply  # noqa: E402
from zhiling.synthesis.backtranslate import Backtranslate  # noqa: E402
from zhiling.synthesis.teacher import Draft, Written  # noqa: E402

COUNT = 50


def lost(word: str) -> dict[str, int]:
    """What became of 50 rows of which one holds the word: rows made, failed attempts, calls sent again."""
    texts = [projects.text(number) for number in range(COUNT)]
    texts[17] += f" {word}"
    with tempfile.TemporaryDirectory() as folder, running(Behaviour(answer=projects.instruction)) as server:
        projects.write(Path(folder), server, texts)
        counts = projects.run(Path(folder)).counts
        asked_twice = sum(server.seen.values()) - len(server.seen)
        failed = sum(counts["attempts"]["failed"].values())
        return {"made": counts["made"], "failed": failed, "asked twice": asked_twice}


def raising() -> dict[str, int]:
    """The same with a step that raises."""
    whole = Backtranslate.written

    def written(step: Backtranslate, draft: Draft, reply: Reply) -> Written:
        if projects.RAISING in draft.about:
            raise ValueError("this step cannot")
        return whole(step, draft, reply)

    Backtranslate.written = written
    try:
        return lost(projects.RAISING)
    finally:
        Backtranslate.written = whole


if __name__ == "__main__":
    cases = (
        ("a", "one reply that is no JSON", lost(projects.BAD)),
        ("b", "one row on which the step raises", raising()),
    )
    rows = [
        row(
            f"generation.4{letter}", f"{what}: others of the batch that are lost",
            COUNT - 1 - found["made"], 0, "lower", n=COUNT, unit="rows", beside=found,
            data=f"{COUNT} texts of the script in one batch",
            note="a reply that is no JSON is asked for once more",
        )
        for letter, what, found in cases
    ]  # fmt: skip
    print(record("generation", rows), file=sys.stderr)
