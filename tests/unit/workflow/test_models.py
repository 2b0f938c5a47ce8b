"""A run that asks a model: exactly N rows, nothing sent or paid twice, caps, keys, retries."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import orjson
import pytest
from typer.testing import CliRunner

from tests.teacher import TeacherProject, answering, fenced_text
from zhiling.cli.main import app
from zhiling.errors import AwaitingBatch, BudgetReached, MissingInput, RecipeError, ZhilingError
from zhiling.llm.fake_replies import sampled
from zhiling.llm.fake_server import Behaviour, FakeServer, running
from zhiling.pipeline import registry
from zhiling.workflow.check import check
from zhiling.workflow.inspect.rows import select_rows
from zhiling.workflow.interval import Interval
from zhiling.workflow.preview import preview
from zhiling.workflow.recipe import Recipe
from zhiling.workflow.report.collect import collect
from zhiling.workflow.run import open_run
from zhiling.workflow.schema import recipe_schema

PASSAGES = [
    *(
        f"The lock of door {number} opens with code {number}{number}. Change it monthly."
        for number in range(9)
    ),
    *(f"{number}号门的锁用密码{number}{number}打开。请每个月更换一次密码。" for number in range(9)),
]
STEP = "  - {id: qa, use: document_qa, temperature: 0.7}"
KEY = "planted-key-0123456789"


def question(prompt: str, extra: str = "") -> dict[str, Any]:
    """A right reply: the passage's first sentence is the evidence."""
    passage = fenced_text(prompt)
    first = passage.partition("。" if "。" in passage else ".")[0]
    head, tail = ("什么说的是", "文档说：") if "文档" in prompt else ("What is said of ", "It says ")
    return {"question": f"{head}{first}{extra}?", "answer": tail + first, "evidence": [first]}


def sent(server: FakeServer) -> int:
    return sum(server.seen.values())


