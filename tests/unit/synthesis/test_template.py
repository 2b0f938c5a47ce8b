"""The step `template`: what it draws, what passes by, what fails; a whole run in two languages."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import zhiling
from zhiling.errors import UnknownName, UsageError
from zhiling.pipeline.step import Context, Made
from zhiling.rows import target
from zhiling.rows.schema import ROW, conform
from zhiling.rows.templates import Library, reading
from zhiling.synthesis.template import Template

LABELS = ("card", "parcel", "password", "refund")
LIBRARY = Library()


def example(
    number: int, task: str, truth: Any, *said: tuple[str, str, str | None], **more: Any
) -> dict[str, Any]:
    """A row as a source gives it."""
    messages = [{"role": role, "text": text, "name": name} for role, text, name in said]
    told = None if truth is None else json.dumps(truth, ensure_ascii=False)
    row = {"id": f"{number:032x}", "messages": messages, "task": task, "target": told, "language": "en"}
    return row | more


def intents(count: int = 40, **more: Any) -> list[dict[str, Any]]:
    """Classified texts, every label as often as the others."""
    return [
        example(n, "classification", {"labels": [LABELS[n % 4]]}, ("user", f"text {n} 号", None), **more)
        for n in range(count)
    ]


def frame(rows: Sequence[dict[str, Any]]) -> pl.DataFrame:
    """Rows as the runner gives them to the step."""
    groups = pl.Series("group", [row.get("group") for row in rows], dtype=pl.String)
    sources = pl.Series("source", [row.get("source", "s") for row in rows], dtype=pl.String)
    own = [{name: row.get(name) for name in row if name in ROW} for row in rows]
    schema = {name: ROW[name] for name in ("id", "messages", "task", "target", "language", "alternatives")}
    return conform(pl.DataFrame(own, schema=schema)).with_columns(groups, sources)


def made(step: Template, rows: pl.DataFrame, root: Path, seed: int = 1) -> Made:
    """What the step makes of the rows that it is about."""
    context = Context(step_id="t", seed=seed, root=root)
    state = root / f"state-{seed}"
    state.mkdir(exist_ok=True)
    step.fit(rows, context, state)
    return step.make(rows.filter(step.applies(rows)), replace(context, state=state))


def said(rows: pl.DataFrame) -> list[list[str]]:
    """Texts of each row's messages."""
    return [[message["text"] for message in messages] for messages in rows["messages"].to_list()]


def told(rows: pl.DataFrame, library: Library = LIBRARY) -> list[Any]:
    """The truth that each reply tells."""
    found: list[Any] = []
    for texts, document in zip(said(rows), rows["target"].to_list(), strict=True):
        read = reading(texts, json.loads(document), library)
        assert read is not None
        found.append(read.parse_row(texts[-1]))
    return found


def templates(rows: pl.DataFrame) -> list[dict[str, Any]]:
    """What each target says about its template."""
    return [json.loads(document)["template"] for document in rows["target"].to_list()]


def test_every_row_gets_a_wording_and_tells_its_truth(tmp_path: Path) -> None:
    answer = made(Template(), frame(intents()), tmp_path)
    assert list(answer.failures) == []
    assert answer.rows.height == 40
    assert told(answer.rows) == [target.Labels(labels=[LABELS[n % 4]]) for n in range(40)]
    assert len({each["wording"] for each in templates(answer.rows)}) >= 4
    assert {each["wording"].split("/")[1] for each in templates(answer.rows)} == {"en"}


def test_the_draw_depends_on_the_row_alone(tmp_path: Path) -> None:
    rows, step = frame(intents()), Template(shots=2, negatives=0.3, max_labels=3)
    whole = made(step, rows, tmp_path).rows.sort(pl.col("parents").list.first())
    turned = made(step, rows.reverse(), tmp_path).rows.sort(pl.col("parents").list.first())
    assert whole.equals(turned)
    assert not whole.equals(made(step, rows, tmp_path, seed=2).rows.sort(pl.col("parents").list.first()))


