"""A teacher as a generator of the loop, and a second one as its gate: calls, budget, kill, verdicts."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from enum import StrEnum
from itertools import cycle
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest

pytest.importorskip("sklearn")

from tests.desk_lines import desk
from tests.teacher import answering, fenced_text
from tests.unit.adversarial.test_loop import accepted, counts, rounds
from zhiling.adversarial.guards.rules import Limits, alarms
from zhiling.adversarial.guards.words import told
from zhiling.adversarial.trial import Trial
from zhiling.errors import Interrupted, MissingInput
from zhiling.llm.asking import Said, accepts, said
from zhiling.llm.fake_server import Behaviour, FakeServer, running
from zhiling.llm.reply import Reply
from zhiling.llm.verdict import Ask
from zhiling.pipeline.step import Context
from zhiling.rows.conversation import user_text
from zhiling.rows.target import LABEL
from zhiling.verification.second_reader import SecondReader
from zhiling.workflow.recipe import Recipe
from zhiling.workflow.run import Run

KNOWN, LINES = desk(known=8, lines=60)
GUARDS = {
    "patience": 9, "accepted_most": 1, "accepted_least": 0, "bad_probes": 1, "leak": 1
}  # fmt: skip
TEACHER = {"use": "labelled_texts", "novelty": 1, "share": 0.5}


class Teacher:
    """Says a line of the label that it is asked for, a new one each time."""

    def __init__(self) -> None:
        self.asked = 0
        texts: dict[str, list[str]] = {}
        for text, label in LINES:
            texts.setdefault(label, []).append(text)
        self._texts = {label: cycle(several) for label, several in texts.items()}

    def __call__(self, prompt: str) -> dict[str, Any]:
        self.asked += 1
        return {"new_text": next(self._texts[fenced_text(prompt, "label")])}


def run(
    root: Path, url: str, generators: Sequence[Mapping[str, Any]] = (TEACHER,), *,
    second: str | None = None, gates: Sequence[Mapping[str, Any]] = (),
    budget: Mapping[str, Any] | None = None, **how: Any,
) -> Run:  # fmt: skip
    """A loop whose teacher is at this address; `how` goes to the run."""
    root.mkdir(exist_ok=True)
    rows = [{"text": text, "label": label} for text, label in KNOWN]
    (root / "known.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    (root / "lines.jsonl").write_text("\n".join(json.dumps({"text": t}) for t, _ in LINES), encoding="utf-8")
    role = {"endpoint": url, "model": "m", "outage_s": 0.3, "retries": 0, "price": {"in": 1, "out": 1}}
    roles = {"teacher": role} | ({"second": role | {"endpoint": second}} if second else {})
    block = {"id": "gan", "use": "adversarial", "generators": list(generators), "per_round": 60, "rounds": 3}
    recipe = {
        "name": "loop", "seed": 3, "encoder": {"use": "hashing"}, "max_failed": 0.5,
        "models": roles, "budget": budget or {},
        "sources": [{"id": each, "use": "labelled", "path": f"{each}.jsonl"} for each in ("known", "lines")],
        "steps": [block | {"guards": GUARDS, "gates": list(gates)}],
    }  # fmt: skip
    (root / "recipe.yaml").write_text(json.dumps(recipe), encoding="utf-8")
    return Recipe.load(root / "recipe.yaml").run(until="rows", **how)


def sent(server: FakeServer) -> int:
    return sum(server.seen.values())


def alarmed(done: Run) -> Counter[tuple[str, str]]:
    found = rounds(done)
    rung = [alarms(found[:count], Limits(**GUARDS)) for count in range(1, len(found) + 1)]
    return Counter((alarm.guard, alarm.follows) for each in rung for alarm in each)


class Label(Said):
    """What a second reader says."""

    label: str


class SecondLabeller(SecondReader):
    """Rejects rows to which a second reader gives another label."""

    name = "second_labeller"
    prompts = {"second_label": ("text",)}

    class Reason(StrEnum):
        BROKEN_TARGET = "broken_target"
        OTHER_LABEL = "other_label"

    def posed(self, rows: pl.DataFrame, context: Context) -> Sequence[Any]:
        told = rows.select(user_text(rows["messages"]).alias("text"), LABEL.alias("label"))
        return [SimpleNamespace(**each) for each in told.to_dicts()]

    def asks(self, posed: Any, language: str, root: Path) -> list[Ask]:
        request = self.request("second_label", language, root, {"text": posed.text}, Label)
        return [Ask(request, accept=accepts(Label))]

    def line(self, posed: Any, replies: Sequence[Reply]) -> Mapping[str, Any]:
        right = said(Label, replies[0]).label == posed.label
        return {"verdict": "keep"} if right else {"verdict": "reject", "reason": "other_label"}


def test_a_second_reader_is_a_gate_that_no_score_overrules(tmp_path: Path) -> None:
    """The teacher is right, and the reader denies one label: no row of it is accepted, sure as `match` is."""
    for language in ("en", "zh"):
        prompt = '=== system\nSECOND READER: {"label": …}\n=== user\n{{ text | fenced("text") }}\n'
        (tmp_path / f"{language}.jinja").write_text(prompt, encoding="utf-8")
    teacher, truth = Teacher(), dict(LINES)

    def reply(prompt: str) -> dict[str, Any]:
        if "SECOND READER" not in prompt:
            return teacher(prompt)
        label = truth[fenced_text(prompt, "text")]
        return {"label": "another" if label in ("card", "卡") else label}

    own = {f"second_label.{language}": f"{language}.jinja" for language in ("en", "zh")}
    gate = {"id": "verify", "use": f"{__name__}:SecondLabeller", "model": "teacher", "own_prompts": own}
    with running(Behaviour(answer=answering(reply))) as server:
        done = run(tmp_path, server.url, gates=[gate])
    labels = set(accepted(done)["label"].to_list())
    assert labels == set(truth.values()) - {"card", "卡"}
    assert counts(done, "verify")["other_label"] > 5
    assert done.folder.manifest.results["spent"]["calls"] == sent(server)


def test_a_teacher_writes_rows_that_are_accepted_in_both_languages(tmp_path: Path) -> None:
    with running(Behaviour(answer=answering(Teacher()))) as server:
        done = run(tmp_path, server.url)
        rows = accepted(done)
        truth = dict(LINES)
        assert rows.height > 30
        assert {text.isascii() for text in rows["text"].to_list()} == {True, False}
        right = [truth[text] == label for text, label in rows.select("text", "label").iter_rows()]
        assert sum(right) > 0.9 * len(right)
        assert done.folder.manifest.results["spent"]["calls"] == sent(server)
        assert [each.writing for each in rounds(done)] == [1, 1, 1]


def test_a_killed_loop_pays_for_nothing_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = Trial.write

    def cut(trial: Trial, folder: Path) -> None:
        if folder.parent.parent.name.endswith("r02"):
            monkeypatch.setattr(Trial, "write", write)
            raise KeyboardInterrupt
        write(trial, folder)

    with running(Behaviour(answer=answering(_stateless))) as server:
        whole = run(tmp_path / "whole", server.url)
        asked = sent(server)
        monkeypatch.setattr(Trial, "write", cut)
        with pytest.raises(Interrupted):
            run(tmp_path / "cut", server.url)
        again = run(tmp_path / "cut", server.url)
        assert sent(server) == 2 * asked
        assert again.id == whole.id
        assert accepted(again).equals(accepted(whole))


def _stateless(prompt: str) -> dict[str, Any]:
    """A line of the label that the prompt alone decides."""
    several = [text for text, label in LINES if label == fenced_text(prompt, "label")]
    return {"new_text": several[sum(map(ord, prompt)) % len(several)]}


class Dying(Teacher):
    """Takes its server down when the round begins."""

    def __init__(self, round_: int) -> None:
        super().__init__()
        self.server: FakeServer | None = None
        self._round = round_
        self._loop: asyncio.AbstractEventLoop | None = None

    def __call__(self, prompt: str) -> dict[str, Any]:
        self._loop = asyncio.get_running_loop()
        return super().__call__(prompt)

    def listen(self, event: Mapping[str, Any]) -> None:
        """The run's events tell the round."""
        told = event["event"], event.get("step"), event.get("round")
        if told == ("start", "gan_propose", self._round) and self.server and self._loop:
            asyncio.run_coroutine_threadsafe(self.server.stop(), self._loop).result()


