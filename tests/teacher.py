"""A project whose teacher is the fake server: recipes and scripted replies for tests of what asks models."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson
import polars as pl

from zhiling.llm.reply import Reply
from zhiling.llm.verdict import Ask, Outcome, judged
from zhiling.rows.conversation import dialogue
from zhiling.workflow.recipe import Recipe
from zhiling.workflow.run import Run

Script = Callable[[str], Any]
"""From what was said to the model, all turns joined, to its reply: a text, or a value that becomes JSON."""

_FENCED = re.compile(r"<(\w+) ([0-9a-f]{8})>\n(.*)\n</\1 \2>", re.DOTALL)


def fenced_text(prompt: str, name: str = "document") -> str:
    """What stands between the marks of this name."""
    return next(found[3] for found in _FENCED.finditer(prompt) if found[1] == name)


def answering(script: Script) -> Callable[[dict[str, Any]], str]:
    """A script as the fake server's `answer`."""

    def answer(body: dict[str, Any]) -> str:
        told = script("\n".join(message["content"] for message in body["messages"]))
        return told if isinstance(told, str) else orjson.dumps(told).decode()

    return answer


class Scripted:
    """A `Models` that replies by a script, without a server; `asked` counts."""

    def __init__(self, script: Script) -> None:
        self._script, self.asked = script, 0

    def ask(self, role: str, asks: Sequence[Ask]) -> list[Outcome]:
        """Each ask judged as the engine judges a reply."""
        self.asked += len(asks)
        return [judged(self._payload(ask), ask, stored=False) for ask in asks]

    def _payload(self, ask: Ask) -> bytes:
        text = answering(self._script)(ask.request.body())
        return orjson.dumps({"text": text, "finish": "stop", "model": "scripted"})


def any_reply(prompt: str) -> Any:
    """A right reply to any prompt of ours, told apart by the JSON that it asks for."""
    chinese = any("\u4e00" <= letter <= "\u9fff" for letter in prompt.partition(": ")[0])
    text = (
        "写一首关于海边夜晚的短诗，四行。"
        if chinese
        else "Write a short poem of four lines about the sea at night."
    )
    for mark, reply in _REPLIES.items():
        if f'"{mark}"' in prompt:
            return {name: text if value is None else value for name, value in reply.items()}
    raise AssertionError(f"no reply for {prompt[-200:]!r}")


_REPLIES: Mapping[str, Mapping[str, Any]] = {
    "new_text": {"new_text": None},
    "output": {"input": "", "output": None},
    "instruction": {"instruction": None},
    "answerable": {"answerable": True, "evidence": None},
    "choice": {"choice": 1},
    "score": {"reason": None, "score": 4, "sure": True},
}


def passages(texts: Sequence[str]) -> pl.DataFrame:
    """Rows of the task `passage`, as a step is given them."""
    return pl.DataFrame(
        {
            "id": [f"{number:032x}" for number in range(len(texts))],
            "messages": dialogue({"document": pl.Series(texts, dtype=pl.String)}),
            "task": ["passage"] * len(texts),
            "language": pl.Series([None] * len(texts), dtype=pl.String),
        }
    )


class TeacherProject:
    """A folder with a file a passage, and a recipe that asks a teacher about them."""

    def __init__(self, root: Path, url: str, texts: Sequence[str], steps: str, **more: str) -> None:
        self.root, self.url, self.more = root, url, more
        self.role: Mapping[str, Any] = {"outage_s": 0.3, "price": {"in": 1, "out": 1}}
        self.write(texts, steps)

    def write(self, texts: Sequence[str], steps: str) -> None:
        """The files of the project, anew."""
        for number, text in enumerate(texts):
            (self.root / f"{number:04d}.txt").write_text(text + "\n", encoding="utf-8")
        role = {"endpoint": self.url, "model": "m", **self.role}
        sections = "\n".join(f"{name}: {value}" for name, value in self.more.items())
        (self.root / "recipe.yaml").write_text(
            f"name: p\nmodels: {{teacher: {orjson.dumps(role).decode()}}}\n"
            f"sources: [{{id: docs, use: documents, path: '*.txt'}}]\nsteps:\n{steps}\n{sections}\n",
            encoding="utf-8",
        )

    def run(self, **options: Any) -> Run:
        """Runs the recipe up to its rows."""
        return Recipe.load(self.root / "recipe.yaml").run(until="rows", **options)


def texts_of(outcomes: Sequence[Outcome]) -> list[str]:
    """The texts of replies."""
    return [each.text for each in outcomes if isinstance(each, Reply)]