def test_languages(tmp_path: Path) -> None:
    rows = frame([*intents(8, language=None), *intents(8, language="zh-CN"), *intents(8, language="fr")])
    rows = rows.with_columns(id=pl.Series([f"{n:032x}" for n in range(24)]))
    own = [each["wording"].split("/")[1] for each in templates(made(Template(), rows, tmp_path).rows)]
    assert own == ["zh"] * 16 + ["en"] * 8  # without a language, Han characters decide
    drawn = templates(made(Template(languages=("en", "zh")), rows, tmp_path).rows)
    assert len({each["wording"].split("/")[1] for each in drawn}) == 2


def test_chosen_wordings(tmp_path: Path) -> None:
    step = Template(wordings=("classification/*/json", "ner/en/lines"))
    assert {each["wording"] for each in templates(made(step, frame(intents()), tmp_path).rows)} == {
        "classification/en/json"
    }
    with pytest.raises(UnknownName, match="classification/en/pick"):
        made(Template(wordings=("classification/en/pack",)), frame(intents()), tmp_path)
    none = made(Template(wordings=("ner/*",)), frame(intents()), tmp_path)
    assert none.rows.is_empty()
    assert {failure.cls for failure in none.failures} == {"no_wording"}


def test_own_wordings(tmp_path: Path) -> None:
    wording = {
        "id": "mine", "language": "en", "shape": "labels", "none": "nix",
        "before": "Choose: {labels}[[none| or {none}]]", "input": "{text}",
    }  # fmt: skip
    (tmp_path / "own.yaml").write_text(
        json.dumps({"task": "classification", "wordings": [wording]}), encoding="utf-8"
    )
    step = Template(own_wordings=("own.yaml",), wordings=("classification/en/mine",))
    assert step.files() == ("own.yaml",)
    rows = made(step, frame(intents(4)), tmp_path).rows
    assert all(texts[0].startswith("Choose: ") for texts in said(rows))


def test_names_of_labels(tmp_path: Path) -> None:
    lines = [
        f"{label}: {{en: the {label}, zh: 类{n}, definition_zh: 第{n}类}}" for n, label in enumerate(LABELS)
    ]
    (tmp_path / "labels.yaml").write_text("\n".join(lines), encoding="utf-8")
    step = Template(label_names="labels.yaml")
    rows = made(step, frame(intents(40, language="zh")), tmp_path).rows
    assert told(rows) == [target.Labels(labels=[LABELS[n % 4]]) for n in range(40)]
    assert any("类2：第2类" in texts[0] for texts in said(rows))
    (tmp_path / "labels.yaml").write_text("card: same\nrefund: same\n", encoding="utf-8")
    with pytest.raises(UsageError, match="'card' and 'refund'"):
        made(step, frame(intents()), tmp_path)


def test_a_part_of_the_labels_holds_the_right_one(tmp_path: Path) -> None:
    rows = made(Template(max_labels=2, wordings=("*/pick",)), frame(intents()), tmp_path).rows
    listed = [each["labels"] for each in templates(rows)]
    assert all(len(labels) == 2 for labels in listed)
    assert all(LABELS[n % 4] in labels for n, labels in enumerate(listed))
    assert {labels.index(LABELS[n % 4]) for n, labels in enumerate(listed)} == {0, 1}
    assert len({tuple(sorted(labels)) for labels in listed}) >= 5


def test_rows_for_which_no_label_is_right(tmp_path: Path) -> None:
    rows = made(Template(negatives=0.5), frame(intents(80)), tmp_path).rows
    negative = [each for each in templates(rows) if each.get("withheld")]
    assert 20 <= len(negative) <= 60
    assert all(set(each["withheld"]).isdisjoint(each["labels"]) for each in negative)
    truths = [[] if each.get("withheld") else [LABELS[n % 4]] for n, each in enumerate(templates(rows))]
    assert told(rows) == [target.Labels(labels=labels) for labels in truths]