def test_a_teacher_that_dies_in_the_second_round_ends_the_rounds(tmp_path: Path) -> None:
    teacher = Dying(round_=2)
    with running(Behaviour(answer=answering(teacher))) as server:
        teacher.server = server
        done = run(tmp_path, server.url, listen=teacher.listen)
    figures = rounds(done)
    assert [each.gone for each in figures] == [{}, {"labelled_texts": "away"}]
    assert alarmed(done)["none_left", "stop"] == 1
    assert accepted(done).height == figures[0].accepted > 0
    assert done.folder.manifest.state == "finished"
    assert done.counts["attempts"]["failed"]["generator_gone"] == 1
    with running(Behaviour(answer=answering(Teacher()))) as server:
        again = run(tmp_path, server.url, retry_failed=True)  # back: a new run that goes on from there
        assert again.id != done.id
        assert [each.gone for each in rounds(again)] == [{}, {}, {}]
        assert accepted(again).height > accepted(done).height
        assert 0 < sent(server) <= 2 * 28 + 28  # the first round is not asked again


def test_in_the_first_round_a_teacher_that_is_away_ends_the_run(tmp_path: Path) -> None:
    with pytest.raises(MissingInput, match="no answer for"):
        run(tmp_path, "http://127.0.0.1:9/v1")


