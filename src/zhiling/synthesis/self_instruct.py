"""New tasks after the manner of seeds, each with an instance, written by a teacher."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import ClassVar

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import Field

from zhiling.llm.asking import Said, accepts, in_language, said
from zhiling.llm.reply import Reply
from zhiling.llm.verdict import Ask, Complaint
from zhiling.pipeline.step import Context
from zhiling.rows.conversation import flatten, question_text, reply_text
from zhiling.synthesis import rendezvous
from zhiling.synthesis.known_texts import KnownTexts
from zhiling.synthesis.teacher import Draft, TeacherMake, Written

_POOL = "seeds.parquet"
_SHOT = 1000  # draws


class Task(Said):
    """What somebody is asked to do."""

    instruction: str


class Instance(Said):
    """A task carried out: on this input (empty where it needs none) with this output."""

    input: str
    output: str


class SelfInstruct(TeacherMake):
    """Writes new instructions in the manner of the seeds, then carries each of them out.

    Each seed (a conversation with a question and a reply) is shown with `shots` others of its language; the
    teacher writes one task that is unlike them, then an instance of it. A row is instruction and input as the
    user's turn, the output as the reply.

    Failed attempts, beside those of every call: `not_novel` (Jaccard similarity of token pairs to some seed
    above `novelty`), `wrong_language`, `too_short`, `empty_field`, `echo` (the output repeats input or
    instruction). New tasks that resemble each other pass here: put `near_dedup` behind, inside `repeat`.

    Prompts: self_instruct, self_instruct_instance.
    """

    name = "self_instruct"
    about = ("dialogue",)
    stages = 2
    cost: ClassVar[str] = "two calls a row"
    limits: ClassVar[str] = (
        "Whether the output is right is not checked: that takes a `judge`, or a verifier of its task. A task "
        "that says the same in other words is novel here."
    )
    source: ClassVar[str] = (
        "Wang et al. 2023, Self-Instruct. Deviation: Jaccard similarity of token pairs in place of ROUGE-L; "
        "one task a call, so that each is asked anew alone; input and output in one call"
    )
    prompts = {
        "self_instruct": ("examples", "language"),
        "self_instruct_instance": ("instruction", "language"),
    }

    shots: int = Field(5, ge=1, le=32, description="seeds that are shown, the row's own among them")
    novelty: float = Field(0.6, gt=0, le=1, description="most similarity of a new instruction to any seed")

    def reads(self) -> tuple[str, ...]:
        """The seed and its language."""
        return ("messages", "language")

    def applies(self, rows: pl.DataFrame) -> pl.Series:
        """Conversations of texts with a question and a reply that say something."""
        lines = flatten(rows["messages"])
        media = pl.col("media").list.len().fill_null(0) > 0
        busy = lines.filter(media | pl.col("tool_calls").is_not_null())["row"].unique()
        numbers = pl.Series(np.arange(rows.height), dtype=busy.dtype)
        told = (question_text(rows["messages"]), reply_text(rows["messages"]))
        says = [text.str.strip_chars() != "" for text in told]
        return says[0] & says[1] & ~numbers.is_in(busy.implode())

    def fit(self, rows: pl.DataFrame, context: Context, folder: Path) -> None:
        """The seeds: what is shown as examples, and what a new task must be unlike."""
        seeds = rows.filter(self.applies(rows)).sort("id")
        texts = question_text(seeds["messages"])
        languages = pl.Series("prompt", self.languages_of(seeds, texts, context), dtype=pl.String)
        seeds.select("id", texts.alias("text"), languages).write_parquet(folder / _POOL)

    def drafts(self, rows: pl.DataFrame, turns: Sequence[int], context: Context) -> list[Draft]:
        """One task a sample, each with other examples."""
        pool = _pool(context)
        texts = question_text(rows["messages"])
        languages = self.languages_of(rows, texts, context)
        draws = [context.uniform(rows["id"], _SHOT + sample) for sample in range(self.per_input)]
        keys = [rendezvous.keys(drawn) for drawn in draws]
        made: list[Draft] = []
        for place, (row, text, language) in enumerate(
            zip(rows["id"].to_list(), texts.to_list(), languages, strict=True)
        ):
            for sample in range(self.per_input):
                examples = pool.examples(text, language, keys[sample][place], self.shots)
                values = {"examples": examples, "language": language}
                request = self.request("self_instruct", language, context.root, values, Task)
                number = turns[place] + sample
                ask = Ask(request, number, accept=accepts(Task, self._new(pool, language)))
                made.append(Draft((row,), number, language, ask))
        return made

    def _new(self, pool: _Pool, language: str) -> Callable[[Task], Complaint | None]:
        def check(task: Task) -> Complaint | None:
            if (problem := _unfit("instruction", task.instruction, language)) is not None:
                return problem
            similarity, row = pool.known.nearest(task.instruction)
            if similarity <= self.novelty:
                return None
            return Complaint("not_novel", f"{similarity:.2f} like {pool.texts[row][:80]!r}")

        return check

    def onward(self, draft: Draft, reply: Reply, context: Context) -> Draft:
        """The task is carried out."""
        instruction = said(Task, reply).instruction
        values = {"instruction": instruction, "language": draft.language}
        request = self.request("self_instruct_instance", draft.language, context.root, values, Instance)
        ask = Ask(request, draft.sample, accept=accepts(Instance, _instance_check(instruction)))
        return Draft(draft.parents, draft.sample, draft.language, ask, instruction)

    def written(self, draft: Draft, reply: Reply) -> Written:
        """Instruction with input, and output."""
        instance = said(Instance, reply)
        asked = "\n\n".join(filter(None, (draft.about, instance.input)))
        return Written([("user", asked, None), ("assistant", instance.output, None)], "dialogue")


def _instance_check(instruction: str) -> Callable[[Instance], Complaint | None]:
    def check(instance: Instance) -> Complaint | None:
        if not instance.output:
            return Complaint("empty_field", "output is empty")
        if instance.output in (instance.input, instruction):
            return Complaint("echo", f"the output repeats what was asked: {instance.output[:80]!r}")
        return None

    return check


def _unfit(name: str, text: str, language: str) -> Complaint | None:
    """What is wrong with a text that stands alone."""
    if not text:
        return Complaint("empty_field", f"{name} is empty")
    if len(text.split()) < 3 and len(text) < 6:
        return Complaint("too_short", f"{name} is {text!r}")
    return None if in_language(text, language) else Complaint("wrong_language", f"{name}: {text[:80]!r}")


class _Pool:
    """The seeds of a run."""

    def __init__(self, seeds: pl.DataFrame) -> None:
        self.texts: list[str] = seeds["text"].to_list()
        self.known = KnownTexts(seeds["text"])
        self._ids = rendezvous.numbers(seeds["id"])
        self._of: dict[str, NDArray[np.int64]] = {
            str(language): np.flatnonzero((seeds["prompt"] == language).to_numpy())
            for language in seeds["prompt"].unique().to_list()
        }

    def examples(self, own: str, language: str, key: np.uint64, most: int) -> list[str]:
        """The row's own seed among others of its language, in an order that is drawn."""
        seeds = self._of.get(language, np.empty(0, dtype=np.int64))
        near: list[int] = seeds[rendezvous.nearest(self._ids[seeds], key, most + 1)].tolist()
        others = [text for text in dict.fromkeys(self.texts[at] for at in near) if text != own]
        return rendezvous.among(own, others[: most - 1], key)


def _pool(context: Context) -> _Pool:
    path = context.fitted / _POOL
    return _read_pool(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=4)
def _read_pool(path: Path, _changed_ns: int) -> _Pool:
    return _Pool(pl.read_parquet(path))