def test_entities_that_are_not_asked_for(tmp_path: Path) -> None:
    spans = [{"start": 0, "end": 3, "label": "per"}], [{"start": 7, "end": 11, "label": "loc"}]
    sentences = [example(n, "ner", {"spans": spans[n % 2]}, ("user", "Ada in Rome", None)) for n in range(20)]
    rows = made(Template(negatives=1.0), frame(sentences), tmp_path).rows
    assert told(rows) == [target.Entities(spans=[])] * 20
    assert [each["labels"] for each in templates(rows)] == [["loc"], ["per"]] * 10


def test_questions_with_another_passage(tmp_path: Path) -> None:
    def question(n: int) -> dict[str, Any]:
        place = {"message": 0, "start": 8, "end": 8 + len(str(n))}
        truth = {"answers": [{"text": str(n), "place": place}]}
        passage = ("document", f"Number: {n}.", "context"), ("user", f"Which? {n % 2}", "question")
        return example(n, "qa", truth, *passage, group=f"g{n % 3}")

    rows = made(Template(negatives=1.0), frame([question(n) for n in range(10, 20)]), tmp_path).rows
    assert told(rows) == [target.Answers(answers=[])] * 10
    for n, (texts, each) in enumerate(zip(said(rows), templates(rows), strict=True)):
        assert each["withheld"] == [str(n + 10)]
        assert f"Number: {n + 10}." not in "".join(texts)