class Numbered:
    """A teacher that never asks the same question twice."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, prompt: str) -> dict[str, Any]:
        self.count += 1
        return question(prompt, f" {self.count}")


def test_exactly_n_rows_come_of_repeat_and_an_equal_run_sends_nothing(tmp_path: Path) -> None:
    block = f"""  - use: repeat
    until: {{accepted: 30}}
    steps:
    {STEP.strip().replace("{", "{share: 0.5, ")}"""
    with running(Behaviour(answer=answering(Numbered()))) as server:
        project = TeacherProject(tmp_path, server.url, PASSAGES, block)
        run = project.run()
        assert run.counts["kept"] - run.counts["material"] == 30
        assert run.folder.manifest.stages[-1].counts["repeat"] == {
            "rounds": 4,
            "accepted": 30,
            "shortfall": 0,
        }
        asked = sent(server)
        assert asked <= 36  # two laps over the passages: none is asked again before all were asked
        project.run(new=True)
        assert sent(server) == asked
        spent = run.folder.manifest.results["spent"]
        assert (spent["calls"], spent["unsettled"]) == (asked, 0)
        assert run.folder.manifest.usd == pytest.approx(spent["tokens"] / 10**6)


def test_quotas_are_met_language_by_language(tmp_path: Path) -> None:
    block = f"""  - use: repeat
    until: {{column: language, quotas: {{zh: 14, en: 5}}}}
    steps:
      {STEP.strip()}"""
    with running(Behaviour(answer=answering(Numbered()))) as server:
        run = TeacherProject(tmp_path, server.url, PASSAGES, block).run()
        made = run.rows().filter(task="qa")["language"].value_counts()
        assert dict(made.iter_rows()) == {"zh": 14, "en": 5}
        assert run.folder.manifest.stages[-1].counts["repeat"]["shortfall"] == 0


def test_one_passage_more_is_one_call_more(tmp_path: Path) -> None:
    with running(Behaviour(answer=answering(question))) as server:
        project = TeacherProject(tmp_path, server.url, PASSAGES, STEP)
        first = project.run()
        assert sent(server) == len(PASSAGES)
        project.write([*PASSAGES, "A new door has no lock. It has a bolt."], STEP)
        second = project.run()
        assert sent(server) == len(PASSAGES) + 1
        assert (first.id, second.id) == ("p-0001", "p-0002")
        assert second.counts["made"] == len(PASSAGES) + 1


def test_a_cap_pauses_and_a_higher_one_goes_on_in_the_same_run(tmp_path: Path) -> None:
    with running(Behaviour(answer=answering(question))) as server:
        project = TeacherProject(tmp_path, server.url, PASSAGES, STEP, budget="{calls: 7}")
        with pytest.raises(BudgetReached, match="limit of 7 calls") as it:
            project.run()
        assert it.value.exit_code == 4
        paused = open_run(tmp_path)
        assert (paused.folder.manifest.state, sent(server)) == ("paused", 7)
        assert paused.folder.manifest.results["spent"]["calls"] == 7
        with pytest.raises(BudgetReached):
            project.run()
        assert sent(server) == 7
        project.more = {"budget": "{calls: 100}"}
        project.write(PASSAGES, STEP)
        whole = project.run()
        assert (whole.id, whole.folder.manifest.state) == (paused.id, "finished")
        assert sent(server) == len(PASSAGES)


def test_money_is_never_above_its_cap(tmp_path: Path) -> None:
    with running(Behaviour(answer=answering(question))) as server:
        project = TeacherProject(tmp_path, server.url, PASSAGES, STEP, budget="{usd: 0.004}")
        with pytest.raises(BudgetReached, match="USD is reached"):
            project.run()
        assert 0 < open_run(tmp_path).folder.manifest.usd <= 0.004


def test_an_endpoint_that_moved_goes_on_in_the_same_run_and_within_its_limits(tmp_path: Path) -> None:
    with running(Behaviour(answer=answering(question))) as server:
        project = TeacherProject(tmp_path, "http://127.0.0.1:9/v1", PASSAGES, STEP)
        with pytest.raises(MissingInput, match="no answer for"):
            project.run()
        project.url = server.url
        project.write(PASSAGES, STEP)
        assert project.run().id == "p-0001"
        project.role = {**project.role, "model": "another"}
        project.write(PASSAGES, STEP)
        assert project.run().id == "p-0002"
        assert sent(server) == 2 * len(PASSAGES)


KILLED = "import sys; from zhiling.workflow.recipe import Recipe; Recipe.load(sys.argv[1]).run(until='rows')"


def test_after_kill_9_only_what_was_in_flight_is_sent_again(tmp_path: Path) -> None:
    many = [f"Door {number} opens with code {number}. Change it." for number in range(150)]
    with running(Behaviour(latency_s=0.05, answer=answering(question))) as server:
        project = TeacherProject(tmp_path, server.url, many, STEP)
        project.role = {**project.role, "parallel": 8}
        project.write(many, STEP)
        killed = subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path / "recipe.yaml")])
        while sum(server.answered.values()) < 50:
            assert killed.poll() is None
            time.sleep(0.005)
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        while server.in_flight:
            time.sleep(0.01)
        run = project.run()
        assert (run.id, run.counts["made"]) == ("p-0001", 150)
        assert 150 <= sent(server) <= 150 + 8
        assert len(server.seen) == 150


def test_failures_are_attempts_with_a_class_and_only_they_are_asked_anew(tmp_path: Path) -> None:
    mended = False

    def sometimes(prompt: str) -> Any:
        told = question(prompt)
        if "door 3" in prompt and not mended:
            return {**told, "evidence": ["The lock of door 3 is open"]}
        return {**told, "answer": ""} if "3号门" in prompt and not mended else told

    with running(Behaviour(answer=answering(sometimes))) as server:
        project = TeacherProject(tmp_path, server.url, PASSAGES, STEP)
        run = project.run()
        assert run.counts["attempts"]["failed"] == {"not_verbatim": 1, "empty_field": 1}
        assert sent(server) == len(PASSAGES) + 2  # a refused reply is asked for once more
        shown = [
            (row["verdict"], row["reason"], row["detail"]) for row in select_rows(run, states=["failed"])
        ]
        assert sorted(shown) == [
            ("attempt", "empty_field", "answer is empty"),
            ("attempt", "not_verbatim", "the passage does not say 'The lock of door 3 is open'"),
        ]
        project.write([*PASSAGES, "One more. It is new."], STEP)
        with pytest.raises(ZhilingError, match="the recipe has changed"):
            project.run(retry_failed=True)
        (tmp_path / "0018.txt").unlink()
        mended = True
        again = project.run(retry_failed=True)
        assert (again.id, again.counts["made"]) == ("p-0002", len(PASSAGES))
        assert again.counts["attempts"]["failed"] == {}
        assert sent(server) == len(PASSAGES) + 4
        assert project.run(retry_failed=True).id == again.id  # nothing is left to be retried
        assert project.run(new=True).counts["made"] == len(PASSAGES)  # what was mended stays
        assert sent(server) == len(PASSAGES) + 4


@pytest.mark.parametrize(
    ("behaviour", "role", "said"),
    [
        (Behaviour(key="right"), {"key_env": "WRONG_KEY"}, "WRONG_KEY"),
        (Behaviour(models=("real",)), {}, "model"),
    ],
)
def test_what_would_fail_every_call_stops_at_once(
    behaviour: Behaviour, role: dict[str, Any], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WRONG_KEY", KEY)
    with running(behaviour) as server:
        project = TeacherProject(tmp_path, server.url, PASSAGES, STEP)
        project.role = {**project.role, "parallel": 2, **role}
        project.write(PASSAGES, STEP)
        with pytest.raises(ZhilingError, match=said) as it:
            project.run()
        assert KEY not in str(it.value)
        assert server.met == {}
        assert open_run(tmp_path).folder.manifest.state == "failed"


def test_a_planted_key_is_in_no_file_of_the_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEACHER_KEY", KEY)
    with running(Behaviour(key=KEY, answer=answering(question))) as server:
        project = TeacherProject(tmp_path, server.url, PASSAGES, STEP)
        project.role = {**project.role, "key_env": "TEACHER_KEY"}
        project.write(PASSAGES, STEP)
        assert project.run().counts["made"] == len(PASSAGES)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) > len(PASSAGES)
    assert not [path for path in files if KEY.encode() in path.read_bytes()]


def test_a_run_waits_for_its_batch_and_goes_on_when_the_answers_are_read(tmp_path: Path) -> None:
    project = TeacherProject(tmp_path, "http://127.0.0.1:9/v1", PASSAGES, STEP)
    project.role = {**project.role, "batch": True}
    project.write(PASSAGES, STEP)
    with pytest.raises(AwaitingBatch, match=r"zhiling batch ANSWERS"):
        project.run()
    assert open_run(tmp_path).folder.manifest.state == "paused"
    answers: list[bytes] = []
    for line in map(orjson.loads, (tmp_path / "batches" / "teacher-0001.jsonl").read_bytes().splitlines()):
        text = answering(question)(line["body"])
        body = sampled(line["url"], line["body"], text, None)
        answers.append(orjson.dumps({"custom_id": line["custom_id"], "response": {"body": body}}))
    (tmp_path / "answers.jsonl").write_bytes(b"\n".join(answers))
    command = ["batch", str(tmp_path / "answers.jsonl"), "--recipe", str(tmp_path / "recipe.yaml")]
    told = CliRunner().invoke(app, command)
    assert (told.exit_code, told.output.splitlines()[0]) == (
        0,
        "18 requests answered, 0 failed, 0 not awaited",
    )
    run = project.run()
    assert (run.id, run.counts["made"]) == ("p-0001", len(PASSAGES))


# ---- before it is paid ----


def within(interval: Interval, value: float) -> bool:
    return interval.low <= value <= interval.high


@pytest.mark.parametrize("step", [STEP, STEP.replace("0.7", "0.7, per_input: 3, checker: teacher")])
def test_check_asks_nothing_and_its_intervals_hold_what_the_run_takes(step: str, tmp_path: Path) -> None:
    number = Numbered()

    def answer(prompt: str) -> Any:
        if "answerable" not in prompt:
            return number(prompt)
        return {"answerable": True, "evidence": question(prompt)["evidence"][0]}

    with running(Behaviour(latency_s=0.01, answer=answering(answer))) as server:
        project = TeacherProject(tmp_path, server.url, PASSAGES, step)
        project.role = {**project.role, "samples_per_call": 1}
        project.write(PASSAGES, step)
        recipe = Recipe.load(tmp_path / "recipe.yaml")
        guessed = check(recipe).calls.total()
        assert sent(server) == 0
        shown = preview(recipe, "qa")
        assert shown.spent.calls == sent(server) > 0
        measured = check(recipe).calls
        assert measured.steps[0].measured == shown.spent.calls
        run = project.run()
        spent = run.folder.manifest.results["spent"]
        again = shown.spent  # its replies are stored: the run did not ask for them again
        for name in ("calls", "tokens", "usd"):
            actual = spent[name] + getattr(again, name)
            assert within(guessed[name], actual)
            assert within(measured.total()[name], actual)
        widths = [each["tokens"].high - each["tokens"].low for each in (guessed, measured.total())]
        assert widths[1] < widths[0] / 2
        low, _, high = run.folder.manifest.results["estimate"]["tokens"]
        assert low <= spent["tokens"] + again.tokens <= high


def test_a_preview_tells_how_many_rows_pass_and_stays_within_the_budget(tmp_path: Path) -> None:
    def half(prompt: str) -> Any:
        return question(prompt) if "号门" in prompt else {**question(prompt), "evidence": ["no such words"]}

    with running(Behaviour(answer=answering(half))) as server:
        TeacherProject(tmp_path, server.url, PASSAGES[5:13], STEP, budget="{calls: 12}")
        recipe = Recipe.load(tmp_path / "recipe.yaml")
        shown = preview(recipe, "qa", rows=8)
        assert (shown.tried, shown.made, shown.spent.calls) == (8, 4, 12)
        assert {row.verdict["verdict"] for row in shown.rows} == {"attempt", "made"}
        TeacherProject(tmp_path, server.url, [f"{text} " for text in PASSAGES], STEP, budget="{calls: 12}")
        with pytest.raises(BudgetReached):
            preview(Recipe.load(tmp_path / "recipe.yaml"), "qa", sample=12)


def test_the_report_shows_what_was_expected_beside_what_came(tmp_path: Path) -> None:
    with running(Behaviour(answer=answering(question))) as server:
        TeacherProject(tmp_path, server.url, PASSAGES, STEP)
        run = Recipe.load(tmp_path / "recipe.yaml").run()
    facts = collect(run.path).calls
    assert facts is not None
    assert facts.spent["calls"] == len(PASSAGES)
    assert facts.estimate["calls"][0] <= len(PASSAGES) <= facts.estimate["calls"][2]
    pages = "".join(path.read_text(encoding="utf-8") for path in (run.path / "report").rglob("*config*.html"))
    assert "Model calls" in pages
    assert "模型调用" in pages
    assert f">{len(PASSAGES)}</td>" in pages


def test_rows_that_are_still_to_be_made_count_for_the_steps_behind(tmp_path: Path) -> None:
    block = f"""  - use: repeat
    until: {{accepted: 12}}
    steps:
      {STEP.strip()}
      - {{id: inner, use: judge, model: teacher}}
  - {{id: outer, use: judge, model: teacher, from: qa}}"""

    def answer(prompt: str) -> Any:
        return {"reason": "r", "score": 5, "sure": True} if '"score"' in prompt else question(prompt)

    with running(Behaviour(answer=answering(answer))) as server:
        project = TeacherProject(tmp_path, server.url, PASSAGES, block)
        found = {each.step: each for each in check(Recipe.load(tmp_path / "recipe.yaml")).calls.steps}
        run = project.run()
        asked = {
            stage.id: sum(stage.counts.get("measured", {}).values())
            for stage in run.folder.manifest.stages
            if stage.id in ("inner", "outer")
        }
    assert asked == {"inner": 18, "outer": 12}
    for name, count in asked.items():
        assert within(found[name].calls, count)


def test_progress_tells_calls_and_money_while_a_step_asks(tmp_path: Path) -> None:
    events: list[dict[str, Any]] = []
    with running(Behaviour(latency_s=0.4, answer=answering(question))) as server:
        project = TeacherProject(tmp_path, server.url, PASSAGES, STEP)
        project.role = {**project.role, "parallel": 4}
        project.write(PASSAGES, STEP)
        project.run(listen=events.append)
    (expected,) = [event for event in events if event["event"] == "expected"]
    told = [event for event in events if event["event"] == "calls"]
    assert expected["calls"][0] <= len(PASSAGES) <= expected["calls"][2]
    assert told
    assert [event["calls"] for event in told] == sorted(event["calls"] for event in told)
    assert all(0 < event["calls"] <= len(PASSAGES) and event["usd"] > 0 for event in told)


def test_a_cap_on_money_without_prices_is_warned_of(tmp_path: Path) -> None:
    project = TeacherProject(tmp_path, "http://127.0.0.1:9/v1", PASSAGES, STEP, budget="{usd: 1}")
    assert not check(Recipe.load(tmp_path / "recipe.yaml")).warnings
    project.role = {}
    project.write(PASSAGES, STEP)
    (warning,) = check(Recipe.load(tmp_path / "recipe.yaml")).warnings
    assert warning == "role 'teacher' has no `price`, so its calls do not count within 1 USD"


def test_a_step_that_asks_works_where_the_run_is_led() -> None:
    steps = {name: registry.load("step", name)() for name in ("judge", "document_qa", "valid", "known")}
    assert {name: step.stays_here() for name, step in steps.items()} == {
        "judge": True, "document_qa": True, "valid": False, "known": True
    }  # fmt: skip


def test_steps_behind_made_rows_are_named_as_unknown(tmp_path: Path) -> None:
    more = STEP + "\n  - {id: more, use: document_qa, from: qa}"
    project = TeacherProject(tmp_path, "http://127.0.0.1:9/v1", PASSAGES, more)
    assert check(Recipe.load(project.root / "recipe.yaml")).calls.unknown == ("more",)


# ---- the recipe ----

WRONG = """
models:
  teacher: {endpoint: "http://127.0.0.1:1/v1", modle: m, price: {in: 1, ou: 2}}
  Other: {}
  third: {endpoint: "http://u:secret@h/v1", model: m}
  fourth: {endpoint: "http://h/v1", model: m, parallel: secret}
  fifth: {endpoint: "http://h/v1", model: m, key_env: "sk-secret"}
