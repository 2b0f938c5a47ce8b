"""Answers without tuning: over an encoder and a tiny language model, in both languages, saved and read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

from tests.tiny_lm import write_tiny_lm
from zhiling.errors import DamagedFile, UsageError
from zhiling.rows.target import Entities, Relations, Span, spelled
from zhiling.rows.templates.example import Turn
from zhiling.training import Examples, Input, TrainSettings, load, text_input, train
from zhiling.training.prompting.asking import DROPPED, SHORTENED, UNREAD, Asking
from zhiling.training.prompting.demonstrations import Demonstrations
from zhiling.training.prompting.language import language_of
from zhiling.training.prompting.prompted import Prompted
from zhiling.training.prompting.settings import PromptSettings

NAMES = """
password: {en: reset password, zh: 重置密码, definition_en: the user cannot sign in}
parcel: {en: [track parcel], zh: 查询快递}
"""
ROWS = [
    ("please reset my password", "password"), ("怎么重置密码", "password"),
    ("where can I track the parcel", "parcel"), ("我要查询快递", "parcel"),
]  # fmt: skip


def accuracy(truth: Sequence[str], told: Sequence[str]) -> float:
    return sum(one == other for one, other in zip(truth, told, strict=True)) / len(truth)


def examples(rows: Sequence[tuple[Input | str, str]]) -> Examples:
    return Examples(
        tuple(map(str, range(len(rows)))),
        tuple(text_input(turns) if isinstance(turns, str) else turns for turns, _ in rows),
        tuple(target for _, target in rows), ("und",) * len(rows),
    )  # fmt: skip


def made(task: str, rows: Examples, seed: int = 0, **asked: Any) -> Prompted:
    settings = TrainSettings.model_validate({"task": task, "prompting": asked})
    found = train(settings, (rows, rows), seed=seed, evaluate=accuracy)
    assert isinstance(found, Prompted)
    return found


@pytest.fixture
def names(tmp_path: Path) -> str:
    file = tmp_path / "labels.yaml"
    file.write_text(NAMES, encoding="utf-8")
    return str(file)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_tiny_lm(tmp_path_factory.mktemp("models") / "lm", positions=1024))


def test_the_nearest_name_wins_in_both_languages_without_a_training_row(names: str) -> None:
    nothing = examples([])
    found = made("classification", nothing, label_names=names)
    told = found.predict([text for text, _ in ROWS])
    assert list(told.answers) == [label for _, label in ROWS]
    assert told.classes == ("parcel", "password")
    assert told.scores.sum(axis=1) == pytest.approx(1, abs=1e-6)
    assert found.history == ()


def test_a_tie_goes_to_the_label_that_sorts_first(names: str) -> None:
    told = made("classification", examples([]), label_names=names).predict(["", "???"])
    assert told.answers == ("parcel", "parcel")
    assert told.scores[0] == pytest.approx([0.5, 0.5])


def test_a_definition_is_one_more_name(names: str) -> None:
    asked = ["the user cannot sign in"]
    without = made("classification", examples([]), label_names=names).predict(asked)
    with_it = made("classification", examples([]), label_names=names, definitions=True).predict(asked)
    assert with_it.answers == ("password",)
    assert with_it.best_scores[0] > 0.999 > without.best_scores[0]


def test_demonstrations_outweigh_a_name_that_misleads() -> None:
    rows = examples([("alpha beta", "gamma"), ("alpha beta beta", "gamma"), ("gamma gamma", "alpha")])
    assert made("classification", rows).predict(["alpha beta"]).answers == ("alpha",)
    assert made("classification", rows, shots=2).predict(["alpha beta"]).answers == ("gamma",)


def test_pairs_are_judged_by_how_near_their_texts_are() -> None:
    def pair(first: str, second: str) -> Input:
        return (Turn("user", first, "first"), Turn("user", second, "second"))

    rows = examples([
        (pair("lost card", "card lost"), "same"), (pair("银行卡丢了", "银行卡丢了吗"), "same"),
        (pair("lost card", "track a parcel"), "other"), (pair("银行卡丢了", "快递在哪里"), "other"),
    ])  # fmt: skip
    told = made("classification", rows, shots=2).predict(
        [pair("门锁没有电池", "门锁没有电池了"), pair("门锁没有电池", "重置密码")]
    )
    assert told.answers == ("same", "other")


def test_several_labels_and_numbers_come_from_demonstrations() -> None:
    rows = examples([
        ("late parcel", '{"labels":["delivery"]}'),
            ("late parcel and wrong bill", '{"labels":["bill","delivery"]}'),
        ("everything is fine", '{"labels":[]}'),
    ])  # fmt: skip
    found = made("multi_label", rows, shots=1)
    assert [json.loads(each)["labels"] for each in found.predict(list(rows.texts)).answers] == [
        ["delivery"], ["bill", "delivery"], [],
    ]  # fmt: skip
    numbers = examples([("很好 good", "5.0"), ("很差 bad", "1.0")])
    assert made("regression", numbers, shots=1).predict(["very good 很好"]).answers == ("5.0",)
    assert made("regression", numbers).predict(["x"]).answers == ("3.0",)


def test_options_and_sentences_are_chosen_by_nearness_to_the_question() -> None:
    def asked(question: str, *options: str) -> Input:
        return (Turn("user", question, "question"), *(Turn("user", option, "choice") for option in options))

    inputs = [
        asked("where is the parcel", "reset it", "the parcel is here"),
        asked("快递在哪里", "快递在这里", "重置"),
    ]
    found = made("choice", examples([]))
    assert found.predict(inputs).answers == ('{"choice":1}', '{"choice":0}')
    with pytest.raises(UsageError, match="no message named `choice`"):
        found.predict(["x"])
    passage = (
        Turn("document", "门锁没有电池。快递明天到！", "context"),
        Turn("user", "快递几时到", "question"),
    )
    told = json.loads(made("extractive_qa", examples([])).predict([passage]).answers[0])
    assert told["answers"] == [{"text": "快递明天到！", "place": {"message": 0, "start": 7, "end": 13}}]
    with pytest.raises(UsageError, match="A passage"):
        made("extractive_qa", examples([])).predict(["x"])


def test_mentions_of_demonstrations_are_found_again_as_whole_words() -> None:
    def entities(text: str, *found: tuple[str, str]) -> tuple[str, str]:
        spans = [
            Span(start=text.index(word), end=text.index(word) + len(word), label=kind) for word, kind in found
        ]
        return text, spelled(Entities(spans=spans))

    rows = examples([entities("Ann is in Oslo", ("Ann", "person"), ("Oslo", "place")),
                     entities("王强在青岛", ("王强", "person"), ("青岛", "place"))])  # fmt: skip
    texts = ["Anna met Ann", "王强离开青岛"]
    told = made("ner", rows, shots=2).predict(texts)
    found = [
        [(text[span.start : span.end], span.label) for span in Entities.model_validate_json(answer).spans]
        for text, answer in zip(texts, told.answers, strict=True)
    ]
    assert found == [[("Ann", "person")], [("王强", "person"), ("青岛", "place")]]
    assert made("ner", rows).predict(texts).answers == ('{"spans":[]}',) * 2


@pytest.mark.parametrize("choose", ["nearest", "random"])
def test_the_input_alone_decides_its_demonstrations(choose: str) -> None:
    rows = examples([(f"text {number} 文本", "ab"[number % 2]) for number in range(20)])
    pool = Demonstrations.of(rows, PromptSettings.model_validate({"shots": 3, "choose": choose}), 5)
    found = made("classification", rows, seed=5, shots=3, choose=choose)
    inputs = rows.inputs
    alone = [found.predict([turns]).answers[0] for turns in inputs]
    assert list(found.predict(inputs[::-1]).answers)[::-1] == alone
    if choose == "random":
        assert pool.chosen(inputs, None) == [pool.chosen([turns], None)[0] for turns in inputs]
        other = Demonstrations.of(rows, pool.settings, 6)
        assert other.chosen(inputs, None) != pool.chosen(inputs, None)


def test_fixed_demonstrations_are_those_named() -> None:
    rows = examples(ROWS)
    found = made("classification", rows, choose="fixed", fixed=["3", "0"])
    assert found.known.demonstrations.pool.ids == ("3", "0")
    with pytest.raises(UsageError, match=r"\['9'\] are no ids of training rows"):
        made("classification", rows, choose="fixed", fixed=["9"])


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"choose": "fixed"}, "go together"),
        ({"fixed": ["1"]}, "go together"),
        ({"wording": "pick"}, "an encoder reads none"),
    ],
)
def test_settings_that_do_not_fit_together_are_refused(asked: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PromptSettings.model_validate(asked)


@pytest.mark.parametrize(
    ("task", "asked", "message"),
    [
        ("choice", {"shots": 1}, "says nothing about others, so 1 demonstrations have no use"),
        ("regression", {"calibrate": True}, "no candidates whose shares could be calibrated"),
        ("classification", {}, "no label is known"),
        ("classification", {"shots": 2}, "the train part has no row"),
    ],
)
def test_what_an_encoder_cannot_do_is_refused(task: str, asked: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        made(task, examples([]), **asked).predict(["x"])


@pytest.mark.parametrize("over_model", [False, True])
@pytest.mark.parametrize("asked", [{}, {"shots": 2}, {"shots": 1, "choose": "random", "calibrate": True}])
def test_a_saved_model_answers_the_same(
    tmp_path: Path, model: str, names: str, over_model: bool, asked: dict[str, Any]
) -> None:
    rows = examples(ROWS)
    found = made(
        "classification", rows, label_names=names, **asked, **({"model": model} if over_model else {})
    )
    found.save(tmp_path / "saved", {"kept": 1})
    again = load(tmp_path / "saved")
    told = again.predict(rows.inputs)
    assert told.answers == found.predict(rows.inputs).answers
    assert told.scores == pytest.approx(found.predict(rows.inputs).scores)
    assert again.dev_score == accuracy(rows.targets, told.answers)
    file = tmp_path / "saved" / "demonstrations.jsonl"
    file.write_bytes(file.read_bytes() + b"\n")
    with pytest.raises(DamagedFile, match="not as it was saved"):
        load(tmp_path / "saved")


def test_another_model_in_its_place_is_refused(tmp_path: Path) -> None:
    first = write_tiny_lm(tmp_path / "lm", positions=1024)
    made("classification", examples(ROWS), model=str(first)).save(tmp_path / "saved")
    write_tiny_lm(tmp_path / "lm", positions=1024, seed=1)
    with pytest.raises(UsageError, match="language model is not the one"):
        load(tmp_path / "saved")


def asking(found: Prompted) -> Asking:
    way = found._way  # what it reads is the point
    assert isinstance(way, Asking)
    return way


def test_prompts_speak_the_language_of_the_input(model: str, names: str) -> None:
    prompts = asking(made("classification", examples(ROWS), model=model, shots=1, label_names=names)).prompts
    english, chinese = (prompts.asked(text_input(text), [0]).turns for text in ("where is it", "在哪里"))
    assert "track parcel, reset password" in english[0][1]
    assert [role for role, _ in english] == ["user", "assistant", "user"]
    assert english[1][1] == "reset password"
    assert chinese[1][1] == "重置密码"
    assert language_of(text_input("WiFi 密码是什么")) == "zh"
    assert language_of(text_input("my 密码 does not work here")) == "en"


def test_what_does_not_fit_is_dropped_or_cut_and_counted(tmp_path: Path) -> None:
    short = str(write_tiny_lm(tmp_path / "lm", positions=200))
    rows = examples(ROWS)
    found = made("classification", rows, model=short, shots=3)
    told = found.predict(["where is my parcel"])
    assert told.notes[DROPPED] >= 1
    assert SHORTENED not in told.notes
    told = found.predict(["快递" * 400])
    assert told.notes[DROPPED] == 3
    assert told.notes[SHORTENED] == 1
    many = examples([("x", f"label number {number}") for number in range(40)])
    with pytest.raises(UsageError, match="tokens too long for the model"):
        made("classification", many, model=short).predict(["x"])


def test_a_reply_that_cannot_be_read_tells_nothing_and_is_counted(model: str) -> None:
    rows = examples([("Ann is in Oslo", spelled(Relations(relations=[])))])
    told = made("relation", rows, model=model, max_new_tokens=6).predict(["Ann", "王强"])
    assert told.answers == ('{"relations":[]}',) * 2
    assert told.notes[UNREAD] == 2
    assert told.best_scores.tolist() == [0, 0]