def test_demonstrations_are_balanced_and_of_other_groups(tmp_path: Path) -> None:
    rows = intents(40)
    for n, row in enumerate(rows):
        row["group"] = f"g{n // 4}"  # each group holds all four labels
    answer = made(Template(shots=3), frame(rows), tmp_path).rows
    used: Counter[str] = Counter()
    for n, each in enumerate(templates(answer)):
        numbers = [int(shot, 16) for shot in each["shots"]]
        assert len({number % 4 for number in numbers}) == 3
        assert len({number // 4 for number in [*numbers, n]}) == 4
        used.update(LABELS[number % 4] for number in numbers)
    assert min(used.values()) >= 15
    assert told(answer) == [target.Labels(labels=[LABELS[n % 4]]) for n in range(40)]
    inline = made(Template(shots=3, shots_place="inline"), frame(rows), tmp_path).rows
    assert max(map(len, said(inline))) <= 3


def test_demonstrations_of_another_source(tmp_path: Path) -> None:
    rows = frame([*intents(8), *({**row, "source": "pool"} for row in intents(8))])
    rows = rows.with_columns(id=pl.Series([f"{n:032x}" for n in range(16)]))
    shots = [
        each["shots"] for each in templates(made(Template(shots=2, shots_from="pool"), rows, tmp_path).rows)
    ]
    assert {int(shot, 16) >= 8 for each in shots for shot in each} == {True}


def test_what_passes_by(tmp_path: Path) -> None:
    picture = {"kind": "image", "path": "a.png", "sha256": "0", "at": 0}
    labels = {"labels": ["card"]}
    rows = [
        example(0, "utterance", None, ("user", "no truth", None)),
        example(1, "classification", None, ("user", "no truth", None)),
        example(2, "instruction", labels, ("user", "no templates", None)),
        example(3, "classification", labels, ("user", "seen", None)),
        example(4, "classification", labels, ("user", "plain", None)),
        example(
            5, "classification", {**labels, "template": {"wording": "x", "fields": []}}, ("user", "x", None)
        ),
        example(6, "summarisation", None, ("user", "long", None), ("assistant", "short", None)),
    ]
    rows[3]["messages"][0]["media"] = [picture]
    found = frame(rows)
    assert found["id"].filter(Template().applies(found)).to_list() == [rows[4]["id"], rows[6]["id"]]
    assert made(Template(), found, tmp_path).rows["parents"].to_list() == [[rows[4]["id"]], [rows[6]["id"]]]


def test_what_cannot_be_told_is_a_failure(tmp_path: Path) -> None:
    place = {"start": 0, "end": 1}
    rows = [
        example(0, "ner", {"labels": ["a"]}, ("user", "x", None)),
        example(1, "qa", {"answers": [{"text": "y", "place": place}]}, ("user", "x", "question")),
        example(2, "matching", {"labels": ["a"]}, ("user", "only one", None)),
        example(3, "summarisation", None, ("user", "no reply", None)),
        example(4, "ner", {"spans": [{"start": 0, "end": 9, "label": "a"}]}, ("user", "x", None)),
    ]
    answer = made(Template(), frame(rows), tmp_path)
    assert answer.rows.is_empty()
    assert [failure.cls for failure in answer.failures] == [
        "broken_target", "place_differs", "no_wording", "no_reply", "place_outside",
    ]  # fmt: skip


def test_other_replies_get_the_same_frame(tmp_path: Path) -> None:
    other = {"kind": "chosen", "messages": [{"role": "assistant", "text": "brief"}]}
    row = example(0, "summarisation", None, ("user", "long", None), ("assistant", "short", None))
    rows = made(
        Template(wordings=("summarisation/en/labelled",)), frame([{**row, "alternatives": [other]}]), tmp_path
    ).rows
    assert said(rows)[0][-1] == "Summary: short"
    assert rows["alternatives"].to_list()[0][0]["messages"][0]["text"] == "Summary: brief"


def test_tokens_stay_behind(tmp_path: Path) -> None:
    truth = {"spans": [{"start": 0, "end": 3, "label": "per"}], "tokens": [[0, 3]], "tags": ["B-per"]}
    rows = made(Template(), frame([example(0, "ner", truth, ("user", "Ada", None))]), tmp_path).rows
    assert {"spans", "template"} == set(json.loads(rows["target"][0]))


RECIPE = """
version: 1
name: templates
seed: 5
sources:
  - {id: en, use: labelled, path: en.jsonl, language: en, licence: Apache-2.0}
  - {id: zh, use: labelled, path: zh.jsonl, language: zh, licence: Apache-2.0}
steps:
  - {id: worded, use: template, label_names: labels.yaml, shots: 1, negatives: 0.2}
split: {train: 0.5, dev: 0.25, test: 0.25}
export:
  - {format: messages, path: sft.jsonl}
"""

TEXTS = {
    "en": [
        ("my card is lost", "card"),
        ("the bank took my card", "card"),
        ("where is the parcel", "parcel"),
        ("nobody brought the box", "parcel"),
        ("I cannot log in", "password"),
        ("reset my password", "password"),
    ],
    "zh": [
        ("银行卡丢了", "card"),
        ("机器把我的卡吞了", "card"),
        ("快递到哪儿了", "parcel"),
        ("包裹一直没送来", "parcel"),
        ("登录不了账号", "password"),
        ("怎么重新设置密码", "password"),
    ],
}


def test_a_run_from_labels_to_conversations(tmp_path: Path) -> None:
    """Labelled rows of both languages → template → split by the examples' own texts → export."""
    for language, texts in TEXTS.items():
        lines = (json.dumps({"text": text, "label": label}, ensure_ascii=False) for text, label in texts)
        (tmp_path / f"{language}.jsonl").write_text("\n".join(lines), encoding="utf-8")
    (tmp_path / "labels.yaml").write_text(
        "card: {en: bank card, zh: 银行卡}\nparcel: {zh: 快递}\npassword: {en: password, zh: 密码}\n",
        encoding="utf-8",
    )
    (tmp_path / "recipe.yaml").write_text(RECIPE, encoding="utf-8")
    run = zhiling.Recipe.load(tmp_path / "recipe.yaml").run(until="export")
    assert run.counts["kept"] == 12
    exported = [
        json.loads(line)["messages"]
        for part in ("train", "dev", "test")
        for line in (run.path / "export" / f"sft.{part}.jsonl").read_text("utf-8").splitlines()
    ]
    assert len(exported) == 12
    assert all(messages[-1]["role"] == "assistant" for messages in exported)
    assert all(
        (run.path / "export" / f"sft.{part}.jsonl").stat().st_size for part in ("train", "dev", "test")
    )
    asked = "\n".join(messages[-2]["content"] for messages in exported)
    assert all(text in asked for texts in TEXTS.values() for text, _ in texts)
    replies = {messages[-1]["content"] for messages in exported}
    assert any("bank card" in reply for reply in replies)
    assert any("银行卡" in reply for reply in replies)