budget: {usd: 5, tokens: -1, minute: 3}
sources: [{id: docs, use: documents, path: a.txt}]
steps:
  - {id: qa, use: document_qa, model: teecher}
"""


def test_problems_of_models_are_told_with_their_places_and_without_values(tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text(WRONG, encoding="utf-8")
    with pytest.raises(RecipeError) as it:
        Recipe.load(tmp_path / "recipe.yaml")
    told = str(it.value)
    assert "secret" not in told
    for line in (
        "recipe.yaml:3:48: role 'teacher': unknown setting 'modle'\n  → did you mean 'model'?",
        "unknown setting 'ou'\n  → did you mean 'out'?",
        "recipe.yaml:4:3: role 'Other': lower-case letters",
        "recipe.yaml:5:3: role 'third': an endpoint holds no key",
        "role 'fourth': parallel: Input should be a valid integer",
        "recipe.yaml:7:3: role 'fifth': key_env is the name of an environment variable",
        "budget: tokens is -1",
        "unknown setting 'minute'\n  → did you mean 'minutes'?",
        "recipe.yaml:11:32: unknown role of `models` 'teecher'\n  → did you mean 'teacher'?",
    ):
        assert line in told


def test_editors_know_models_and_what_is_set_on_the_way_counts(tmp_path: Path) -> None:
    role = recipe_schema()["properties"]["models"]["additionalProperties"]
    assert {"endpoint", "model", "key_env", "price"} <= set(role["properties"])
    assert role["additionalProperties"] is False
    TeacherProject(tmp_path, "http://127.0.0.1:9/v1", PASSAGES, STEP)
    changed = ["models.teacher.model=other", "models.judge={endpoint: http://127.0.0.1:8/v1, model: j}"]
    recipe = Recipe.load(tmp_path / "recipe.yaml", overrides=changed)
    assert (recipe.models["teacher"].model, recipe.models["judge"].model) == ("other", "j")
    assert list(recipe.roles()) == ["teacher"]
    with pytest.raises(RecipeError, match=r"--set models\.teacher\.rpm"):
        Recipe.load(tmp_path / "recipe.yaml", overrides=["models.teacher.rpm=0"])


def test_check_reads_prompts_of_languages_that_no_row_has_yet(tmp_path: Path) -> None:
    step = STEP.replace("0.7", "0.7, own_prompts: {document_qa.zh: own.jinja}")
    TeacherProject(tmp_path, "http://127.0.0.1:9/v1", PASSAGES[:2], step)
    recipe = Recipe.load(tmp_path / "recipe.yaml")
    with pytest.raises(MissingInput, match=r"own\.jinja"):
        check(recipe)
    (tmp_path / "own.jinja").write_text("=== user\n{{ passsage }}", encoding="utf-8")
    with pytest.raises(MissingInput, match=r"own\.jinja:2: unknown variable 'passsage'"):
        check(recipe)


def test_check_asks_for_keys_and_nobody_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TEACHER_KEY", raising=False)
    with running() as server:
        project = TeacherProject(tmp_path, server.url, PASSAGES, STEP)
        project.role = {**project.role, "key_env": "TEACHER_KEY"}
        project.write(PASSAGES, STEP)
        recipe = Recipe.load(tmp_path / "recipe.yaml")
        with pytest.raises(
            MissingInput, match=r"recipe.yaml:2:10: environment variable TEACHER_KEY holds no key"
        ):
            check(recipe)
        monkeypatch.setenv("TEACHER_KEY", KEY)
        check(recipe)
        assert sent(server) == 0