def test_beside_a_dead_teacher_another_one_goes_on(tmp_path: Path) -> None:
    teacher = Dying(round_=2)
    both = [TEACHER, TEACHER | {"model": "second", "others": 2}]
    with (
        running(Behaviour(answer=answering(teacher))) as server,
        running(Behaviour(answer=answering(Teacher()))) as other,
    ):
        teacher.server = server
        done = run(tmp_path, server.url, both, second=other.url, listen=teacher.listen)
    assert [each.gone for each in rounds(done)] == [{}, {"labelled_texts": "away"}, {}]
    assert set(rounds(done)[1].generators) == set(rounds(done)[2].generators) == {"labelled_texts-2"}
    assert done.folder.manifest.results["spent"]["calls"] >= sent(server) + sent(other) - 1


def test_a_budget_that_is_used_up_ends_the_rounds_with_the_best(tmp_path: Path) -> None:
    with running(Behaviour(answer=answering(Teacher()))) as server:
        done = run(tmp_path, server.url, [TEACHER, {"use": "retrieve"}], budget={"calls": 30})
        assert sent(server) <= 30
    first, second = rounds(done)
    assert first.budget_left is not None
    assert 0 < first.budget_left < 1
    assert (second.gone, second.budget_left) == ({"labelled_texts": "budget"}, 0)
    assert alarmed(done)["budget", "stop"] == 1
    assert done.folder.manifest.state == "finished"
    assert accepted(done).height > 0
    assert any(line.endswith("the budget is used up; the loop ends") for line in spoken(done, "en"))
    assert any("预算已用完；循环结束" in line for line in spoken(done, "zh"))


def spoken(done: Run, language: str) -> list[str]:
    found = rounds(done)
    rung = [alarms(found[:count], Limits(**GUARDS)) for count in range(1, len(found) + 1)]
    return [told(alarm, language) for each in rung for alarm in each]
