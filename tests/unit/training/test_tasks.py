"""Every task learns what it is for, says it in the record's targets, and answers the same when saved."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from tests.tiny_bert import write_tiny_bert  # noqa: E402
from zhiling.errors import UsageError  # noqa: E402
from zhiling.pipeline import registry  # noqa: E402
from zhiling.rows.templates.example import Turn  # noqa: E402
from zhiling.training import Examples, Input, TrainSettings, load, task_class, text_input, train  # noqa: E402

Row = tuple[Input, str]


def pair(first: str, second: str) -> Input:
    return (Turn("user", first, "first"), Turn("user", second, "second"))


def asked(question: str, *options: str) -> Input:
    return (Turn("user", question, "question"), *(Turn("user", option, "choice") for option in options))


def passage(text: str, question: str) -> Input:
    return (Turn("document", text, "context"), Turn("user", question, "question"))


def choice(number: int) -> str:
    return json.dumps({"choice": number}, separators=(",", ":"))


def found(text: str, answer: str | None) -> str:
    place = (
        None
        if answer is None
        else {"message": 0, "start": text.index(answer), "end": text.index(answer) + len(answer)}
    )
    answers = [] if answer is None else [{"text": answer, "place": place}]
    return json.dumps({"answers": answers}, separators=(",", ":"), ensure_ascii=False)


def labels(*names: str) -> str:
    return json.dumps({"labels": sorted(names)}, separators=(",", ":"), ensure_ascii=False)


def fact(text: str, *triples: tuple[str, str, str]) -> str:
    def place(word: str) -> dict[str, int]:
        return {"message": 0, "start": text.index(word), "end": text.index(word) + len(word)}

    told = [
        {
            "subject": one, "relation": relation, "object": other, "subject_type": "S", "object_type": "O",
            "subject_place": place(one), "object_place": place(other),
        }
        for one, relation, other in triples
    ]  # fmt: skip
    spans = [
        place(word) | {"label": kind} for one, _, two in triples for word, kind in ((one, "S"), (two, "O"))
    ]
    spans.sort(key=lambda span: span["start"])
    return json.dumps({"relations": told, "spans": spans}, separators=(",", ":"), ensure_ascii=False)


def related(text: str, *triples: tuple[str, str, str]) -> Row:
    target = fact(text, *triples)
    given = task_class("relation_classification").given(target)
    assert given is not None
    return (Turn("user", text), given), target


LOST, RESET = "the card is lost", "快递 密码 reset"
ROWS: dict[str, list[Row]] = {
    "classification": [
        (pair("my card", "card"), "same"), (pair("my card", "password"), "other"),
        (pair("快递", "快递 ?"), "same"), (pair("快递", "密码"), "other"),
    ],
    "multi_label": [
        (text_input("my card"), labels("card")), (text_input("密码"), labels("密码")),
        (text_input("my card 密码"), labels("card", "密码")), (text_input("where is the"), labels()),
    ],
    "ordinal": [(text_input("card"), "1"), (text_input("card lost"), "2"), (text_input("lost 密"), "10")],
    "regression": [(text_input("card"), "-1.5"), (text_input("lost"), "2.0"), (text_input("密码"), "30.25")],
    "choice": [
        (asked("where is the card", "card", "password"), choice(0)),
        (asked("reset the password", "card", "password", "parcel"), choice(1)),
        (asked("快递", "密码", "快递"), choice(1)),
    ],
    "relation": [
        (text_input("my card is lost"), fact("my card is lost", ("card", "is", "lost"))),
        (text_input("where is the parcel"), fact("where is the parcel", ("parcel", "at", "where"))),
        (text_input("密码 快递 ?"), fact("密码 快递 ?", ("密码", "的", "快递"))),
    ],
    "relation_classification": [
        related("my card is lost", ("card", "is", "lost")),
        related("lost is my card", ("card", "at", "lost")),
        related("密码 快递 ?", ("密码", "的", "快递")), related("where is the parcel"),
    ],
    "extractive_qa": [
        (passage(LOST, "how"), found(LOST, "lost")), (passage(LOST, "where"), found(LOST, "card")),
        (passage(RESET, "how"), found(RESET, "reset")), (passage(LOST, "parcel ?"), found(LOST, None)),
    ],
}  # fmt: skip


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_bert(tmp_path_factory.mktemp("models") / "tiny")


def settings(tiny: Path, task: str, **fields: object) -> TrainSettings:
    return TrainSettings.model_validate(
        {
            "task": task, "features": "encoder", "backbone": str(tiny), "method": "full", "epochs": 30,
            "learning_rate": 0.02, "encoder_learning_rate": 0.003, "batch_size": 8, "dropout": 0.0,
            "patience": 30, **fields,
        }
    )  # fmt: skip


def examples(rows: Sequence[Row], copies: int = 4) -> Examples:
    many = list(rows) * copies
    return Examples(
        tuple(map(str, range(len(many)))), tuple(turns for turns, _ in many),
        tuple(target for _, target in many), ("und",) * len(many),
    )  # fmt: skip


def right(truth: Sequence[str], predicted: Sequence[str]) -> float:
    def near(one: str, other: str) -> bool:
        try:
            return abs(float(one) - float(other)) < 1
        except ValueError:
            return one == other

    return sum(map(near, truth, predicted)) / len(truth)


@pytest.mark.parametrize("task", sorted(ROWS))
def test_a_task_is_learnt_and_a_saved_model_answers_the_same(tiny: Path, tmp_path: Path, task: str) -> None:
    rows = examples(ROWS[task])
    model = train(settings(tiny, task), (rows, rows), seed=2, evaluate=right)
    assert model.dev_score == 1
    model.save(tmp_path / "model")
    again = load(tmp_path / "model").predict(rows.inputs, batch_size=5)
    assert right(rows.targets, again.answers) == 1
    assert again.best_scores.min() >= 0
    assert again.best_scores.max() <= 1


def test_every_task_has_a_row_here() -> None:
    assert set(registry.table("task")) == {*ROWS, "matching", "ner"}  # which have files of their own


@pytest.mark.parametrize("task", ["classification", "multi_label", "ordinal", "choice"])
@pytest.mark.parametrize("features", ["both", "ngrams"])
def test_texts_and_pairs_are_read_without_tuning_the_encoder(tiny: Path, task: str, features: str) -> None:
    rows = examples(ROWS[task], copies=6)
    backbone = None if features == "ngrams" else str(tiny)
    chosen = settings(tiny, task, features=features, method="frozen", backbone=backbone, ngram_min_rows=1)
    model = train(chosen, (rows, rows), seed=2, evaluate=right)
    assert model.dev_score >= 0.5


@pytest.mark.parametrize(
    ("task", "document", "told"),
    [
        ("classification", '{"labels": ["b", "a"]}', "b"),
        ("classification", '{"score": 1}', None),
        ("multi_label", '{"labels": ["b", "a", "b"]}', '{"labels":["a","b"]}'),
        ("regression", '{"score": 3}', "3.0"),
        ("choice", '{"choice": 1}', '{"choice":1}'),
        ("ner", '{"spans": [], "tokens": [[0, 2]]}', '{"spans":[],"tokens":[[0,2]]}'),
        ("extractive_qa", '{"answers": []}', '{"answers":[]}'),
        ("extractive_qa", '{"answers": [{"text": "no place"}]}', None),
        ("ner", '{"labels": ["a"]}', None),
        ("relation", '{"relations": []}', '{"relations":[]}'),
        ("relation", '{"relations": [{"subject": "a", "relation": "r", "object": "b"}]}', None),
    ],
)
def test_a_target_is_a_tasks_own_or_none_of_its(task: str, document: str, told: str | None) -> None:
    assert task_class(task).target(document) == told


def _mixed(tiny: Path) -> None:
    rows = examples([(text_input("card"), "a"), (pair("card", "lost"), "b")])
    train(settings(tiny, "classification"), (rows, rows), seed=0, evaluate=right)


def _unordered(tiny: Path) -> None:
    rows = examples([(text_input("card"), "low"), (text_input("lost"), "high")])
    train(settings(tiny, "ordinal"), (rows, rows), seed=0, evaluate=right)


def _without_entities(tiny: Path) -> None:
    rows = examples(ROWS["relation"])
    train(settings(tiny, "relation_classification"), (rows, rows), seed=0, evaluate=right)


def _outside(tiny: Path) -> None:
    rows = examples([(asked("card", "lost"), choice(1))])
    train(settings(tiny, "choice"), (rows, rows), seed=0, evaluate=right)


def _equal(tiny: Path) -> None:
    rows = examples([(text_input("card"), "2.0"), (text_input("lost"), "2.0")])
    train(settings(tiny, "regression"), (rows, rows), seed=0, evaluate=right)


def _contradiction(tiny: Path) -> None:
    text = "my card is lost"
    rows = examples([(text_input(text), fact(text, ("card", "is", "lost"), ("card", "was", "lost")))])
    train(settings(tiny, "relation"), (rows, rows), seed=0, evaluate=right)


def _no_pair(tiny: Path) -> None:
    rows = examples(ROWS["classification"])
    train(settings(tiny, "classification", epochs=1), (rows, rows), seed=0, evaluate=right).predict(["card"])


@pytest.mark.parametrize(
    ("attempt", "message"),
    [
        (_mixed, "4 of 8 training examples are pairs"),
        (_unordered, "are no numbers, so their order is not known"),
        (_outside, "the target is option 1, and there are 1"),
        (_equal, "all 8 training targets are 2.0"),
        (_no_pair, "the model reads pairs"),
        (_without_entities, "relates entities that are given, and an input gives None"),
        (_contradiction, "are told as 'is' and 'was'"),
    ],
)
def test_what_cannot_be_learnt_or_read_is_refused(
    tiny: Path, attempt: Callable[[Path], None], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        attempt(tiny)


def test_an_order_may_be_given(tiny: Path) -> None:
    rows = examples([(text_input("card"), "low"), (text_input("lost"), "high")])
    model = train(
        settings(tiny, "ordinal", order=("low", "mid", "high")), (rows, rows), seed=0, evaluate=right
    )
    assert model.task.classes == ("low", "mid", "high")
    assert model.dev_score == 1
