"""generation.13: of wrong replies of a teacher, how many do the checks of each method catch?

    python benchmarks/generation/scripted.py

Each method is run on a passage, a seed or a row in English and in Chinese, against replies that stand in
scripted.yaml: right ones, ones that are wrong in a way that its checks claim to catch, and some that are
wrong beyond that. Caught is what makes no row. The class must be the claimed one.

`chosen_again` judges rows of its own: there a case names its row and what is chosen in either order, a text
or a number, and caught is every row that is not kept.
"""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson
import polars as pl
from ruamel.yaml import YAML

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1]), str(HERE.parent)]

from record import record, row  # noqa: E402

from zhiling.curation.judge import Judge  # noqa: E402
from zhiling.llm.asking import Asks  # noqa: E402
from zhiling.llm.verdict import Ask, Outcome, judged  # noqa: E402
from zhiling.pipeline.step import Context, Decide, Measure  # noqa: E402
from zhiling.rows.conversation import dialogue, nest  # noqa: E402
from zhiling.synthesis.backtranslate import Backtranslate  # noqa: E402
from zhiling.synthesis.dialogue import Dialogue  # noqa: E402
from zhiling.synthesis.document_qa import DocumentQA  # noqa: E402
from zhiling.synthesis.self_instruct import SelfInstruct  # noqa: E402
from zhiling.synthesis.teacher import TeacherMake  # noqa: E402
from zhiling.verification.chosen_again import ChosenAgain  # noqa: E402

METHODS: Mapping[str, Asks] = {
    "document_qa": DocumentQA(), "self_instruct": SelfInstruct(), "backtranslate": Backtranslate(),
    "dialogue": Dialogue(facts=2), "judge": Judge(),
    "chosen_again": ChosenAgain(),
}  # fmt: skip
INSTANCE = {"input": "", "output": "Done, in three lines. 完成了，一共三行。"}


class Scripted:
    """Gives each ask of a method its reply; asks of another stage get one that is right."""

    def __init__(self, method: str, language: str, reply: Any, script: Mapping[str, Any]) -> None:
        self._method, self._language, self._reply, self._script = method, language, reply, script

    def ask(self, role: str, asks: Sequence[Ask]) -> list[Outcome]:
        """Judged as the engine judges a reply."""
        return [judged(self._payload(ask), ask, stored=False) for ask in asks]

    def _payload(self, ask: Ask) -> bytes:
        told = self._told("".join(message["content"] for message in ask.request.body()["messages"]))
        text = told if isinstance(told, str) else orjson.dumps(told).decode()
        return orjson.dumps({"text": text, "finish": "stop", "model": "script"})

    def _told(self, prompt: str) -> Any:
        if self._method == "self_instruct":
            return INSTANCE if '"output"' in prompt else {"instruction": self._reply}
        if self._method == "backtranslate":
            return {"instruction": self._reply}
        if self._method == "chosen_again":
            return self._choice(re.findall(r"<choice \w+>\n(.*)\n</choice", prompt))
        if self._method != "dialogue":
            return self._reply
        if '"turns"' not in prompt:
            return self._script["dialogue"]["plan"][self._language]
        speakers = ("user", "assistant")
        return {"turns": [{"speaker": speakers[n % 2], "text": text} for n, text in enumerate(self._reply)]}

    def _choice(self, shown: Sequence[str]) -> Any:
        """What is chosen among these, by what the case says of the row's order or of the other one."""
        given = self._script["chosen_again"]["rows"][self._language][self._reply["row"]]["choices"]
        told = self._reply["told"][shown != given]
        return {"choice": shown.index(told) + 1 if told in shown else told}


def choosing(given: Mapping[str, Any], language: str) -> pl.DataFrame:
    """A row with choices."""
    names = ["question", *["choice"] * len(given["choices"])]
    said = pl.DataFrame({"text": [given["question"], *given["choices"]], "name": names})
    messages = nest(said.with_columns(role=pl.lit("user")), [said.height])
    target = orjson.dumps({"choice": given["choices"].index(given["right"])}).decode()
    return pl.DataFrame(
        {"id": [f"{0:032x}"], "messages": messages, "language": [language], "target": [target]}
    )


def rows_for(method: str, language: str, script: Mapping[str, Any]) -> pl.DataFrame:
    """One row of the kind that the method is about; its seeds for self_instruct."""
    texts = (
        script["self_instruct"]["seeds"][language] if method == "self_instruct" else ["How much? 多少钱？"]
    )
    if method in ("self_instruct", "judge"):
        replies = pl.Series(["A reply. 回复。"] * len(texts))
        messages, task = dialogue({"user": pl.Series(texts), "assistant": replies}), "dialogue"
    else:
        messages, task = dialogue({"document": pl.Series([script["passages"][language]])}), "passage"
    count = len(messages)
    ids = [f"{number:032x}" for number in range(count)]
    return pl.DataFrame(
        {"id": ids, "messages": messages, "task": [task] * count, "language": [language] * count}
    )


def outcome(method: str, language: str, reply: Any, script: Mapping[str, Any], folder: Path) -> str:
    """The class of the failure that a reply becomes; empty where it makes a row."""
    step = METHODS[method]
    if method == "chosen_again":
        rows = choosing(script[method]["rows"][language][reply["row"]], language)
    else:
        rows = rows_for(method, language, script)
    models = Scripted(method, language, reply, script)
    context = Context("x", seed=1, load_models=lambda _: models, state=folder)
    step.fit(rows, context, folder)
    rows = rows.head(1)
    if isinstance(step, Measure):
        return step.measure(rows, context)["failure"][0] or ""
    if isinstance(step, Decide):
        line = step.decide(rows, context).row(0, named=True)
        return line["failure"] or line["reason"] or ""
    assert isinstance(step, TeacherMake)
    made = step.make(rows, context)
    return made.failures[0].cls if made.failures else ""


def replies(cases: Mapping[str, Sequence[Any]]) -> Iterator[tuple[str, Any]]:
    """Language and reply of each case."""
    return ((language, reply) for language, found in cases.items() for reply in found)


def measured(method: str, script: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """A method's row."""
    part = script[method]
    right = [outcome(method, *case, script, folder) for case in replies(part["right"])]
    wrong = [
        (cls, outcome(method, *case, script, folder))
        for cls, cases in part["wrong"].items()
        for case in replies(cases)
    ]
    beyond = [outcome(method, *case, script, folder) for case in replies(part["beyond"])]
    for cls, found in wrong:
        if found != cls:
            print(f"{method}: {cls} was told as {found or 'right'}", file=sys.stderr)
    return row(
        f"generation.13.{method}", f"`{method}`: wrong replies that are caught, with the right class",
        sum(cls == found for cls, found in wrong) / len(wrong), 1.0, "higher", n=len(wrong), unit="share",
        step=method, data=f"{len(right)} right and {len(wrong)} wrong scripted replies, half Chinese",
        beside={"right replies refused": sum(map(bool, right)),
                "wrong beyond the claims": len(beyond), "of these caught": sum(map(bool, beyond))},
        note="wrong in ways that its checks claim to catch; what lies beyond only a judge could refuse",
    )  # fmt: skip


if __name__ == "__main__":
    yaml: Any = YAML(typ="safe")
    told = yaml.load((HERE / "scripted.yaml").read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as scratch:
        found = []
        for name in METHODS:
            place = Path(scratch) / name
            place.mkdir()
            found.append(measured(name, told, place))
    for each in found:
        print(each["id"], each["value"], each["n"], each["beside"], file=sys.stderr)
    print(record("generation", found), file=sys.stderr)
